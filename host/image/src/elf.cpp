#include <algorithm>
#include <array>

#include "codec.hpp"
#include "pieces.hpp"

#include "sureflash/base/text.hpp"

// Tool Interface Standard "Executable and Linking Format", version 1.2; machine numbers of the
// gABI.
namespace sureflash::image {
namespace {

constexpr std::size_t kHeaderSize = 52;
constexpr std::size_t kProgramHeaderSize = 32;
constexpr std::uint8_t kClass32 = 1;
constexpr std::uint8_t kLittleEndian = 1;
constexpr std::uint16_t kMachineArm = 40;
constexpr std::uint16_t kMachineRiscV = 243;
/// e_phnum when the real number stands elsewhere (more than 65534 segments).
constexpr std::uint16_t kPhnumExtended = 0xFFFF;
constexpr std::uint32_t kTypeLoad = 1;
/// Where Arm's architecture puts RAM (ARMv7-M Architecture Reference Manual, B3.1); GD32VF103 as
/// well.
constexpr AddressRange kRam{0x2000'0000, 0x4000'0000};

struct ProgramHeader {
  std::uint32_t p_type, p_offset, p_vaddr, p_paddr, p_filesz;
};

ProgramHeader load_program_header(ByteView bytes) {
  return {load_le32(bytes, 0), load_le32(bytes, 4), load_le32(bytes, 8), load_le32(bytes, 12),
          load_le32(bytes, 16)};
}

Result<void> check_header(ByteView file) {
  if (!looks_like_elf(file)) return fail(Errc::FormatInvalid, "not an ELF file");
  if (file.size() < kHeaderSize) return fail(Errc::Truncated, "the ELF header is cut short");
  if (file[4] != kClass32) return fail(Errc::FormatInvalid, "a 64-bit ELF file");
  if (file[5] != kLittleEndian) return fail(Errc::FormatInvalid, "a big-endian ELF file");
  const std::uint16_t e_machine = load_le16(file, 18);
  if (e_machine != kMachineArm && e_machine != kMachineRiscV) {
    return fail(Errc::FormatInvalid,
                "the program is for machine " + decimal(e_machine) + ", not for ARM or RISC-V");
  }
  return {};
}

/// The program headers, inside the file.
Result<ByteView> program_headers(ByteView file) {
  const std::uint64_t e_phoff = load_le32(file, 28);
  const std::size_t e_phentsize = load_le16(file, 42);
  const std::size_t e_phnum = load_le16(file, 44);
  if (e_phnum == 0)
    return fail(Errc::EmptyImage, "no program headers: an object file that was not linked?");
  if (e_phentsize != kProgramHeaderSize || e_phnum == kPhnumExtended)
    return fail(Errc::FormatInvalid, "odd size or number of program headers");
  if (e_phoff + e_phnum * kProgramHeaderSize > file.size())
    return fail(Errc::Truncated, "the program headers lie beyond the end of the file");
  return file.subspan(static_cast<std::size_t>(e_phoff), e_phnum * kProgramHeaderSize);
}

void warn_of(const ProgramHeader& header, std::uint64_t number,
             std::vector<std::string>& warnings) {
  const std::string segment = "segment " + decimal(number) + " at " + hex(header.p_paddr);
  if (header.p_offset < kHeaderSize) {
    warnings.push_back(segment + " begins with the headers of the ELF file, not with code; " +
                       "link with --nmagic, or keep headers out of the first segment");
  }
  if (kRam.contains(header.p_paddr) && header.p_paddr == header.p_vaddr) {
    warnings.push_back(segment + " is loaded into RAM; " +
                       "initialised data needs a load address in flash (linker script: AT>)");
  }
}

}  // namespace

bool looks_like_elf(ByteView file) {
  constexpr std::array<std::uint8_t, 4> kMagic{0x7F, 'E', 'L', 'F'};
  return file.size() >= kMagic.size() && std::ranges::equal(file.first(kMagic.size()), kMagic);
}

Result<Image> read_elf(ByteView file, const ReadOptions&) {
  TRY(check_header(file));
  TRY_ASSIGN(const ByteView headers, program_headers(file));
  Pieces pieces("segment");
  std::vector<std::string> warnings;
  std::uint64_t loaded = 0;
  for (std::size_t at = 0; at < headers.size(); at += kProgramHeaderSize) {
    const ProgramHeader header = load_program_header(headers.subspan(at, kProgramHeaderSize));
    const std::uint64_t number = at / kProgramHeaderSize;
    // What is in memory but not in the file (p_memsz - p_filesz) is .bss and is not flashed.
    if (header.p_type != kTypeLoad || header.p_filesz == 0) continue;
    if (std::uint64_t{header.p_offset} + header.p_filesz > file.size()) {
      return fail(Errc::Truncated,
                  "segment " + decimal(number) + " lies beyond the end of the file");
    }
    // 65534 headers could name the same bytes; linkers give every segment bytes of its own.
    loaded += header.p_filesz;
    if (loaded > file.size())
      return fail(Errc::FormatInvalid, "the segments are larger than the file");
    // p_paddr, not p_vaddr: .data runs in RAM and is stored in flash.
    TRY(pieces.append(header.p_paddr, file.subspan(header.p_offset, header.p_filesz), number));
    warn_of(header, number, warnings);
  }
  TRY_ASSIGN(Image image, std::move(pieces).finish());
  // Zero: the file has no entry point (ELF 1.2, e_entry).
  if (const std::uint32_t e_entry = load_le32(file, 24); e_entry != 0) image.entry = e_entry;
  image.warnings = std::move(warnings);
  return image;
}

}  // namespace sureflash::image
