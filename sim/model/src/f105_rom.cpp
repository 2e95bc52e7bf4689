// STM32F105/F107 boot loader. Documents: AN2606 (≥ Rev 70) chapter 22 and tables 3, 47, 48, 226;
// AN2662 (Doc ID 14156 Rev 1); device log of an F107 with V2.0, dfu-util
// device-logs/stm32f107.lsusb.
#include "sureflash/proto/dfuse.hpp"
#include "sureflash/sim/model/dfuse_rom.hpp"

namespace sureflash::sim {
namespace {

using Kind = RomRegion::Kind;

/// AN2606 table 226: the ROM uses the first 4 KiB of RAM itself.
constexpr std::uint32_t kRomRamBytes = 0x1000;
constexpr std::uint8_t kFirstInterfaceString = 4;

std::uint16_t bcd_device(F105RomVersion version) {
  switch (version) {
    case F105RomVersion::V1_0:
      return 0x1000;  // in the manner of the others: no log of such a chip is known
    case F105RomVersion::V2_0:
      return 0x2000;
    case F105RomVersion::V2_1:
      return 0x2100;
    case F105RomVersion::V2_2:
      return 0x2200;
  }
  return 0;
}

}  // namespace

std::uint32_t f105_rom_reset_vector(F105RomVersion version) {
  switch (version) {
    case F105RomVersion::V1_0:
      return 0xFFFFFFFF;  // not published
    case F105RomVersion::V2_0:
      return 0x1FFFE945;
    case F105RomVersion::V2_1:
      return 0x1FFFE9A1;
    case F105RomVersion::V2_2:
      return 0x1FFFE9C1;
  }
  return 0;
}

RomDescription f105_rom(F105RomVersion version, const ChipDescription& chip) {
  const bool corrected = version == F105RomVersion::V2_2;
  RomDescription rom;
  rom.usb = {
      .bcd_usb = 0x0100,
      .vendor_id = proto::kStVendorId,
      .product_id = proto::kStDfuProductId,
      .bcd_device = bcd_device(version),
      // The layout says 256 K whatever the chip has.
      .strings = {"STMicroelectronics", "STM32 0x418 DFU Bootloader", "STM32",
                  "@Internal Flash  /0x08000000/128*002Kg",
                  corrected ? "@Option Bytes  /0x1FFFF800/01*016 e"
                            : "@Option Bytes  /0x1FFFF800/01*016 g"},
      .interfaces = {{.alt_setting = 0, .string_index = kFirstInterfaceString},
                     {.alt_setting = 1, .string_index = kFirstInterfaceString + 1}},
      .functional = {.attributes = proto::kCanDnload | proto::kCanUpload | proto::kWillDetach,
                     .detach_timeout_ms = 255,
                     .transfer_size = 2048,
                     .bcd_dfu = proto::kBcdDfuSe},
  };
  rom.regions = {{Kind::Flash, chip.flash.range()},
                 {Kind::Ram, {chip.ram.begin + kRomRamBytes, chip.ram.end}},
                 {Kind::OptionBytes, chip.options.range()},
                 {Kind::SystemMemory, chip.system_memory}};
  rom.commands = {0x00, 0x21, 0x41, 0x92};
  rom.poll =
      corrected
          ? PollTimes{.erase_ms = 40, .mass_erase_ms = 40, .write_ms = 75}
          : PollTimes{.set_address_ms = 10, .erase_ms = 100, .mass_erase_ms = 100, .write_ms = 100};
  rom.pointer_at_start = static_cast<std::uint32_t>(chip.flash.range().begin);
  return rom;
}

}  // namespace sureflash::sim
