// Executable and Linking Format (TIS ELF 1.2) and DWARF, through elfutils.

#include "sureflash/sim/firmware/elf.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "check.hpp"
#include "symbols.hpp"

#include "sureflash/base/text.hpp"

namespace sureflash::sim::firmware {
namespace {

/// More than any firmware with its debug information.
constexpr std::size_t kFileSizeMax = 256U << 20;

Result<Bytes> read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             std::fclose);
  const auto unreadable = [&path] {
    Error error(Errc::FileUnreadable);
    error.os = errno;
    return fail(std::move(error).named(path));
  };
  if (!file) return unreadable();
  Bytes bytes;
  std::uint8_t block[1 << 16];
  while (const std::size_t n = std::fread(block, 1, sizeof block, file.get())) {
    bytes.insert(bytes.end(), block, block + n);
    if (bytes.size() > kFileSizeMax) return fail(Error(Errc::TooLarge).named(path));
  }
  if (std::ferror(file.get()) != 0) return unreadable();
  return bytes;
}

/// The bytes of a loadable segment. Linkers without --nmagic let the first one begin with the
/// headers of the file itself: with section headers, only what sections cover is taken.
void add_segment(::Elf* elf, const GElf_Phdr& header, ByteView file, std::vector<Segment>& list) {
  bool has_sections = false;
  Elf_Scn* scn = nullptr;
  while ((scn = elf_nextscn(elf, scn)) != nullptr) {
    GElf_Shdr s;
    if (gelf_getshdr(scn, &s) == nullptr) continue;
    has_sections = true;
    const bool inside = s.sh_offset >= header.p_offset &&
                        s.sh_offset - header.p_offset <= header.p_filesz &&
                        s.sh_size <= header.p_filesz - (s.sh_offset - header.p_offset);
    if ((s.sh_flags & SHF_ALLOC) == 0 || s.sh_type == SHT_NOBITS || s.sh_size == 0 || !inside) {
      continue;
    }
    const auto bytes = file.subspan(s.sh_offset, s.sh_size);
    list.push_back({static_cast<std::uint32_t>(header.p_paddr + (s.sh_offset - header.p_offset)),
                    Bytes(bytes.begin(), bytes.end())});
  }
  if (has_sections) return;
  const auto bytes = file.subspan(header.p_offset, header.p_filesz);
  list.push_back({static_cast<std::uint32_t>(header.p_paddr), Bytes(bytes.begin(), bytes.end())});
}

Result<std::vector<Segment>> read_segments(::Elf* elf, ByteView file) {
  std::vector<Segment> list;
  std::size_t count = 0;
  elf_getphdrnum(elf, &count);
  std::uint64_t loaded = 0;
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr header;
    if (gelf_getphdr(elf, static_cast<int>(i), &header) == nullptr) {
      return fail(Errc::Truncated, "the program headers lie beyond the end of the file");
    }
    if (header.p_type != PT_LOAD || header.p_filesz == 0) continue;
    if (header.p_offset > file.size() || header.p_filesz > file.size() - header.p_offset) {
      return fail(Errc::Truncated,
                  "segment " + decimal(i) + " lies beyond the end of the file; link it again");
    }
    // Headers could name the same bytes many times; linkers give every segment bytes of its own.
    loaded += header.p_filesz;
    if (loaded > file.size()) {
      return fail(Errc::FormatInvalid, "the segments are larger than the file");
    }
    add_segment(elf, header, file, list);
  }
  std::ranges::sort(list, {}, &Segment::address);
  return list;
}

ByteView section_bytes(::Elf* elf, std::uint32_t type, ByteView file) {
  Elf_Scn* scn = nullptr;
  while ((scn = elf_nextscn(elf, scn)) != nullptr) {
    GElf_Shdr s;
    if (gelf_getshdr(scn, &s) == nullptr || s.sh_type != type) continue;
    if (s.sh_offset > file.size() || s.sh_size > file.size() - s.sh_offset) continue;
    return file.subspan(s.sh_offset, s.sh_size);
  }
  return {};
}

/// Room that a linker script only reserves is not data.
bool is_reserve(::Elf* elf, const GElf_Shdr& header) {
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return false;
  const char* text = elf_strptr(elf, names, header.sh_name);
  const std::string_view name = text == nullptr ? "" : text;
  return name.find("stack") != name.npos || name.find("heap") != name.npos;
}

std::uint32_t end_of_data(::Elf* elf, const ChipMemory& chip) {
  std::uint64_t end = chip.ram.begin;
  Elf_Scn* scn = nullptr;
  while ((scn = elf_nextscn(elf, scn)) != nullptr) {
    GElf_Shdr s;
    if (gelf_getshdr(scn, &s) == nullptr || (s.sh_flags & SHF_ALLOC) == 0) continue;
    const std::uint64_t section_end = s.sh_addr + s.sh_size;
    if (!chip.ram.contains(s.sh_addr) || section_end > chip.ram.end || is_reserve(elf, s)) continue;
    end = std::max(end, section_end);
  }
  return static_cast<std::uint32_t>(end);
}

}  // namespace

struct Elf::Parts {
  Bytes file;
  ElfHandle elf;
  DwarfHandle dwarf;
  std::vector<Segment> segments;
  std::uint32_t initial_stack = 0;
  std::uint32_t reset = 0;
  std::uint32_t data_end = 0;
  Symbols symbols;
  Lines lines;
};

Elf::Elf(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Elf::~Elf() = default;
Elf::Elf(Elf&&) noexcept = default;
Elf& Elf::operator=(Elf&&) noexcept = default;

Result<Elf> Elf::open(const std::string& path, const ChipMemory& chip) {
  TRY_ASSIGN(Bytes bytes, read_file(path));
  auto elf = parse(std::move(bytes), chip);
  if (!elf) return fail(std::move(elf).error().named(path));
  return elf;
}

Result<Elf> Elf::parse(Bytes file, const ChipMemory& chip) {
  TRY(check_header(file));
  elf_version(EV_CURRENT);
  auto parts = std::make_unique<Parts>();
  parts->file = std::move(file);
  const ByteView bytes = parts->file;
  parts->elf.reset(elf_memory(reinterpret_cast<char*>(parts->file.data()), parts->file.size()));
  if (!parts->elf || elf_kind(parts->elf.get()) != ELF_K_ELF) {
    return fail(Errc::FormatInvalid, "the ELF file is damaged");
  }
  ::Elf* elf = parts->elf.get();
  TRY(check_core(section_bytes(elf, SHT_ARM_ATTRIBUTES, bytes)));
  TRY_ASSIGN(parts->segments, read_segments(elf, bytes));
  TRY(check_segments(parts->segments, chip));
  TRY(check_vectors(parts->segments, chip));
  const auto base = static_cast<std::uint32_t>(chip.flash.begin);
  parts->initial_stack = *word_at(parts->segments, base);
  parts->reset = *word_at(parts->segments, base + 4) & ~1U;
  parts->data_end = end_of_data(elf, chip);
  parts->symbols = Symbols(elf);
  parts->dwarf.reset(dwarf_begin_elf(elf, DWARF_C_READ, nullptr));
  parts->lines = Lines(parts->dwarf.get());
  return Elf(std::move(parts));
}

const std::vector<Segment>& Elf::segments() const {
  return parts_->segments;
}
std::uint32_t Elf::initial_stack() const {
  return parts_->initial_stack;
}
std::uint32_t Elf::reset() const {
  return parts_->reset;
}
bool Elf::has_symbols() const {
  return !parts_->symbols.empty();
}
bool Elf::has_lines() const {
  return !parts_->lines.empty();
}
std::uint32_t Elf::data_end() const {
  return parts_->data_end;
}

Place Elf::place(std::uint32_t address) const {
  Place place;
  parts_->symbols.find(address, place);
  parts_->lines.find(address, place);
  return place;
}

std::optional<std::uint32_t> Elf::address_of(std::string_view symbol) const {
  return parts_->symbols.address_of(symbol);
}

std::string text(const Place& place) {
  std::string s = place.symbol;
  if (!s.empty() && place.offset != 0) s += "+" + hex(place.offset, 1);
  if (place.file.empty()) return s;
  const std::string where = place.file + ":" + decimal(place.line);
  return s.empty() ? where : s + " (" + where + ")";
}

std::string text(std::uint32_t address, const Place& place) {
  const std::string known = text(place);
  return known.empty() ? hex(address) : hex(address) + " " + known;
}

}  // namespace sureflash::sim::firmware
