// Goal: Intel HEX as the specification has it, and every pitfall of real files: orders, modes,
// wraps, line ends, stray text, damage. Method: files written by hand; checksums worked out by hand
// or by srec_cat.

#include "support.hpp"

#include "sureflash/image/image.hpp"

namespace sureflash::image {
namespace {

using namespace test;

Result<Image> read_hex(std::string_view text) {
  return read(Format::IntelHex, bytes(text));
}

std::string hex_of(const Image& image, WriteOptions options = {}) {
  const Bytes file = value(write(Format::IntelHex, image, options));
  return std::string(file.begin(), file.end());
}

constexpr std::string_view kEnd = ":00000001FF\n";

TEST(IntelHex, ReadsTheExampleOfTheSpecification) {
  // Intel, Hexadecimal Object File Format Specification, rev. A, widely copied first record.
  const Image image = value(read_hex(":10010000214601360121470136007EFE09D2190140\n:00000001FF\n"));
  EXPECT_EQ(segments(image),
            (std::vector<Segment>{{0x100,
                                   {0x21, 0x46, 0x01, 0x36, 0x01, 0x21, 0x47, 0x01, 0x36, 0x00,
                                    0x7E, 0xFE, 0x09, 0xD2, 0x19, 0x01}}}));
  EXPECT_FALSE(image.entry);
  EXPECT_TRUE(image.warnings.empty());
}

TEST(IntelHex, LinearAddressAndEntry) {
  const Image image =
      value(read_hex(":020000040800F2\n:0400000001020304F2\n:04000005080000ED02\n:00000001FF\n"));
  EXPECT_EQ(segments(image), (std::vector<Segment>{{0x0800'0000, {1, 2, 3, 4}}}));
  EXPECT_EQ(image.entry, 0x0800'00EDU);
}

TEST(IntelHex, SegmentAddressAndEntry) {
  const Image image =
      value(read_hex(":020000021000EC\n:0100050042B8\n:0400000312340005AE\n:00000001FF\n"));
  EXPECT_EQ(segments(image), (std::vector<Segment>{{0x1'0005, {0x42}}}));
  EXPECT_EQ(image.entry, 0x1'2345U);
}

TEST(IntelHex, ASegmentAddressAfterALinearOneReplacesIt) {
  const Image image = value(
      read_hex(":020000040800F2\n:0100000011EE\n:020000021000EC\n:0100000022DD\n:00000001FF\n"));
  EXPECT_EQ(segments(image), (std::vector<Segment>{{0x1'0000, {0x22}}, {0x0800'0000, {0x11}}}));
}

TEST(IntelHex, RecordsInAnyOrder) {
  const Image image = value(read_hex(":0100020033CA\n:0100000011EE\n:0100010022DC\n:00000001FF\n"));
  EXPECT_EQ(segments(image), (std::vector<Segment>{{0, {0x11, 0x22, 0x33}}}));
}

TEST(IntelHex, OverlapNamesRangeAndLines) {
  const auto result = read_hex(":020000001122CB\n\n:0100010033CB\n:00000001FF\n");
  EXPECT_TRUE(fails(result, Errc::Overlap, "0x00000001..0x00000002"));
  EXPECT_TRUE(fails(result, Errc::Overlap, "line 1 on and from line 3 on"));
}

TEST(IntelHex, CrossingABorderGoesOnInLinearMode) {
  const Image image = value(read_hex(":020000040800F2\n:02FFFF001122CD\n:00000001FF\n"));
  EXPECT_EQ(segments(image), (std::vector<Segment>{{0x0800'FFFF, {0x11, 0x22}}}));
  EXPECT_TRUE(warns(image, "line 2: a record crosses a 64 KiB border"));
}

TEST(IntelHex, CrossingABorderWrapsInSegmentMode) {
  const Image image = value(read_hex(":020000021000EC\n:02FFFF001122CD\n:00000001FF\n"));
  EXPECT_EQ(segments(image), (std::vector<Segment>{{0x1'0000, {0x22}}, {0x1'FFFF, {0x11}}}));
  EXPECT_TRUE(warns(image, "line 2: a record wraps around"));
}

TEST(IntelHex, ALinearAddressAfterASegmentOneEndsTheWrapping) {
  const Image image =
      value(read_hex(":020000021000EC\n:020000040800F2\n:02FFFF001122CD\n:00000001FF\n"));
  EXPECT_EQ(segments(image), (std::vector<Segment>{{0x0800'FFFF, {0x11, 0x22}}}));
}

TEST(IntelHex, BeyondTheAddressSpaceIsRefused) {
  EXPECT_TRUE(
      fails(read_hex(":02000004FFFFFC\n:02FFFF001122CD\n:00000001FF\n"), Errc::TooLarge, "line 2"));
}

TEST(IntelHex, OptionBytesFarFromFlashStaySparse) {
  const Image image = value(
      read_hex(":020000040800F2\n:0100000011EE\n:020000041FFFDC\n:02F80000A55A07\n:00000001FF\n"));
  EXPECT_EQ(segments(image),
            (std::vector<Segment>{{0x0800'0000, {0x11}}, {0x1FFF'F800, {0xA5, 0x5A}}}));
}

TEST(IntelHex, LineEndsCaseAndBlankLines) {
  for (const std::string_view text :
       {"\r\n:02000000AbcD86\r\n\r\n  :00000001ff\r\n\r\n", ":02000000abcd86\r:00000001FF\r",
        "\n\n\t:02000000ABCD86  \n \n:00000001FF", ":02000000ABCD86\n:00000001FF\n\x1A"}) {
    const Image image = value(read_hex(text));
    EXPECT_EQ(segments(image), (std::vector<Segment>{{0, {0xAB, 0xCD}}})) << text;
    EXPECT_TRUE(image.warnings.empty()) << text;
  }
}

TEST(IntelHex, TextBeforeTheFirstColon) {
  for (const std::string_view text : {"Built: today at 10:00\nboot :02000000ABCD86\n:00000001FF\n",
                                      "\xEF\xBB\xBF:02000000ABCD86\n:00000001FF\n"}) {
    const Image image = value(read_hex(text));
    EXPECT_EQ(segments(image), (std::vector<Segment>{{0, {0xAB, 0xCD}}})) << text;
    EXPECT_TRUE(warns(image, "line 1: text before the first record"));
  }
}

TEST(IntelHex, AfterTheFirstRecordEveryLineIsARecord) {
  EXPECT_TRUE(fails(read_hex(":02000000ABCD86\nhello\n:00000001FF\n"), Errc::FormatInvalid,
                    "line 2: the line does not begin with ':'"));
  EXPECT_TRUE(fails(read_hex(":02000000ABCD86\nx:0100030011EB\n:00000001FF\n"), Errc::FormatInvalid,
                    "line 2"));
}

TEST(IntelHex, AfterTheEndRecordTextIsIgnoredAndARecordIsNot) {
  EXPECT_TRUE(warns(value(read_hex(":0100000011EE\n:00000001FF\nbye\n")), "line 3: text after"));
  EXPECT_TRUE(fails(read_hex(":0100000011EE\n:00000001FF\n:0100000011EE\n"), Errc::FormatInvalid,
                    "line 3: a record after the end record"));
}

TEST(IntelHex, WithoutAnEndRecordTheFileIsTruncated) {
  EXPECT_TRUE(fails(read_hex(":0100000011EE\n"), Errc::Truncated, "end record"));
  EXPECT_TRUE(fails(read_hex(":0100000011EE\n:000000"), Errc::Truncated, "line 2"));
  EXPECT_TRUE(fails(read_hex(":0100000011EE\n:0"), Errc::Truncated, "line 2"));
}

TEST(IntelHex, EveryCutIsNoticed) {
  const std::string whole = ":020000040800F2\n:0400000001020304F2\n:00000001FF";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto result = read_hex(std::string_view(whole).substr(0, size));
    EXPECT_FALSE(result) << size;
  }
}

TEST(IntelHex, DamageNamesTheLine) {
  EXPECT_TRUE(fails(read_hex(":0100000011EF\n:00000001FF\n"), Errc::ChecksumMismatch, "line 1"));
  EXPECT_TRUE(fails(read_hex("\n:01000000G1EE\n:00000001FF\n"), Errc::FormatInvalid,
                    "line 2: not a hexadecimal digit"));
  EXPECT_TRUE(fails(read_hex(":0G0000001100EE\n"), Errc::FormatInvalid, "not a hexadecimal"));
  EXPECT_TRUE(fails(read_hex(":0100000011EE00\n:00000001FF\n"), Errc::FormatInvalid,
                    "line 1: text after the record"));
  EXPECT_TRUE(fails(read_hex(":FF00000011EE\n:00000001FF\n"), Errc::Truncated, "line 1"));
  EXPECT_TRUE(fails(read_hex(":0100000611E8\n:00000001FF\n"), Errc::FormatInvalid,
                    "line 1: unknown record type 0x06"));
  EXPECT_TRUE(fails(read_hex(":0100000408F3\n:00000001FF\n"), Errc::FormatInvalid, "line 1"));
  EXPECT_TRUE(fails(read_hex(":0100000100FE\n"), Errc::FormatInvalid, "line 1"));
}

TEST(IntelHex, WithoutDataThereIsNoImage) {
  EXPECT_TRUE(fails(read_hex(kEnd), Errc::EmptyImage));
  EXPECT_TRUE(fails(read_hex(":0000000000\n:00000001FF\n"), Errc::EmptyImage));
  EXPECT_TRUE(fails(read_hex(""), Errc::FormatInvalid));
  EXPECT_TRUE(fails(read_hex("nothing here\n"), Errc::FormatInvalid));
}

TEST(IntelHex, TheLongestRecordIsRead) {
  std::string text = ":FF000000";
  for (int i = 0; i < 255; ++i) text += "00";
  const Image image = value(read_hex(text + "01\n" + std::string(kEnd)));
  EXPECT_EQ(image.size(), 255U);
}

TEST(IntelHex, WritesByteForByte) {
  Image image = value(Image::from_segments({{0x0800'FFFE, {0x11, 0x22, 0x33}}, {0x10, {0xAB}}}));
  image.entry = 0x0800'00ED;
  EXPECT_EQ(hex_of(image),
            ":01001000AB44\n"
            ":020000040800F2\n:02FFFE001122CE\n"
            ":020000040801F1\n:0100000033CC\n"
            ":04000005080000ED02\n:00000001FF\n");
}

TEST(IntelHex, LineLengthIsAnOptionWithBounds) {
  const Image image = value(Image::from_segments({{0, counting(300)}}));
  EXPECT_EQ(hex_of(image, {.line_bytes = 250}).substr(0, 9), ":FA000000");
  EXPECT_TRUE(fails(write(Format::IntelHex, image, {.line_bytes = 0}), Errc::Usage));
  EXPECT_TRUE(fails(write(Format::IntelHex, image, {.line_bytes = 251}), Errc::Usage));
}

}  // namespace
}  // namespace sureflash::image
