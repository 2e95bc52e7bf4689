// Goal: a vector table is believed for the right reasons, and summaries say what is in an image.
// Method: one flaw at a time around a good table; check values from Python's zlib.

#include "sureflash/image/vector_table.hpp"

#include "support.hpp"

#include "sureflash/image/summary.hpp"

namespace sureflash::image {
namespace {

using namespace test;

Image firmware(std::uint32_t sp, std::uint32_t reset, std::uint32_t address = 0x0800'0000) {
  Bytes data;
  append_le32(data, sp);
  append_le32(data, reset);
  data.resize(256);
  return value(Image::from_segments({{address, data}}));
}

VectorTableCheck check(const Image& image) {
  constexpr AddressRange kRam[] = {{0x2000'0000, 0x2001'0000}};
  return check_vector_table(*read_vector_table(image, image.segments()[0].address), image, kRam);
}

TEST(VectorTable, IsReadAndBelieved) {
  const Image image = firmware(0x2001'0000, 0x0800'00C1);
  EXPECT_EQ(read_vector_table(image, 0x0800'0000),
            (VectorTable{0x0800'0000, 0x2001'0000, 0x0800'00C1}));
  EXPECT_TRUE(check(image).plausible());
}

TEST(VectorTable, NeedsEightBytes) {
  const Image image = firmware(0x2001'0000, 0x0800'00C1);
  EXPECT_FALSE(read_vector_table(image, 0x0800'00FC));
  EXPECT_FALSE(read_vector_table(image, 0x07FF'FFFC));
  EXPECT_TRUE(read_vector_table(image, 0x0800'00F8));
  EXPECT_FALSE(read_vector_table(image, 0xFFFF'FFFC));
}

TEST(VectorTable, EachFlawIsNamed) {
  using C = VectorTableCheck;
  EXPECT_EQ(check(firmware(0x2001'0004, 0x0800'00C1)), (C{false, true, true, true}));
  EXPECT_EQ(check(firmware(0x2000'0000, 0x0800'00C1)), (C{false, true, true, true}));
  EXPECT_EQ(check(firmware(0xFFFF'FFFF, 0xFFFF'FFFF)), (C{false, false, true, false}));
  EXPECT_EQ(check(firmware(0x2000'FFFE, 0x0800'00C1)), (C{true, false, true, true}));
  EXPECT_EQ(check(firmware(0x2000'8000, 0x0800'00C0)), (C{true, true, false, true}));
  EXPECT_EQ(check(firmware(0x2000'8000, 0x0800'0101)), (C{true, true, true, false}));
  EXPECT_EQ(check(firmware(0x2000'8000, 0x0800'00FF)), (C{true, true, true, true}));
  EXPECT_EQ(check(firmware(0x2000'8000, 0x0800'8001)), (C{true, true, true, false}))
      << "linked for another address";
}

TEST(Summary, SaysWhatIsInside) {
  const Image image =
      value(Image::from_segments({{0x1FFF'F800, bytes("6789")}, {0x0800'0000, bytes("12345")}}));
  const Summary summary = summarize(image);
  EXPECT_EQ(summary.size, 9U);
  EXPECT_EQ(summary.crc32, 0xCBF43926U);
  // python3 -c 'import zlib; print(hex(zlib.crc32(b"12345")), hex(zlib.crc32(b"6789")))'
  EXPECT_EQ(summary.segments,
            (std::vector<SegmentSummary>{{{0x0800'0000, 0x0800'0005}, 0xCBF53A1C},
                                         {{0x1FFF'F800, 0x1FFF'F804}, 0x9DBABF87}}));
  EXPECT_FALSE(summary.vectors);
}

TEST(Summary, FindsTheVectorTableOfALaterSegment) {
  Image image = firmware(0x2001'0000, 0x0800'40C1, 0x0800'4000);
  ASSERT_TRUE(image.insert(0x0800'0000, counting(16)));
  EXPECT_EQ(summarize(image).vectors, (VectorTable{0x0800'4000, 0x2001'0000, 0x0800'40C1}));
  EXPECT_FALSE(summarize(firmware(0x2001'0000, 0x0800'0000)).vectors);
}

}  // namespace
}  // namespace sureflash::image
