#include "memory_map.hpp"

#include "sureflash/base/text.hpp"

namespace sureflash::sim::debug {
namespace {

std::string region(std::string_view type, AddressRange range, std::string_view inside = {}) {
  std::string xml = "<memory type=\"" + std::string(type) + "\" start=\"" + hex(range.begin) +
                    "\" length=\"" + hex(range.size(), 1) + "\"";
  if (inside.empty()) return xml + "/>";
  return xml + ">" + std::string(inside) + "</memory>";
}

}  // namespace

std::string memory_map(const GdbTarget& target) {
  const AddressRange flash = target.flash();
  std::string xml =
      "<?xml version=\"1.0\"?><!DOCTYPE memory-map PUBLIC \"+//IDN gnu.org//DTD GDB Memory Map "
      "V1.0//EN\" \"http://sourceware.org/gdb/gdb-memory-map.dtd\"><memory-map>";
  xml += region("rom", AddressRange::sized(0, flash.size()));  // the boot alias
  xml += region("flash", flash,
                "<property name=\"blocksize\">" + hex(target.sector_size(), 1) + "</property>");
  xml += region("rom", {0x1FFF'0000, 0x2000'0000});  // ROM, option bytes, unique id
  xml += region("ram", target.ram());
  xml += region("ram", {0x2200'0000, 0x2400'0000});    // SRAM, bit by bit
  xml += region("ram", {0x4000'0000, 0x6000'0000});    // peripherals
  xml += region("ram", {0xE000'0000, 0x1'0000'0000});  // of the core
  return xml + "</memory-map>";
}

}  // namespace sureflash::sim::debug
