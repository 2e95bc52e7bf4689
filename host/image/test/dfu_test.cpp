// Goal: DFU suffix and DfuSe container as DFU 1.1 appendix B and UM0391 have them, and the pitfalls
// of real files: damage refused, oddities tolerated with a warning. Method: files built field by
// field in the test, with a CRC of its own.

#include "binary_files.hpp"

#include "sureflash/image/image.hpp"

namespace sureflash::image {
namespace {

using namespace test;

constexpr ReadOptions kAtFlash{.base = 0x0800'0000};

Result<Image> read_dfu_file(const Bytes& file, const ReadOptions& options = kAtFlash) {
  return read(Format::Dfu, file, options);
}
Result<Image> read_dfuse_file(const Bytes& file, const ReadOptions& options = {}) {
  return read(Format::DfuSe, file, options);
}

TEST(Dfu, SuffixIsStrippedAndTold) {
  const Image image = value(read_dfu_file(with_suffix(counting(100), {.bcdDevice = 0x2200})));
  EXPECT_EQ(segments(image), (std::vector<Segment>{{0x0800'0000, counting(100)}}));
  EXPECT_EQ(image.ids, (DfuIds{0x0483, 0xDF11, 0x2200}));
  EXPECT_TRUE(image.warnings.empty());
}

TEST(Dfu, CheckValueOfTheCrc) {
  EXPECT_EQ(slow_crc(bytes("123456789")), 0x340B'C6D9U);
}

TEST(Dfu, NeedsABase) {
  EXPECT_TRUE(fails(read_dfu_file(with_suffix({1}), {}), Errc::NeedsBase));
}

TEST(Dfu, WithoutASuffixItIsRawBinaryWithAWarning) {
  const Image image = value(read_dfu_file(counting(100)));
  EXPECT_EQ(image.size(), 100U);
  EXPECT_FALSE(image.ids);
  EXPECT_TRUE(warns(image, "no DFU suffix"));
  EXPECT_EQ(value(read_dfu_file({1})).size(), 1U);
}

TEST(Dfu, NothingIsStrippedBeforeTheCrcIsRight) {
  Bytes file = with_suffix(counting(100));
  file[5] ^= 1;
  EXPECT_TRUE(fails(read_dfu_file(file), Errc::ChecksumMismatch, "CRC"));
  // Under a name that promises no suffix it is firmware that happens to end like one.
  EXPECT_EQ(detect(file, "x.bin"), Format::Binary);
  EXPECT_EQ(detect(file, "x.dfu"), Format::Dfu);
  EXPECT_EQ(value(read(Format::Binary, file, kAtFlash)).size(), 116U);
}

TEST(Dfu, ACrcOverTooLittleIsRefused) {
  Bytes file = with_suffix(counting(100));
  file.resize(112);
  append_le32(file, slow_crc(counting(100)));  // home-made: payload only
  EXPECT_TRUE(fails(read_dfu_file(file), Errc::ChecksumMismatch));
  file.resize(112);
  append_le32(file,
              ~slow_crc(Bytes(file.begin(), file.begin() + 112)));  // inverted, as zlib has it
  EXPECT_TRUE(fails(read_dfu_file(file), Errc::ChecksumMismatch));
}

TEST(Dfu, IdsOfZeroAreSuspicious) {
  const Image image =
      value(read_dfu_file(with_suffix({1}, {.bcdDevice = 0, .idProduct = 0, .idVendor = 0})));
  EXPECT_EQ(image.ids, (DfuIds{0, 0, 0}));
  EXPECT_TRUE(warns(image, "0x0000"));
}

TEST(Dfu, ALongerSuffixIsStrippedWhole) {
  const Bytes file =
      with_suffix(joined({counting(100), {0xAA, 0xBB, 0xCC, 0xDD}}), {.bLength = 20});
  EXPECT_EQ(segments(value(read_dfu_file(file))),
            (std::vector<Segment>{{0x0800'0000, counting(100)}}));
}

TEST(Dfu, ImpossibleLengthsAreRefused) {
  for (const std::uint8_t length : Bytes{0, 15, 30})
    EXPECT_TRUE(fails(read_dfu_file(with_suffix({1, 2}, {.bLength = length})), Errc::FormatInvalid,
                      "length"));
  EXPECT_TRUE(fails(read_dfu_file(with_suffix({1, 2}, {.bLength = 18})), Errc::EmptyImage));
  EXPECT_TRUE(fails(read_dfu_file(with_suffix({})), Errc::EmptyImage));
}

TEST(Dfu, AContainerIsNotTakenForFirmware) {
  EXPECT_TRUE(
      fails(read_dfu_file(dfuse(1, target(element(0, {1})))), Errc::FormatInvalid, "DfuSe"));
}

TEST(Dfu, WritesByteForByte) {
  const Image image = value(Image::from_segments({{0x0800'0000, {1}}, {0x0800'0003, {4}}}));
  const DfuIds ids{0x0483, 0xDF11, 0x0102};
  EXPECT_EQ(value(write(Format::Dfu, image, {.fill = 0xEE, .ids = ids})),
            with_suffix({1, 0xEE, 0xEE, 4}, {.bcdDevice = 0x0102}));
  EXPECT_EQ(value(write(Format::Dfu, image)),
            with_suffix({1, 0xFF, 0xFF, 4}, {.idProduct = 0xFFFF, .idVendor = 0xFFFF}));
}

TEST(DfuSe, ReadsTargetsAndElements) {
  const Image image = value(read_dfuse_file(
      dfuse(2, joined({target(joined({element(0x0800'0000, {1, 2}), element(0x0800'4000, {3})}),
                              {.elements = 2, .name = bytes("Internal")}),
                       target(element(0x1FFF'F800, {4, 5}),
                              {.alt_setting = 1, .name = bytes("Option")})}))));
  EXPECT_EQ(
      segments(image),
      (std::vector<Segment>{{0x0800'0000, {1, 2}}, {0x0800'4000, {3}}, {0x1FFF'F800, {4, 5}}}));
  EXPECT_EQ(image.alt_settings, (std::vector<std::uint8_t>{0, 1}));
  EXPECT_EQ(image.name, "Internal");
  EXPECT_EQ(image.ids, (DfuIds{0x0483, 0xDF11, 0xFFFF}));
  EXPECT_TRUE(image.warnings.empty());
}

TEST(DfuSe, SeveralImagesForOneAltSettingAreOne) {
  const Bytes file =
      dfuse(3, joined({target(element(0x0800'0000, {1})), target(element(0x0800'0001, {2})),
                       target(element(0x1FFF'F800, {3}), {.alt_setting = 1})}));
  const Image all = value(read_dfuse_file(file, {.alt_setting = 0}));
  EXPECT_EQ(segments(all), (std::vector<Segment>{{0x0800'0000, {1, 2}}}));
  EXPECT_EQ(all.alt_settings, (std::vector<std::uint8_t>{0, 1}));
  EXPECT_TRUE(warns(all, "image 3: left out, it is for alternate setting 1"));
  EXPECT_TRUE(
      fails(read_dfuse_file(file, {.alt_setting = 2}), Errc::EmptyImage, "alternate setting 2"));
}

TEST(DfuSe, OverlapInsideAnImageAndBetweenImages) {
  EXPECT_TRUE(
      fails(read_dfuse_file(dfuse(
                1, target(joined({element(0x100, {1, 2}), element(0x101, {3})}), {.elements = 2}))),
            Errc::Overlap, "element 1 on and from element 2 on"));
  const Bytes two = dfuse(
      2, joined({target(element(0x100, {1, 2})), target(element(0x101, {3}), {.alt_setting = 1})}));
  EXPECT_TRUE(fails(read_dfuse_file(two), Errc::Overlap, "0x00000101..0x00000102"));
  EXPECT_TRUE(read_dfuse_file(two, {.alt_setting = 1}));
}

TEST(DfuSe, AnElementPastItsImageIsRefused) {
  Bytes too_long = element(0x0800'0000, {1, 2, 3});
  store_le32(too_long, 4, 4);
  EXPECT_TRUE(fails(read_dfuse_file(dfuse(1, target(too_long))), Errc::FormatInvalid,
                    "image 1: element 1 runs past"));
  // Even in an image that is not wanted, and even if the bytes of the next image would be there.
  EXPECT_TRUE(fails(read_dfuse_file(dfuse(2, joined({target(too_long, {.alt_setting = 1}),
                                                     target(element(0, {1}))})),
                                    {.alt_setting = 0}),
                    Errc::FormatInvalid, "runs past"));
  store_le32(too_long, 4, 0xFFFF'FFFF);
  EXPECT_TRUE(fails(read_dfuse_file(dfuse(1, target(too_long))), Errc::FormatInvalid, "runs past"));
}

TEST(DfuSe, CountsBeyondTheFileAreRefusedBeforeAnythingIsAllocated) {
  EXPECT_TRUE(fails(read_dfuse_file(dfuse(1, target(element(0, {1}), {.elements = 0xFFFF'FFFF}))),
                    Errc::FormatInvalid, "element 2 is missing"));
  EXPECT_TRUE(fails(read_dfuse_file(dfuse(1, target(element(0, {1}), {.size = 0xFFFF'FFFF}))),
                    Errc::Truncated, "image 1"));
  EXPECT_TRUE(
      fails(read_dfuse_file(dfuse(255, target(element(0, {1})))), Errc::Truncated, "image 2"));
  EXPECT_TRUE(
      fails(read_dfuse_file(dfuse(1, target(element(0xFFFF'FFFF, {1, 2})))), Errc::TooLarge));
}

TEST(DfuSe, AWrongImageSizeIsToleratedWithAWarning) {
  const auto with_size_off_by = [](std::uint32_t bytes) {
    return value(read_dfuse_file(dfuse(1, target(element(0, {1})), bytes)));
  };
  EXPECT_TRUE(warns(with_size_off_by(4), "DFUImageSize is 298, the file has 294"));
  EXPECT_TRUE(warns(with_size_off_by(-294U), "DFUImageSize is 0"));
  EXPECT_TRUE(with_size_off_by(16).warnings.empty()) << "dfuse-pack 0.11 counts the suffix";
}

TEST(DfuSe, NamesNeedNoEndAndMayBeJunk) {
  const auto name_of = [](const TargetFields& fields) {
    return value(read_dfuse_file(dfuse(1, target(element(0, {1}), fields)))).name;
  };
  EXPECT_EQ(name_of({.name = Bytes(255, 'x')}), std::string(255, 'x'));
  EXPECT_EQ(name_of({.name = joined({bytes("ST"), {0}, bytes("junk")})}), "ST");
  EXPECT_EQ(name_of({.name = bytes("A\n\x1B[31m\xFF")}), "A??[31m?");
  EXPECT_EQ(name_of({.named = 0, .name = bytes("junk")}), "");
  EXPECT_EQ(name_of({.named = 1, .name = {}}), "");
}

TEST(DfuSe, ImagesWithoutElements) {
  const Bytes empty = target({}, {.alt_setting = 1, .elements = 0});
  const Image image = value(read_dfuse_file(dfuse(2, joined({empty, target(element(0, {1}))}))));
  EXPECT_EQ(image.size(), 1U);
  EXPECT_TRUE(warns(image, "image 1: it has no elements"));
  EXPECT_TRUE(fails(read_dfuse_file(dfuse(1, empty)), Errc::EmptyImage));
  EXPECT_TRUE(fails(read_dfuse_file(dfuse(0, {})), Errc::EmptyImage));
  EXPECT_TRUE(fails(read_dfuse_file(dfuse(1, target(element(0, {1}), {.elements = 0}))),
                    Errc::FormatInvalid, "no elements but 9 bytes"));
}

TEST(DfuSe, GarbageAfterImagesAndElementsIsIgnoredWithAWarning) {
  const Bytes image = target(joined({element(0, {1}), {9, 9, 9}}));
  const Image read = value(read_dfuse_file(dfuse(1, joined({image, {7, 7}}))));
  EXPECT_EQ(segments(read), (std::vector<Segment>{{0, {1}}}));
  EXPECT_TRUE(warns(read, "image 1: 3 bytes after the last element"));
  EXPECT_TRUE(warns(read, "2 bytes between the last image and the suffix"));
}

TEST(DfuSe, FrameIsChecked) {
  const Bytes good = dfuse(1, target(element(0, {1})));
  EXPECT_TRUE(
      fails(read_dfuse_file(Bytes(good.begin(), good.end() - 16)), Errc::Truncated, "suffix"));
  Bytes damaged = good;
  damaged[20] ^= 0x80;
  EXPECT_TRUE(fails(read_dfuse_file(damaged), Errc::ChecksumMismatch));
  EXPECT_TRUE(fails(read_dfuse_file(bytes("hello")), Errc::FormatInvalid, "not a DfuSe file"));
  EXPECT_TRUE(fails(read_dfuse_file(with_suffix(bytes("DfuSe\x01"))), Errc::Truncated));
  EXPECT_TRUE(fails(read_dfuse_file(with_suffix(joined({bytes("DfuSe\x02"), Bytes(5)}))),
                    Errc::FormatInvalid, "version 2"));
  EXPECT_TRUE(
      fails(read_dfuse_file(dfuse(1, Bytes(300))), Errc::FormatInvalid, "\"Target\" is missing"));
  Bytes body(good.begin(), good.end() - 16);
  EXPECT_TRUE(warns(value(read_dfuse_file(with_suffix(body, {.bcdDFU = 0x0100}))), "bcdDFU"));
  EXPECT_TRUE(warns(value(read_dfuse_file(with_suffix(body, {.idVendor = 0, .bcdDFU = 0x011A}))),
                    "0x0000"));
}

TEST(DfuSe, WritesByteForByte) {
  Image image = value(Image::from_segments({{0x0800'0000, {1, 2}}, {0x0800'4000, {3}}}));
  image.name = "Flash";
  image.ids = DfuIds{0x0483, 0xDF11, 0xFFFF};
  const Bytes elements = joined({element(0x0800'0000, {1, 2}), element(0x0800'4000, {3})});
  EXPECT_EQ(value(write(Format::DfuSe, image, {.alt_setting = 3})),
            dfuse(1, target(elements, {.alt_setting = 3, .elements = 2})));
  image.name.assign(300, 'x');
  EXPECT_EQ(value(read_dfuse_file(value(write(Format::DfuSe, image)))).name, std::string(254, 'x'));
}

}  // namespace
}  // namespace sureflash::image
