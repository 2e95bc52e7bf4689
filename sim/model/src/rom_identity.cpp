// Sources: dfuse.md 2.1 (ST); lsusb and dfu-util logs of GD32VF103 (riscv-mcu/gd32-dfu-utils issue
// 5, dfu-rs/cargo-dfu issue 7, fwupd's capture plugins/dfu/tests/dfu-gd32vf103-setup.json) and of
// AT32F415 (fwupdmgr and dfu-util, ver=0200, serial "AT32").
#include "rom_identity.hpp"

#include <algorithm>

#include "sureflash/base/text.hpp"
#include "sureflash/proto/dfuse.hpp"

namespace sureflash::sim {
namespace {

constexpr std::uint16_t kGigaDevice = 0x28E9;
constexpr std::uint16_t kArtery = 0x2E3C;

/// "3CBJ": core, package, size, temperature range (GD32VF103 data sheet, tables 2-1 and 2-2, as
/// dfu-util and fwupd read it).
Result<std::string> gd32_serial(std::uint32_t flash_kib) {
  const char* size = flash_kib == 128  ? "B"
                     : flash_kib == 64 ? "8"
                     : flash_kib == 32 ? "6"
                     : flash_kib == 16 ? "4"
                                       : nullptr;
  if (size == nullptr) {
    return fail(Errc::DeviceSpec, "flash=" + decimal(flash_kib) + ": no GD32VF103 has that");
  }
  return std::string("3C") + size + "J";
}

Result<void> introduce_gd32(const Chip& chip, const Settings& settings, RomDescription& rom,
                            RomSwitches& switches) {
  TRY_ASSIGN(const std::string serial,
             gd32_serial(static_cast<std::uint32_t>(chip.flash().range().size() / 1024)));
  rom.usb.bcd_usb = 0x0200;
  rom.usb.bcd_device = 0x1000;
  rom.usb.serial_in_bytes = true;
  rom.usb.strings[0] = "GDMicroelectronics";
  rom.usb.strings[1] = "GD32 0x418 DFU Bootloader";
  rom.usb.strings[2] = serial;
  if (!settings.is("variant", "1")) return {};
  rom.usb.bcd_device = 0x0100;
  rom.usb.strings[0] = "GigaDevice";
  rom.usb.strings[1] = "GD32 USB DFU in FS Mode";
  rom.usb.strings[3] = "@Internal Flash  /0x08000000/128*001Kg";
  rom.usb.strings.resize(4);
  rom.usb.interfaces.resize(1);
  std::erase_if(rom.regions,
                [](const RomRegion& r) { return r.kind == RomRegion::Kind::OptionBytes; });
  switches.mass_erase = MassErase::Refused;
  return {};
}

}  // namespace

std::optional<proto::ChipQuirk> find_quirk(std::string_view name) {
  for (unsigned bit = 0; bit < proto::kQuirkBits; ++bit) {
    const auto quirk = static_cast<proto::ChipQuirk>(1U << bit);
    if (!name.empty() && proto::quirk_name(quirk) == name) return quirk;
  }
  return std::nullopt;
}

Result<void> introduce(const proto::ChipData& data, const Chip& chip, const Settings& settings,
                       RomDescription& rom, RomSwitches& switches) {
  const bool gd32 = data.usb_vendor == kGigaDevice;
  if (settings.has("variant") && !gd32) {
    return fail(Errc::DeviceSpec, "variant: only of gd32vf103 two are known");
  }
  if (gd32) return introduce_gd32(chip, settings, rom, switches);
  rom.usb.strings[2] = st_serial(chip.unique_id());
  if (data.usb_vendor == kArtery) {
    rom.usb.strings[0] = "Artery-Tech";
    rom.usb.strings[1] = "DFU in FS Mode";
    rom.usb.strings[2] = "AT32";
  }
  return {};
}

/// layout=, usb-id= and transfer-size=.
Result<void> apply_identity(const Settings& settings, DeviceDescription& usb) {
  if (settings.has("layout")) {
    std::string& layout = usb.strings[usb.interfaces.front().string_index - 1U];
    layout = settings.get("layout");
    std::ranges::replace(layout, ';', ',');
  }
  if (settings.has("usb-id")) {
    std::string digits(settings.get("usb-id"));
    std::erase(digits, ':');
    TRY_ASSIGN(const Bytes id, parse_hex("usb-id", digits, 4));
    usb.vendor_id = static_cast<std::uint16_t>(id[0] << 8 | id[1]);
    usb.product_id = static_cast<std::uint16_t>(id[2] << 8 | id[3]);
  }
  if (settings.has("transfer-size")) {
    TRY_ASSIGN(const std::uint64_t size,
               number("transfer-size", settings.get("transfer-size"), 0xFFFF));
    usb.functional.transfer_size = static_cast<std::uint16_t>(size);
  }
  return {};
}

}  // namespace sureflash::sim
