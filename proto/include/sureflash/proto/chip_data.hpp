#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

/// What is known of STM32 lines whose ROM speaks DFU: figures only, without logic, shared by the
/// host, the simulator and docs/chips.md. Freestanding.
///
/// Sources: AN2606 (tables 3, 226, 227, 229 and the chapters of the lines): identification, ranges,
/// quirks. Erase layout, program unit: openocd-org/openocd src/flash/nor, stm32duino/stm32flash
/// dev_table.c, embassy-rs/stm32-data. Times: zephyrproject-rtos/zephyr drivers/flash and data
/// sheets quoted there. Layout texts: device logs. How sure a figure is stands beside it; 0 or an
/// empty text means that nobody is known to have published it.
namespace sureflash::proto {

/// Size 0: none, or not known.
struct MemoryBlock {
  std::uint32_t address = 0;
  std::uint32_t size = 0;
};

/// Equal sectors (erase units) one after another.
struct SectorGroup {
  std::uint16_t count = 0;
  std::uint32_t size = 0;  ///< bytes
};
/// From the start of the flash upwards, without gaps; a count of 0 ends the list.
using SectorLayout = std::array<SectorGroup, 6>;

/// Three figures of a data sheet; 0: it does not give this one.
struct DataSheetTime {
  std::uint32_t min = 0;
  std::uint32_t typ = 0;
  std::uint32_t max = 0;
};

/// Erasing one sector, in microseconds.
struct SectorEraseTime {
  std::uint32_t sector_size = 0;  ///< bytes; 0: sectors of every size
  DataSheetTime usual{};
  /// With word-wide programming, where that exists (F2, F4, F7).
  DataSheetTime wide{};
};

struct FlashTimeData {
  std::array<SectorEraseTime, 3> sector{};  ///< unused entries are zero
  DataSheetTime mass_us{};
  DataSheetTime mass_wide_us{};
  DataSheetTime program_ns{};  ///< one program unit
  std::string_view confidence{};
};

/// Deviations that somebody has to act upon, or that a careful client bears. What else is known
/// stands in ChipData::notes. Each one has a test of its name in tests/scenarios that fails without
/// it.
enum ChipQuirk : std::uint32_t {
  /// Programs byte by byte unless told the supply (AN2606, 4.4: Device Feature, 0xFFFF0000).
  kByteProgramming = 1U << 0,
  /// Announces 100 ms for a mass erase that takes up to 32 s.
  kMassEraseAnnouncedShort = 1U << 1,
  /// Mass erase is missing, or broken over DFU in some ROM versions.
  kMassEraseUnreliable = 1U << 2,
  /// Stays in dfuDNBUSY after erasing sectors from number 8 on; two CLRSTATUS end it (H74x).
  kStuckBusyHighSectors = 1U << 3,
  /// CLRSTATUS outside dfuERROR is stalled, by the book (C5). Older ROMs take it as a way to
  /// dfuIDLE (betaflight-configurator, usbdfu.js).
  kClrStatusStalls = 1U << 4,
  /// GET_DESCRIPTOR 0x21 to the interface is not answered (C5).
  kNoFunctionalDescriptor = 1U << 5,
  /// wTransferSize 1024 instead of 2048.
  kTransferSize1024 = 1U << 6,
  /// Corrupts writes above 256 bytes whose length is no multiple of 8 (L43x, V9.1).
  kCorruptsOddLengths = 1U << 7,
  /// Announces too little and stalls the GETSTATUS that comes then (L43x, L47x).
  kStallsWhenPolledEarly = 1U << 8,
  /// Erasing several sectors of bank 2 in a row does not work (G0B, V9.2).
  kBankTwoEraseUnreliable = 1U << 9,
  /// Has no Read Unprotect: Get lists 00 21 41 (H5).
  kNoReadUnprotect = 1U << 10,
  /// The end of the flash belongs to the wireless stack, from SFSA in the option bytes on; writes
  /// there fail silently (WB).
  kWirelessStackOnTop = 1U << 11,
  /// The size in the layout string is wrong (H72x, V9.1).
  kLayoutSizeWrong = 1U << 12,
  /// Has an alternate setting for data EEPROM at 0x08080000 (L0, L1). It is not erased by command:
  /// the ROM erases as it writes (AN2606, 4.4 and table 5).
  kDataEeprom = 1U << 13,
  /// The ROM enumerates at high speed (U59x, U5F/5G).
  kHighSpeedUsb = 1U << 14,
  /// The layout string is false; the third character of the serial number says the size (GD32VF103:
  /// dfu-util, src/quirks.c; fwupd, plugins/dfu/fu-dfu-target.c).
  kSizeInSerial = 1U << 15,
  /// A zero-length DNLOAD starts the program at once, without the GETSTATUS (GD32VF103: dfu-util,
  /// src/quirks.c).
  kLeavesAtDownload = 1U << 16,
  /// Read Unprotect is carried out and answered dfuDNLOAD-IDLE at the first GETSTATUS; the device
  /// stays (AT32: log of dfu-util on an AT32F415, dfuse.md 5.2).
  kUnprotectAnswersIdle = 1U << 17,
  /// Says "a", read only, of sectors that can be programmed (AT32F437: betaflight-configurator,
  /// usbdfu.js, programs them).
  kReadOnlyLetterFalse = 1U << 18,
};

/// "stuck-busy-high-sectors"; empty: no such flag. The switch has no default, so that a new flag
/// does not compile without a name, and tests/scenarios asks for a test of each name.
constexpr std::string_view quirk_name(ChipQuirk quirk) {
  switch (quirk) {
    case kByteProgramming:
      return "byte-programming";
    case kMassEraseAnnouncedShort:
      return "mass-erase-announced-short";
    case kMassEraseUnreliable:
      return "mass-erase-unreliable";
    case kStuckBusyHighSectors:
      return "stuck-busy-high-sectors";
    case kClrStatusStalls:
      return "clr-status-stalls";
    case kNoFunctionalDescriptor:
      return "no-functional-descriptor";
    case kTransferSize1024:
      return "transfer-size-1024";
    case kCorruptsOddLengths:
      return "corrupts-odd-lengths";
    case kStallsWhenPolledEarly:
      return "stalls-when-polled-early";
    case kBankTwoEraseUnreliable:
      return "bank-two-erase-unreliable";
    case kNoReadUnprotect:
      return "no-read-unprotect";
    case kWirelessStackOnTop:
      return "wireless-stack-on-top";
    case kLayoutSizeWrong:
      return "layout-size-wrong";
    case kDataEeprom:
      return "data-eeprom";
    case kHighSpeedUsb:
      return "high-speed-usb";
    case kSizeInSerial:
      return "size-in-serial";
    case kLeavesAtDownload:
      return "leaves-at-download";
    case kUnprotectAnswersIdle:
      return "unprotect-answers-idle";
    case kReadOnlyLetterFalse:
      return "read-only-letter-false";
  }
  return "";
}
inline constexpr unsigned kQuirkBits = 32;

/// WB: SFSA, the number of the first page that belongs to the wireless stack, in the block of
/// option bytes that the ROM shows; bit 0 of the next byte, FSD, turns it off; four bytes on, the
/// complement. Source: RM0434, FLASH_SFR; qFlipper, dfu/device/stm32wb55/optionbytes.h.
inline constexpr std::size_t kWbSfsaOffset = 0x70;
inline constexpr std::size_t kWbSfrBytes = 4;

/// One line: chips that share a die and a ROM.
struct ChipData {
  std::string_view name{};    ///< "stm32f405"
  std::string_view family{};  ///< "F4"
  /// Part numbers without "STM32", lower case, separated by blanks; x stands for one letter.
  std::string_view members{};
  std::string_view title{};           ///< "STM32F405/F407/F415/F417"
  std::uint16_t usb_vendor = 0x0483;  ///< of its ROM: ST, unless it is a clone
  std::uint16_t usb_product = 0xDF11;
  /// False: it runs from the first byte of the flash (RISC-V).
  bool starts_by_vector_table = true;
  std::uint16_t product_id = 0;               ///< DEV_ID of DBGMCU_IDCODE
  std::array<std::uint16_t, 2> loader_ids{};  ///< by ROM version; 0: none
  std::uint32_t loader_id_address = 0;        ///< where the identifier lies
  std::uint16_t dfu_protocol = 0;             ///< 0x0220: V2.2
  MemoryBlock system_memory{};
  MemoryBlock system_memory_extra{};
  /// All RAM of the largest member; only where the table is sure to list all of it.
  MemoryBlock ram{};
  MemoryBlock ram_free{};  ///< what the ROM leaves to the host
  std::uint32_t flash_address = 0x08000000;
  SectorLayout layout{};        ///< of the largest member
  SectorLayout layout_other{};  ///< in the other configuration of its banks
  std::uint8_t erased_value = 0xFF;
  std::uint16_t program_unit = 0;     ///< bytes; the smallest
  std::uint16_t write_alignment = 0;  ///< of a write through the ROM (AN2606 table 7)
  FlashTimeData times{};
  std::array<std::uint32_t, 2> option_bytes{};  ///< addresses of the DFU alternate setting
  std::uint16_t option_bytes_size = 0;          ///< of one block
  std::uint32_t otp = 0;
  std::uint32_t flash_size_register = 0;  ///< u16, KiB; only if it lies inside the ROM's range
  /// 96-bit unique device id; only if it lies inside the ROM's range. RM0008 30.2, RM0091 33.1,
  /// RM0316 34.1, RM0313 33.1, RM0364 30.1.
  std::uint32_t unique_id = 0;
  std::string_view layout_text{};  ///< of the flash, as a device was seen to send it
  std::string_view option_text{};  ///< of the option bytes, likewise
  /// What the ROM announces for every command and every block, in milliseconds, as logs show; 0:
  /// not known to be always the same.
  std::uint16_t poll_command_ms = 0;
  std::uint16_t poll_write_ms = 0;
  std::string_view usb{};
  std::string_view usb_clock{};
  std::uint16_t enumeration_ms = 0;  ///< AN2606 table 229
  std::uint32_t quirks = 0;          ///< ChipQuirk
  std::string_view notes{};
};

constexpr std::uint32_t layout_size(const SectorLayout& layout) {
  std::uint32_t size = 0;
  for (const SectorGroup& group : layout) size += group.count * group.size;
  return size;
}

}  // namespace sureflash::proto
