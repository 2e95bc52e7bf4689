#pragma once

#include "handles.hpp"

#include "sureflash/sim/firmware/elf.hpp"

/// Names of addresses: the symbol table of the file, and the line tables of DWARF (libdw).
namespace sureflash::sim::firmware {

class Symbols {
 public:
  Symbols() = default;
  explicit Symbols(::Elf* elf);

  bool empty() const { return list_.empty(); }
  /// Name (demangled) and offset; an empty name if the address lies in none.
  void find(std::uint32_t address, Place& place) const;
  std::optional<std::uint32_t> address_of(std::string_view name) const;

 private:
  struct Symbol {
    std::uint32_t begin, end;
    bool sized;  ///< as compilers make them; labels of assemblers and linker scripts are not
    std::string name;
  };
  void read_table(::Elf* elf, Elf_Scn* section);
  std::vector<Symbol> list_;  ///< by address
};

class Lines {
 public:
  Lines() = default;
  explicit Lines(Dwarf* dwarf);

  bool empty() const { return list_.empty(); }
  void find(std::uint32_t address, Place& place) const;

 private:
  struct Line {
    std::uint32_t begin;
    unsigned line;      ///< 0: code without lines begins here
    const char* file;   ///< owned by libdw
    bool statement;     ///< a place for a breakpoint; others are parts of an expression
    std::size_t order;  ///< in the table of the file
  };
  std::vector<Line> list_;  ///< by address
};

}  // namespace sureflash::sim::firmware
