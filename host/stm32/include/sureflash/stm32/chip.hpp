#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "sureflash/base/address_range.hpp"
#include "sureflash/base/time.hpp"
#include "sureflash/stm32/memory_map.hpp"

/// STM32 lines as data.
namespace sureflash::stm32 {

/// Time of one operation. What a data sheet does not give is 0.
struct Times {
  Duration min{};
  Duration typ{};
  Duration max{};
};

/// One line of chips that share a die and a ROM.
struct Chip {
  std::string_view name;     ///< as --chip takes it: "stm32f105"
  std::string_view title;    ///< "STM32F105/F107"
  std::uint16_t product_id;  ///< DEV_ID of DBGMCU_IDCODE, ROM product id
  AddressRange system_memory;
  /// RAM of the largest member; where an initial stack pointer may point (its end included).
  AddressRange ram;
  /// The part of it that the ROM leaves to the host.
  AddressRange ram_free;
  std::uint32_t flash_base;
  std::uint32_t flash_size_max;
  std::uint32_t sector_size;
  std::uint8_t erased_value;
  /// Bytes that flash programs at once; times.program is for one of them.
  std::uint32_t program_unit;
  /// Address and length of a ROM write are multiples of this.
  std::uint32_t write_alignment;
  Times program;
  Times sector_erase;
  Times mass_erase;
  AddressRange option_bytes;

  AddressRange flash() const { return AddressRange::sized(flash_base, flash_size_max); }
  /// Used when a device does not give a usable layout.
  MemoryMap flash_map() const;
};

std::span<const Chip> chips();
/// Case-insensitive; also finds members ("STM32F107", "stm32f105rc"). nullptr: not known.
const Chip* find_chip(std::string_view name);
const Chip* find_chip_by_product_id(std::uint16_t product_id);

}  // namespace sureflash::stm32
