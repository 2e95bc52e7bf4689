#pragma once

#include <libelf.h>
#include <memory>

#include <elfutils/libdw.h>

namespace sureflash::sim::firmware {

struct EndElf {
  void operator()(::Elf* elf) const { elf_end(elf); }
};
struct EndDwarf {
  void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
};
using ElfHandle = std::unique_ptr<::Elf, EndElf>;
using DwarfHandle = std::unique_ptr<Dwarf, EndDwarf>;

}  // namespace sureflash::sim::firmware
