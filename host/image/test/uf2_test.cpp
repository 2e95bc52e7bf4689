// Goal: UF2 files as the README of microsoft/uf2 has them: blocks in any order, families, blocks
// that are not for the flash, nothing missing. Method: blocks built field by field.

#include "binary_files.hpp"

#include "sureflash/image/image.hpp"

namespace sureflash::image {
namespace {

using namespace test;

constexpr std::uint32_t kFamily = 0x2000;
constexpr std::uint32_t kF1 = 0x5EE2'1072;
constexpr std::uint32_t kF4 = 0x5775'5A57;

Result<Image> read_uf2_file(const Bytes& file, const ReadOptions& options = {}) {
  return read(Format::Uf2, file, options);
}

TEST(Uf2, BlocksInAnyOrder) {
  const Image image =
      value(read_uf2_file(joined({uf2_block({.address = 0x100, .number = 1, .count = 2}, 2),
                                  uf2_block({.address = 0, .number = 0, .count = 2}, 1)})));
  EXPECT_EQ(segments(image), (std::vector<Segment>{{0, joined({Bytes(256, 1), Bytes(256, 2)})}}));
  EXPECT_FALSE(image.family);
}

TEST(Uf2, MissingAndRepeatedBlocks) {
  const auto block = [](std::uint32_t number, std::uint32_t count) {
    return uf2_block({.address = number * 256, .number = number, .count = count});
  };
  EXPECT_TRUE(fails(read_uf2_file(joined({block(0, 3), block(2, 3)})), Errc::Truncated,
                    "block number 1 is missing"));
  EXPECT_TRUE(fails(read_uf2_file(joined({block(0, 3), block(1, 3)})), Errc::Truncated,
                    "should have 3 blocks and has 2"));
  EXPECT_TRUE(fails(read_uf2_file(joined({block(0, 1), block(1, 1)})), Errc::FormatInvalid,
                    "should have 1 blocks"));
  EXPECT_TRUE(fails(read_uf2_file(joined({block(0, 2), block(0, 2)})), Errc::FormatInvalid,
                    "number 0 occurs twice"));
  EXPECT_TRUE(
      fails(read_uf2_file(joined({block(0, 2), block(1, 3)})), Errc::FormatInvalid, "disagree"));
  EXPECT_TRUE(fails(read_uf2_file(block(0, 0xFFFF'FFFF)), Errc::Truncated));
}

TEST(Uf2, SeveralFamiliesNeedAChoice) {
  const Bytes file = joined({uf2_block({.flags = kFamily, .family = kF1}, 1),
                             uf2_block({.flags = kFamily, .family = kF4}, 4)});
  EXPECT_TRUE(fails(read_uf2_file(file), Errc::FormatInvalid, "0x5EE21072, 0x57755A57"));
  const Image image = value(read_uf2_file(file, {.family = kF4}));
  EXPECT_EQ(segments(image), (std::vector<Segment>{{0x0800'0000, Bytes(256, 4)}}));
  EXPECT_EQ(image.family, kF4);
  EXPECT_TRUE(fails(read_uf2_file(file, {.family = 1}), Errc::EmptyImage, "0x00000001"));
  EXPECT_TRUE(
      fails(read_uf2_file(joined({uf2_block({}), uf2_block({.flags = kFamily, .family = kF4})})),
            Errc::FormatInvalid, "none, 0x57755A57"));
}

TEST(Uf2, WithoutTheFlagTheFieldIsAFileSize) {
  EXPECT_FALSE(value(read_uf2_file(uf2_block({.family = kF1}))).family);
}

TEST(Uf2, BlocksNotForTheFlashAreLeftOutAndCounted) {
  for (const std::uint32_t flag : {0x0001U, 0x1000U}) {
    const Image image = value(
        read_uf2_file(joined({uf2_block({.flags = flag, .number = 0, .count = 2}, 1),
                              uf2_block({.address = 0x0800'0100, .number = 1, .count = 2}, 2)})));
    EXPECT_EQ(segments(image), (std::vector<Segment>{{0x0800'0100, Bytes(256, 2)}}));
    EXPECT_TRUE(warns(image, "1 blocks not meant for the flash"));
  }
  EXPECT_TRUE(fails(read_uf2_file(uf2_block({.flags = 1})), Errc::EmptyImage));
}

TEST(Uf2, ChecksumsAndExtensionsAreNotPayload) {
  const Image image = value(read_uf2_file(uf2_block({.flags = 0xC000, .payload = 4})));
  EXPECT_EQ(image.size(), 4U);
}

TEST(Uf2, PayloadIsBounded) {
  EXPECT_EQ(value(read_uf2_file(uf2_block({.payload = 476}))).size(), 476U);
  EXPECT_TRUE(fails(read_uf2_file(uf2_block({.payload = 477})), Errc::FormatInvalid,
                    "block 0 of the file"));
  EXPECT_TRUE(fails(read_uf2_file(uf2_block({.payload = 0xFFFF'FFFF})), Errc::FormatInvalid));
  EXPECT_TRUE(fails(read_uf2_file(uf2_block({.address = 0xFFFF'FF80})), Errc::TooLarge));
  EXPECT_TRUE(fails(read_uf2_file(uf2_block({.payload = 0})), Errc::EmptyImage));
}

TEST(Uf2, MagicAndLength) {
  const Bytes good = uf2_block({});
  EXPECT_TRUE(fails(read_uf2_file(Bytes(good.begin(), good.end() - 1)), Errc::Truncated, "512"));
  for (const std::size_t at : {std::size_t{0}, std::size_t{4}, std::size_t{508}}) {
    Bytes damaged = good;
    damaged[at] ^= 1;
    EXPECT_TRUE(fails(read_uf2_file(damaged), Errc::FormatInvalid)) << at;
  }
}

TEST(Uf2, Overlap) {
  EXPECT_TRUE(
      fails(read_uf2_file(joined({uf2_block({.number = 0, .count = 2}),
                                  uf2_block({.address = 0x0800'0080, .number = 1, .count = 2})})),
            Errc::Overlap, "block 0 on and from block 1 on"));
}

TEST(Uf2, WritesAlignedBlocksByteForByte) {
  Image image = value(Image::from_segments({{0x0800'00FE, {0x5A, 0x5A, 0x5A}}}));
  Bytes file = value(write(Format::Uf2, image, {.family = kF1}));
  const auto expected = [](std::uint32_t address, std::uint32_t size, std::uint32_t number) {
    Bytes block = uf2_block({.flags = kFamily,
                             .address = address,
                             .payload = size,
                             .number = number,
                             .count = 2,
                             .family = kF1},
                            0);
    std::fill_n(block.begin() + 32, size, std::uint8_t{0x5A});
    return block;
  };
  EXPECT_EQ(file, joined({expected(0x0800'00FE, 2, 0), expected(0x0800'0100, 1, 1)}));
  image.family = kF4;
  EXPECT_EQ(value(read_uf2_file(value(write(Format::Uf2, image)))).family, kF4)
      << "kept unless changed";
}

}  // namespace
}  // namespace sureflash::image
