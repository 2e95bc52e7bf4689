// Goal: ELF programs are loaded as the silicon will see them: physical addresses, bytes of the file
// only. Method: files built field by field; damage in every field that is used. Real linker output
// is in foreign_test.

#include "binary_files.hpp"

#include "sureflash/image/image.hpp"

namespace sureflash::image {
namespace {

using namespace test;

Result<Image> read_elf_file(const Bytes& file) {
  return read(Format::Elf, file);
}

TEST(Elf, LoadsPhysicalAddressesAndFileBytesOnly) {
  const Image image =
      value(read_elf_file(elf({{.address = 0x0800'0000, .data = {1, 2, 3, 4}},
                               {.address = 0x0800'0004, .data = {5, 6}, .vaddr = 0x2000'0000}})));
  EXPECT_EQ(segments(image), (std::vector<Segment>{{0x0800'0000, {1, 2, 3, 4, 5, 6}}}))
      << "p_paddr, without .bss";
  EXPECT_EQ(image.entry, 0x0800'00EDU);
  EXPECT_TRUE(image.warnings.empty());
}

TEST(Elf, OnlyLoadSegmentsWithBytesCount) {
  const Image image = value(read_elf_file(elf({{.address = 0x100, .data = {1}, .type = 0x7000'0001},
                                               {.address = 0x2000'0000, .data = {}},
                                               {.address = 0x0800'0000, .data = {2}}})));
  EXPECT_EQ(segments(image), (std::vector<Segment>{{0x0800'0000, {2}}}));
}

TEST(Elf, OptionBytesAndExternalFlashAreSegmentsLikeOthers) {
  const Image image = value(read_elf_file(elf({{.address = 0x9000'0000, .data = {3}},
                                               {.address = 0x1FFF'F800, .data = {2}},
                                               {.address = 0x0800'0000, .data = {1}}})));
  EXPECT_EQ(segments(image),
            (std::vector<Segment>{{0x0800'0000, {1}}, {0x1FFF'F800, {2}}, {0x9000'0000, {3}}}));
}

TEST(Elf, RiscVIsRead) {
  EXPECT_TRUE(read_elf_file(elf({{.address = 0, .data = {1}}}, {.machine = 243})));
}

TEST(Elf, OtherProgramsAreRefused) {
  const std::vector<ElfSegment> segment{{.address = 0, .data = {1}}};
  EXPECT_TRUE(
      fails(read_elf_file(elf(segment, {.machine = 62})), Errc::FormatInvalid, "machine 62"));
  EXPECT_TRUE(fails(read_elf_file(elf(segment, {.ei_class = 2})), Errc::FormatInvalid, "64-bit"));
  EXPECT_TRUE(
      fails(read_elf_file(elf(segment, {.ei_data = 2})), Errc::FormatInvalid, "big-endian"));
  EXPECT_TRUE(fails(read_elf_file(bytes("hello")), Errc::FormatInvalid, "not an ELF"));
}

TEST(Elf, DataLoadedIntoRamIsKeptWithAWarning) {
  const Image image = value(read_elf_file(
      elf({{.address = 0x0800'0000, .data = {1}}, {.address = 0x2000'0000, .data = {2}}})));
  EXPECT_EQ(image.segments().size(), 2U);
  EXPECT_TRUE(warns(image, "segment 1 at 0x20000000 is loaded into RAM"));
  EXPECT_EQ(image.warnings.size(), 1U);
}

TEST(Elf, SweptInHeadersAreKeptWithAWarning) {
  // GNU ld without -n: the first PT_LOAD is the file from its beginning, so that code lands on
  // 0x08000000.
  const Image image = value(read_elf_file(
      elf({{.address = 0x0800'0000 - 84, .data = {1, 2}, .offset = 0, .filesz = 86}})));
  EXPECT_EQ(image.bounds(), (AddressRange{0x07FF'FFAC, 0x0800'0002}));
  EXPECT_TRUE(warns(image, "segment 0 at 0x07FFFFAC begins with the headers"));
}

TEST(Elf, NoEntryIsZero) {
  EXPECT_FALSE(value(read_elf_file(elf({{.address = 0, .data = {1}}}, {.entry = 0}))).entry);
}

TEST(Elf, EveryCutIsNoticed) {
  const Bytes whole = elf({{.address = 0x0800'0000, .data = {1, 2, 3}}});
  for (std::size_t size = 4; size < whole.size(); ++size)
    EXPECT_TRUE(fails(read_elf_file(Bytes(whole.begin(), whole.begin() + static_cast<long>(size))),
                      Errc::Truncated))
        << size;
}

TEST(Elf, SizesBeyondTheFileAreRefused) {
  EXPECT_TRUE(fails(read_elf_file(elf({{.address = 0, .data = {1}, .filesz = 0xFFFF'FFFF}})),
                    Errc::Truncated, "segment 0"));
  EXPECT_TRUE(fails(read_elf_file(elf({{.address = 0, .data = {1}, .offset = 0xFFFF'FFFF}})),
                    Errc::Truncated));
  EXPECT_TRUE(
      fails(read_elf_file(elf({{.address = 0xFFFF'FFFF, .data = {1, 2}}})), Errc::TooLarge));
  // Many segments of the same bytes would make a large image of a small file.
  std::vector<ElfSegment> many;
  for (std::uint32_t i = 0; i < 100; ++i)
    many.push_back({.address = i * 0x10000, .data = {}, .offset = 0, .filesz = 3000});
  EXPECT_TRUE(fails(read_elf_file(elf(many)), Errc::FormatInvalid, "larger than the file"));
}

TEST(Elf, HeaderTableIsChecked) {
  Bytes file = elf({{.address = 0, .data = {1}}});
  const auto with = [&](std::size_t offset, std::uint16_t field) {
    Bytes changed = file;
    store_le16(changed, offset, field);
    return read_elf_file(changed);
  };
  EXPECT_TRUE(fails(with(44, 0), Errc::EmptyImage, "object file"));
  EXPECT_TRUE(fails(with(44, 0xFFFF), Errc::FormatInvalid));
  EXPECT_TRUE(fails(with(44, 0xFFFE), Errc::Truncated));
  EXPECT_TRUE(fails(with(42, 31), Errc::FormatInvalid));
  EXPECT_TRUE(fails(with(30, 0xFFFF), Errc::Truncated)) << "e_phoff";
  EXPECT_TRUE(fails(read_elf_file(elf({{.address = 0, .data = {}}})), Errc::EmptyImage));
}

TEST(Elf, OverlapNamesTheSegments) {
  EXPECT_TRUE(fails(
      read_elf_file(elf({{.address = 0x100, .data = {1, 2}}, {.address = 0x101, .data = {3}}})),
      Errc::Overlap, "segment 0 on and from segment 1 on"));
}

TEST(Elf, CannotBeWritten) {
  EXPECT_TRUE(
      fails(write(Format::Elf, value(Image::from_segments({{0, {1}}}))), Errc::Unsupported));
}

}  // namespace
}  // namespace sureflash::image
