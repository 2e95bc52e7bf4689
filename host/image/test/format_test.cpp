// Goal: the format of a file is told from its content before its name, and every image survives a
// trip through every writable format. Method: one file per format under wrong names; random sparse
// images by seed.

#include "binary_files.hpp"

#include "sureflash/image/image.hpp"

namespace sureflash::image {
namespace {

using namespace test;

TEST(Format, ContentBeatsTheName) {
  EXPECT_EQ(detect(elf({}), "x.hex"), Format::Elf);
  EXPECT_EQ(detect(uf2_block({}), "x.bin"), Format::Uf2);
  EXPECT_EQ(detect(dfuse(0, {}), "x.bin"), Format::DfuSe);
  EXPECT_EQ(detect(with_suffix({1}), "x.bin"), Format::Dfu);
  EXPECT_EQ(detect(bytes("\r\n:00000001FF\n"), "x.txt"), Format::IntelHex);
  EXPECT_EQ(detect(bytes("S9030000FC\n"), "x.txt"), Format::SRecord);
}

TEST(Format, ThenTheName) {
  const Bytes data = counting(64);
  EXPECT_EQ(detect(data, "a/b.c/firmware.DFU"), Format::Dfu);
  EXPECT_EQ(detect(data, "firmware.hex"), Format::IntelHex) << "so that the error is about HEX";
  EXPECT_EQ(detect(data, "firmware"), Format::Binary);
  EXPECT_EQ(detect(data, "firmware.img"), Format::Binary);
  EXPECT_EQ(detect({}, ""), Format::Binary);
  EXPECT_EQ(detect(bytes(":"), "x"), Format::Binary);
  EXPECT_EQ(detect(bytes("S1 is a name"), "x"), Format::Binary);
}

TEST(Format, Names) {
  for (const Format format : {Format::Binary, Format::IntelHex, Format::SRecord, Format::Elf,
                              Format::Dfu, Format::DfuSe, Format::Uf2})
    EXPECT_EQ(format_from_name(name(format)), format);
  for (const std::string_view alias : {"s19", "S28", "s37", "MOT", "srec"})
    EXPECT_EQ(format_from_name(alias), Format::SRecord);
  for (const std::string_view alias : {"axf", "out", "ELF"})
    EXPECT_EQ(format_from_name(alias), Format::Elf);
  EXPECT_EQ(format_from_name("iHex"), Format::IntelHex);
  EXPECT_FALSE(format_from_name(""));
  EXPECT_FALSE(format_from_name("bi"));
}

TEST(Binary, NeedsABaseAndBytes) {
  EXPECT_TRUE(fails(read(Format::Binary, Bytes{1}), Errc::NeedsBase));
  EXPECT_TRUE(fails(read(Format::Binary, {}, {.base = 0}), Errc::EmptyImage));
  EXPECT_TRUE(fails(read(Format::Binary, Bytes{1, 2}, {.base = 0xFFFF'FFFF}), Errc::TooLarge));
}

TEST(Binary, GapsAreFilledUpToALimit) {
  EXPECT_EQ(value(write(Format::Binary, value(Image::from_segments({{4, {1}}, {7, {2}}})),
                        {.fill = 0x77})),
            (Bytes{1, 0x77, 0x77, 2}));
  constexpr std::uint32_t kLimit = 16 << 20;
  EXPECT_EQ(value(write(Format::Binary, value(Image::from_segments({{0, {1}}, {1 + kLimit, {2}}}))))
                .size(),
            2U + kLimit);
  const Image too_wide = value(Image::from_segments({{0, {1}}, {2 + kLimit, {2}}}));
  EXPECT_TRUE(fails(write(Format::Binary, too_wide), Errc::TooLarge, "gaps"));
  EXPECT_TRUE(fails(write(Format::Dfu, too_wide), Errc::TooLarge));
}

TEST(Format, NothingIsNotWritten) {
  for (const Format format :
       {Format::Binary, Format::IntelHex, Format::SRecord, Format::Dfu, Format::DfuSe, Format::Uf2})
    EXPECT_TRUE(fails(write(format, Image{}), Errc::EmptyImage));
}

TEST(RoundTrip, EveryFormatWithAddressesKeepsEverything) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const Image image = random_image(random);
    WriteOptions options;
    options.line_bytes = static_cast<std::uint8_t>(1 + random() % 250);
    for (const Format format : {Format::IntelHex, Format::SRecord, Format::DfuSe, Format::Uf2}) {
      SCOPED_TRACE(testing::Message() << "seed=" << seed << " format=" << name(format));
      const Bytes file = value(write(format, image, options));
      ASSERT_EQ(detect(file, ""), format);
      const Image back = value(read(format, file));
      ASSERT_EQ(segments(back), segments(image));
      ASSERT_TRUE(back.warnings.empty()) << back.warnings[0];
    }
  }
}

TEST(RoundTrip, FormatsWithoutAddressesKeepTheBytes) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    std::mt19937 random(seed);
    const Image image = random_image(random);
    const auto base = static_cast<std::uint32_t>(image.bounds().begin);
    for (const Format format : {Format::Binary, Format::Dfu}) {
      SCOPED_TRACE(testing::Message() << "seed=" << seed << " format=" << name(format));
      const Bytes file = value(write(format, image, {.fill = 0xA5}));
      const Image back = value(read(format, file, {.base = base}));
      ASSERT_EQ(back.bounds(), image.bounds());
      Bytes expected(image.bounds().size(), 0xA5);
      image.read(image.bounds(), expected);
      ASSERT_EQ(back.segments()[0].data, expected);
    }
  }
}

TEST(RoundTrip, EntryNameIdsAndFamilySurviveWhereTheFormatHasThem) {
  Image image = value(Image::from_segments({{0x0800'0000, {1}}}));
  image.entry = 0x0800'00ED;
  image.name = "blinky 1.0";
  image.ids = DfuIds{0x0483, 0xDF11, 0x0100};
  const auto back = [&](Format format) {
    return value(read(format, value(write(format, image)), {.base = 0}));
  };
  EXPECT_EQ(back(Format::IntelHex).entry, image.entry);
  EXPECT_EQ(back(Format::SRecord).entry, image.entry);
  EXPECT_EQ(back(Format::SRecord).name, image.name);
  EXPECT_EQ(back(Format::Dfu).ids, image.ids);
  EXPECT_EQ(back(Format::DfuSe).ids, image.ids);
  EXPECT_EQ(back(Format::DfuSe).name, image.name);
}

}  // namespace
}  // namespace sureflash::image
