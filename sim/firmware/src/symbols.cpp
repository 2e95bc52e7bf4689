#include "symbols.hpp"

#include <algorithm>
#include <cstdlib>
#include <cxxabi.h>
#include <gelf.h>
#include <tuple>

namespace sureflash::sim::firmware {
namespace {

std::string demangled(const std::string& name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), std::free);
  return status == 0 && text ? std::string(text.get()) : name;
}

/// Mapping symbols ($t, $d) mark code and data, not things (ARM IHI 0044, 5.5.5).
bool names_a_thing(const GElf_Sym& symbol, const char* name) {
  const int type = GELF_ST_TYPE(symbol.st_info);
  const bool kind = type == STT_FUNC || type == STT_OBJECT || type == STT_NOTYPE;
  const bool placed = symbol.st_shndx != SHN_UNDEF && symbol.st_shndx != SHN_ABS;
  return kind && placed && name != nullptr && name[0] != '\0' && name[0] != '$';
}

/// Where the section of a symbol ends; 0 if it occupies no memory.
std::uint64_t end_of_section(::Elf* elf, std::size_t index) {
  GElf_Shdr header;
  if (gelf_getshdr(elf_getscn(elf, index), &header) == nullptr) return 0;
  if ((header.sh_flags & SHF_ALLOC) == 0) return 0;
  return std::min<std::uint64_t>(header.sh_addr + header.sh_size, 0xFFFF'FFFF);
}

}  // namespace

Symbols::Symbols(::Elf* elf) {
  Elf_Scn* section = nullptr;
  while ((section = elf_nextscn(elf, section)) != nullptr) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) != nullptr && header.sh_type == SHT_SYMTAB) {
      read_table(elf, section);
    }
  }
  std::ranges::sort(list_, {}, [](const Symbol& s) { return std::tie(s.begin, s.sized, s.name); });
  // A label reaches to the next symbol.
  for (std::size_t i = 0; i + 1 < list_.size(); ++i) {
    if (!list_[i].sized) list_[i].end = std::min(list_[i].end, list_[i + 1].begin);
  }
}

void Symbols::read_table(::Elf* elf, Elf_Scn* section) {
  GElf_Shdr header;
  Elf_Data* data = elf_getdata(section, nullptr);
  if (data == nullptr || gelf_getshdr(section, &header) == nullptr) return;
  const std::size_t count = data->d_size / sizeof(Elf32_Sym);
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Sym symbol;
    if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) return;
    const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
    if (!names_a_thing(symbol, name)) continue;
    const bool function = GELF_ST_TYPE(symbol.st_info) == STT_FUNC;
    const auto begin =
        static_cast<std::uint32_t>(function ? symbol.st_value & ~1U : symbol.st_value);
    const std::uint64_t limit = end_of_section(elf, symbol.st_shndx);
    const std::uint64_t end = symbol.st_size > 0 ? std::uint64_t{begin} + symbol.st_size : limit;
    if (begin >= limit || end <= begin) continue;
    list_.push_back(
        {begin, static_cast<std::uint32_t>(std::min(end, limit)), symbol.st_size > 0, name});
  }
}

void Symbols::find(std::uint32_t address, Place& place) const {
  // Labels inside a function are no better name than the function's own, if it is near.
  constexpr int kLabelsMax = 64;
  auto at = std::ranges::upper_bound(list_, address, {}, &Symbol::begin);
  const Symbol* best = nullptr;
  for (int i = 0; i < kLabelsMax && at != list_.begin(); ++i) {
    --at;
    if (address >= at->end) continue;
    if (best == nullptr || at->sized) best = &*at;
    if (at->sized) break;
  }
  if (best == nullptr) return;
  place.symbol = demangled(best->name);
  place.offset = address - best->begin;
}

std::optional<std::uint32_t> Symbols::address_of(std::string_view name) const {
  const auto at = std::ranges::find(list_, name, &Symbol::name);
  if (at == list_.end()) return std::nullopt;
  return at->begin;
}

Lines::Lines(Dwarf* dwarf) {
  if (dwarf == nullptr) return;
  Dwarf_Off offset = 0, next = 0;
  std::size_t header_size = 0;
  while (dwarf_nextcu(dwarf, offset, &next, &header_size, nullptr, nullptr, nullptr) == 0) {
    Dwarf_Die unit;
    Dwarf_Lines* lines = nullptr;
    std::size_t count = 0;
    if (dwarf_offdie(dwarf, offset + header_size, &unit) != nullptr &&
        dwarf_getsrclines(&unit, &lines, &count) == 0) {
      for (std::size_t i = 0; i < count; ++i) {
        Dwarf_Line* line = dwarf_onesrcline(lines, i);
        Dwarf_Addr address = 0;
        int number = 0;
        bool end = false, statement = false;
        if (dwarf_lineaddr(line, &address) != 0 || address > 0xFFFF'FFFF) continue;
        dwarf_lineno(line, &number);
        dwarf_lineendsequence(line, &end);
        dwarf_linebeginstatement(line, &statement);
        const char* file = dwarf_linesrc(line, nullptr, nullptr);
        list_.push_back({static_cast<std::uint32_t>(address),
                         end || file == nullptr ? 0U : static_cast<unsigned>(number), file,
                         statement, list_.size()});
      }
    }
    if (next <= offset) break;
    offset = next;
  }
  // The end of one sequence is often the start of the next: the start wins. Of several rows for one
  // address, the last that begins a statement, as in GDB.
  std::ranges::sort(list_, {}, [](const Line& l) {
    return std::tuple(l.begin, l.line != 0, l.statement, l.order);
  });
}

void Lines::find(std::uint32_t address, Place& place) const {
  const auto after = std::ranges::upper_bound(list_, address, {}, &Line::begin);
  if (after == list_.begin()) return;
  const Line& line = *std::prev(after);
  if (line.line == 0) return;
  place.file = line.file;
  place.line = line.line;
}

}  // namespace sureflash::sim::firmware
