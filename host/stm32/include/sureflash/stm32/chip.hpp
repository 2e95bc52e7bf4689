#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sureflash/base/address_range.hpp"
#include "sureflash/base/time.hpp"
#include "sureflash/proto/chip_data.hpp"
#include "sureflash/stm32/memory_map.hpp"

/// STM32 lines as data. The figures and their sources stand in proto/chips.hpp.
namespace sureflash::stm32 {

/// Time of one operation. What a data sheet does not give is 0.
struct Times {
  Duration min{};
  Duration typ{};
  Duration max{};

  bool known() const { return typ > Duration::zero(); }
};

/// How a part with a choice programs and erases (F2, F4, F7; AN2606, 4.4).
enum class ProgramWidth : std::uint8_t {
  Usual,
  Word,  ///< 32 bits at once: only with a supply of 2.7 V to 3.6 V
};

/// One line of chips that share a die and a ROM.
struct Chip {
  std::string_view name;     ///< as --chip takes it: "stm32f105", "gd32vf103"
  std::string_view title;    ///< "STM32F105/F107"
  std::string_view family;   ///< "F1"
  std::string_view members;  ///< part numbers without "stm32", separated by blanks; x: any letter
  std::uint16_t product_id;  ///< DEV_ID of DBGMCU_IDCODE, ROM product id; 0: no STM32
  std::uint16_t usb_vendor;  ///< of its ROM
  std::uint16_t usb_product;
  /// False: a program runs from its first byte (RISC-V).
  bool starts_by_vector_table;
  /// Identifiers of its ROM versions and where they lie; 0: none.
  std::array<std::uint16_t, 2> loader_ids;
  std::uint32_t loader_id_address;
  AddressRange system_memory;
  /// RAM of the largest member; where an initial stack pointer may point (its end included). Empty:
  /// not known for sure.
  AddressRange ram;
  /// The part of it that the ROM leaves to the host.
  AddressRange ram_free;
  std::uint32_t flash_base;
  std::uint32_t flash_size_max;
  proto::SectorLayout layout;
  proto::SectorLayout layout_other;  ///< other configuration of the banks; empty: none
  std::uint8_t erased_value;
  /// Bytes that flash programs at once; times.program is for one of them.
  std::uint32_t program_unit;
  /// Address and length of a ROM write are multiples of this.
  std::uint32_t write_alignment;
  Times program;
  /// Of the smallest sector.
  Times sector_erase;
  Times mass_erase;
  proto::FlashTimeData times;
  AddressRange option_bytes;  ///< first block; empty: not known
  std::uint32_t otp;
  std::string_view layout_text;       ///< of the flash, as a device was seen to send it
  std::uint32_t flash_size_register;  ///< 0: not readable through the ROM
  std::uint32_t unique_id;            ///< 12 bytes; 0: not readable through the ROM
  std::uint32_t quirks;               ///< proto::ChipQuirk
  std::string_view notes;

  bool has(proto::ChipQuirk quirk) const { return (quirks & quirk) != 0; }
  AddressRange flash() const { return AddressRange::sized(flash_base, flash_size_max); }
  /// Used when a device does not give a usable layout.
  MemoryMap flash_map() const;
  /// Of a sector of that size; unknown if the table does not know the size.
  Times erase_time(std::uint64_t sector_size, ProgramWidth width = ProgramWidth::Usual) const;
  Times mass_erase_time(ProgramWidth width) const;
  /// Typical time to program so many bytes; 0: not known.
  Duration program_time(std::uint64_t bytes, ProgramWidth width = ProgramWidth::Usual) const;
};

std::span<const Chip> chips();
/// Case-insensitive; also finds members ("STM32F107", "stm32f105rc", "STM32F401CE"). nullptr: not
/// known, or several lines have that name.
const Chip* find_chip(std::string_view name);
/// All lines that `name` may mean: "stm32f303" gives two.
std::vector<const Chip*> find_chips(std::string_view name);
std::vector<const Chip*> find_chips_by_product_id(std::uint16_t product_id);

}  // namespace sureflash::stm32
