#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sureflash/base/task.hpp"
#include "sureflash/dfu/descriptors.hpp"
#include "sureflash/stm32/chip.hpp"
#include "sureflash/stm32/memory_map.hpp"
#include "sureflash/stm32/option_bytes.hpp"

namespace sureflash::update {

/// Memory behind one alternate setting.
struct Area {
  std::uint8_t alt_setting = 0;
  stm32::MemoryMap map;
  /// The device gave no usable layout; the map is that of the chip.
  bool assumed = false;
};

enum class ChipSource : std::uint8_t {
  Unknown,
  ProductString,  ///< the ROM names its product id ("STM32 0x418 DFU Bootloader")
  User,           ///< --chip
  OnlyFit,  ///< the only line of the table that agrees with what was seen: likely, not certain
};

/// What is behind the DFU interface.
enum class Loader : std::uint8_t {
  Unknown,
  /// ST's ROM bootloader, by its product string.
  Rom,
  /// Carries the strings of ST's USB middleware: an application made with CubeMX, or from its
  /// examples.
  CubeMiddleware,
};

/// A device, identified. Everything in it was read from the device or said by the user.
struct Target {
  dfu::Descriptors descriptors;
  Loader loader = Loader::Unknown;
  /// Never null for a chip that is known; null otherwise.
  const stm32::Chip* chip = nullptr;
  ChipSource chip_source = ChipSource::Unknown;
  /// Lines that agree with what a ROM showed of itself; with ChipSource::OnlyFit exactly one. Empty
  /// for other loaders, and where the device or the user names the chip.
  std::vector<const stm32::Chip*> candidates;
  /// What speaks for the chip, or for the candidates.
  std::vector<std::string> chip_evidence;
  /// Bytes of flash by the chip's own register, where it can be read; a layout is an upper bound.
  std::optional<std::uint64_t> flash_size;
  /// The chip's 96 bits in the order of memory, where its ROM lets them be read.
  std::optional<Bytes> unique_id;
  std::vector<Area> areas;
  /// Answer to Get; empty when the device gave none.
  Bytes commands;
  /// Option bytes, where the device has an alternate setting for them and let them be read.
  std::optional<Bytes> option_block;
  std::optional<stm32::F1OptionBytes> options;
  /// From the option bytes; joined, in rising order.
  std::vector<AddressRange> write_protected;
  /// Signs of read protection, as the device gave them; two make it a fact (is_read_protected).
  std::vector<std::string> read_protection_signs;
  std::vector<std::string> warnings;

  /// As the device announces it, whatever it is: block numbers count in it.
  std::uint16_t wTransferSize() const { return descriptors.dfu.functional.wTransferSize; }
  /// What one transfer may carry: 1 … 4096 bytes.
  std::uint16_t transfer_size() const { return descriptors.dfu.transfer_size; }
  /// The area with the flash that programs start from; nullptr: the device shows none.
  const Area* flash() const;
  const Area* area_at(std::uint64_t address) const;
  /// What there is of an area: the layout of flash is that of the largest chip of a line, and with
  /// some ROMs (kLayoutSizeWrong) of one that does not exist.
  AddressRange present(const Area& area) const;
  /// Address and length of writes are multiples of this: the largest that any possible chip needs.
  std::uint32_t write_unit() const;
  /// What erased bytes read: 0xFF unless all possible chips agree on another value.
  std::uint8_t erased_value() const;
  bool is_read_protected() const { return read_protection_signs.size() >= 2; }
  /// "ROM bootloader V2.2 of STM32F105/F107": for people.
  std::string title() const;
};

struct IdentifyOptions {
  /// What the user says the chip is; goes before anything the device says.
  const stm32::Chip* chip = nullptr;
};

/// Reads descriptors, layouts, supported commands and option bytes, and looks for read protection.
/// Changes nothing on the device; leaves it in dfuIDLE with the flash selected. Of a device in
/// run-time mode only the descriptors are read (see enter_dfu_mode). Errors: of the wire; NotDfu;
/// NoIdle.
Task<Target> identify(IdentifyOptions options = {});

}  // namespace sureflash::update
