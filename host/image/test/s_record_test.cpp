// Goal: Motorola S-records as srec_motorola(5) has them, and the pitfalls of real files. Method:
// files written by hand; the first example is the one of the manual page.

#include "support.hpp"

#include "sureflash/image/image.hpp"

namespace sureflash::image {
namespace {

using namespace test;

Result<Image> read_s(std::string_view text) {
  return read(Format::SRecord, bytes(text));
}

TEST(SRecord, ReadsTheClassicExample) {
  // The example of srec(5) of Unix, its first data record only.
  const Image image =
      value(read_s("S00F000068656C6C6F202020202000003C\n"
                   "S11F00007C0802A6900100049421FFF07C6C1B787C8C23783C60000038630000"
                   "26\n"
                   "S5030001FB\n"
                   "S9030000FC\n"));
  EXPECT_EQ(image.name, "hello     ");
  EXPECT_EQ(image.bounds(), (AddressRange{0, 28}));
  EXPECT_FALSE(image.entry) << "0 stands for no entry";
}

TEST(SRecord, AddressesOfTwoThreeAndFourBytes) {
  const Image image =
      value(read_s("S104123411A4\nS20556789A2270\nS3060800000033BE\nS705080000ED05\n"));
  EXPECT_EQ(segments(image),
            (std::vector<Segment>{{0x1234, {0x11}}, {0x56'789A, {0x22}}, {0x0800'0000, {0x33}}}));
  EXPECT_EQ(image.entry, 0x0800'00EDU);
}

TEST(SRecord, EntryOfS8AndS9) {
  EXPECT_EQ(value(read_s("S104000011EA\nS804123456"
                         "5F\n"))
                .entry,
            0x12'3456U);
  EXPECT_EQ(value(read_s("S104000011EA\nS9031235B5\n")).entry, 0x1235U);
}

TEST(SRecord, S4IsReserved) {
  EXPECT_TRUE(fails(read_s("S104000011EA\nS405000000001A\nS9030000FC\n"), Errc::FormatInvalid,
                    "line 2: record type S4 is reserved"));
}

TEST(SRecord, CountsAreChecked) {
  EXPECT_TRUE(fails(read_s("S104000011EA\nS5030002FA\nS9030000FC\n"), Errc::Truncated,
                    "2 data records, there are 1"));
  EXPECT_TRUE(fails(read_s("S104000011EA\nS5030000FC\nS9030000FC\n"), Errc::FormatInvalid,
                    "0 data records, there are 1"));
  EXPECT_TRUE(fails(read_s("S104000011EA\nS604000002F9\nS9030000FC\n"), Errc::Truncated, "line 2"));
  EXPECT_TRUE(read_s("S104000011EA\nS604000001FA\nS9030000FC\n"));
}

TEST(SRecord, WithoutATerminatorOnlyACountProvesTheFileWhole) {
  EXPECT_TRUE(fails(read_s("S104000011EA\n"), Errc::Truncated, "end record"));
  EXPECT_TRUE(
      warns(value(read_s("S104000011EA\nS5030001FB\n")), "end record (S7, S8, S9) is missing"));
  // Data after the count is proved by nothing.
  EXPECT_TRUE(fails(read_s("S104000011EA\nS5030001FB\nS104000111E9\n"), Errc::Truncated));
}

TEST(SRecord, NameIsMadePrintable) {
  const Image image = value(read_s("S0070000E94100428C\nS104000011EA\nS9030000FC\n"));
  EXPECT_EQ(image.name, "?A") << "up to the first NUL";
  EXPECT_TRUE(warns(image, "line 1: the header (S0) is not ASCII"));
}

TEST(SRecord, DamageNamesTheLine) {
  EXPECT_TRUE(fails(read_s("S104000011EB\nS9030000FC\n"), Errc::ChecksumMismatch, "line 1"));
  EXPECT_TRUE(fails(read_s("S104000011\n"), Errc::Truncated, "line 1"));
  EXPECT_TRUE(fails(read_s("S104000011EA00\n"), Errc::FormatInvalid, "line 1: text after"));
  EXPECT_TRUE(fails(read_s("S1040000G1EA\n"), Errc::FormatInvalid, "not a hexadecimal"));
  EXPECT_TRUE(fails(read_s("S1020000FD\n"), Errc::FormatInvalid, "length"));
  EXPECT_TRUE(fails(read_s("SA04000011EA\n"), Errc::FormatInvalid, "unknown record type"));
  EXPECT_TRUE(fails(read_s("S1\n"), Errc::Truncated, "line 1"));
  EXPECT_TRUE(fails(read_s("hello\n"), Errc::FormatInvalid, "line 1"));
  EXPECT_TRUE(
      fails(read_s("S104000011EA\nS9030000FC\nS104000111E9\n"), Errc::FormatInvalid, "line 3"));
}

TEST(SRecord, EveryCutIsNoticed) {
  const std::string whole = "S104000011EA\r\nS104000211E8\r\nS9030000FC";
  ASSERT_TRUE(read_s(whole));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(read_s(std::string_view(whole).substr(0, size))) << size;
}

TEST(SRecord, Tolerates) {
  EXPECT_TRUE(read_s("\r\n s104000011ea \r\n\nS9030000fc\r\n"));
}

TEST(SRecord, OverlapAndNothing) {
  EXPECT_TRUE(fails(read_s("S104000011EA\nS104000011EA\nS9030000FC\n"), Errc::Overlap,
                    "line 1 on and from line 2 on"));
  EXPECT_TRUE(fails(read_s("S9030000FC\n"), Errc::EmptyImage));
  EXPECT_TRUE(fails(read_s("S307FFFFFFFF1122C9\nS70500000000FA\n"), Errc::TooLarge, "line 1"));
}

TEST(SRecord, WritesTheShortestTypeThatReaches) {
  const auto text = [](std::uint32_t address, std::optional<std::uint32_t> entry) {
    Image image = value(Image::from_segments({{address, {0x11}}}));
    image.name = "hi";
    image.entry = entry;
    const Bytes file = value(write(Format::SRecord, image));
    return std::string(file.begin(), file.end());
  };
  EXPECT_EQ(text(0x1234, {}), "S0050000686929\nS104123411A4\nS5030001FB\nS9030000FC\n");
  EXPECT_EQ(text(0xFFFF, {}).substr(15, 2), "S1");
  EXPECT_EQ(text(0x1'0000, {}).substr(15, 2), "S2");
  EXPECT_EQ(text(0xFF'FFFF, {}).substr(15, 2), "S2");
  EXPECT_EQ(text(0x100'0000, {}).substr(15, 2), "S3");
  EXPECT_EQ(text(0x0, 0x0800'00ED),
            "S0050000686929\nS3060000000011E8\nS5030001FB\nS705080000ED05\n");
}

TEST(SRecord, ManyRecordsAreCountedWithThreeBytes) {
  const Image image = value(Image::from_segments({{0, Bytes(0x1'0000)}}));
  const Bytes file = value(write(Format::SRecord, image, {.line_bytes = 1}));
  EXPECT_NE(std::string(file.begin(), file.end()).find("\nS604010000FA\n"), std::string::npos);
  EXPECT_EQ(segments(value(read(Format::SRecord, file))), segments(image));
}

}  // namespace
}  // namespace sureflash::image
