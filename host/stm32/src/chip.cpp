#include "sureflash/stm32/chip.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace sureflash::stm32 {
namespace {

/// STM32F105/F107, connectivity line.
/// Sources: AN2606 section 22 and table 226 (ROM, RAM); AN2662; DS5319 table 28 (times of the F103,
/// which the F105 data sheet is assumed to share: unconfirmed). That table gives no typical erase
/// time: the middle of 20 ms and 40 ms is used.
constexpr Chip kF105{
    .name = "stm32f105",
    .title = "STM32F105/F107",
    .product_id = 0x418,
    .system_memory = {0x1FFFB000, 0x1FFFF800},
    .ram = {0x20000000, 0x20010000},
    .ram_free = {0x20001000, 0x20010000},
    .flash_base = 0x08000000,
    .flash_size_max = 256 * 1024,
    .sector_size = 2048,
    .erased_value = 0xFF,
    .program_unit = 2,
    .write_alignment = 4,
    .program = {40us, 52500ns, 70us},
    .sector_erase = {20ms, 30ms, 40ms},
    .mass_erase = {20ms, 30ms, 40ms},
    .option_bytes = {0x1FFFF800, 0x1FFFF810},
};

constexpr std::array kChips{kF105};

std::string lower(std::string_view s) {
  std::string result(s);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

}  // namespace

MemoryMap Chip::flash_map() const {
  return MemoryMap("Internal Flash", {{flash(), sector_size, {true, true, true}}});
}

std::span<const Chip> chips() {
  return kChips;
}

const Chip* find_chip(std::string_view name) {
  std::string wanted = lower(name);
  if (wanted.starts_with("stm32f107")) wanted.replace(0, 9, "stm32f105");
  const auto it =
      std::ranges::find_if(kChips, [&](const Chip& c) { return wanted.starts_with(c.name); });
  return it == kChips.end() ? nullptr : &*it;
}

const Chip* find_chip_by_product_id(std::uint16_t product_id) {
  const auto it = std::ranges::find(kChips, product_id, &Chip::product_id);
  return it == kChips.end() ? nullptr : &*it;
}

}  // namespace sureflash::stm32
