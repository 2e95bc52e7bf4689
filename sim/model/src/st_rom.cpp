// Virtual ROMs of all lines in the table of chips, clones included. Documents: those of
// proto/chip_data.hpp; layout texts: device logs where the table has one, else in the manner of the
// neighbours; texts of option bytes, OTP and device feature: device logs of F4 V9.x, L4R5, G474.
#include <algorithm>
#include <cstdio>

#include "sureflash/proto/chips.hpp"
#include "sureflash/proto/dfuse.hpp"
#include "sureflash/sim/model/dfuse_rom.hpp"

namespace sureflash::sim {
namespace {

using Kind = RomRegion::Kind;
using proto::ChipData;
using proto::DataSheetTime;

constexpr std::uint8_t kFirstInterfaceString = 4;
/// Nobody published the size of these option bytes; 16 is that of the first families.
constexpr std::uint16_t kOptionBytesAssumed = 16;
/// Where AN2606 lists no RAM for the host; the smallest part has 6 KiB.
constexpr std::uint32_t kRamAssumed = 6 * 1024;
constexpr std::uint32_t kRamGranule = 0x0100'0000;
constexpr std::uint16_t kOtpSize = 512;
constexpr std::uint32_t kDeviceFeature = 0xFFFF0000;
constexpr std::uint32_t kDataEeprom = 0x08080000;
/// Seen on L07x and on L1 (dfuse.md 2.11, no. 26 and 27).
struct EepromText {
  const char* text;
  std::uint32_t size;
};
constexpr EepromText kEepromL0{"@DATA Memory /0x08080000/2*3Ke", 6 * 1024};
constexpr EepromText kEepromL1{"@DATA Memory /0x08080000/02*004Ke", 8 * 1024};
constexpr std::uint32_t kEepromWord = 4;
/// Times of lines for which nobody published any: those of G4, the most common modern flash.
constexpr TimeRange kEraseAssumed{22ms, 22'020us, 24'470us};
constexpr TimeRange kProgramAssumed{81'700ns, 81'700ns, 90'800ns};
/// H74x: from this sector on (betaflight).
constexpr std::size_t kStuckFromSector = 8;
/// L43x announces this for erases and writes (user logs).
constexpr std::uint32_t kL4PollMs = 21;
/// F2, F4, F7: for a mass erase of up to 32 s (dfu-util).
constexpr std::uint32_t kMassEraseAnnouncedMs = 100;

constexpr std::uint32_t kF1WrpGranule = 4096;

bool has(const ChipData& data, proto::ChipQuirk quirk) {
  return (data.quirks & quirk) != 0;
}

TimeRange range_of(DataSheetTime t, Duration unit) {
  const auto times = [&](std::uint32_t n) { return unit * static_cast<Duration::rep>(n); };
  const std::uint32_t min = t.min != 0 ? t.min : t.typ;
  return {times(min), times(t.typ), times(std::max(t.max, t.typ))};
}

FlashTimes flash_times(const ChipData& data, bool wide) {
  const auto& sector = data.times.sector;
  FlashTimes times{
      .program_unit = range_of(data.times.program_ns, 1ns),
      .erase_fixed = range_of(wide ? sector[0].wide : sector[0].usual, 1us),
      .mass_erase = range_of(wide ? data.times.mass_wide_us : data.times.mass_us, 1us)};
  if (data.times.program_ns.typ == 0) times.program_unit = kProgramAssumed;
  if (sector[0].usual.typ == 0) times.erase_fixed = kEraseAssumed;
  if (times.mass_erase.typical == Duration::zero()) times.mass_erase = times.erase_fixed;
  for (const proto::SectorEraseTime& t : sector) {
    if (t.sector_size == 0) continue;
    times.erase_of_size.push_back({t.sector_size, range_of(wide ? t.wide : t.usual, 1us)});
  }
  return times;
}

/// PM0059, PM0081 (F2, F4): programming moves bits without a look at what is there; F0, F1, F3: an
/// error unless it is 0x0000; newer ones have ECC.
Overprogram overprogram(std::string_view family) {
  if (family == "F2" || family == "F4" || family == "F7") return Overprogram::And;
  if (family == "F0" || family == "F1" || family == "F3") return Overprogram::RefuseButZero;
  return Overprogram::Refuse;
}

template <class... Arguments>
std::string format(const char* pattern, Arguments... arguments) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), pattern, arguments...);
  return buffer.data();
}

/// The text is that of the largest member, whatever the chip has.
std::string flash_text(const ChipData& data) {
  if (!data.layout_text.empty()) return std::string(data.layout_text);
  std::string text = format("@Internal Flash  /0x%08X", data.flash_address);
  char separator = '/';
  for (const proto::SectorGroup& group : data.layout) {
    if (group.count == 0) break;
    text += separator;
    text += group.size % 1024 == 0 ? format("%02u*%03uKg", unsigned{group.count}, group.size / 1024)
                                   : format("%02u*%03u g", unsigned{group.count}, group.size);
    separator = ',';
  }
  return text;
}

const EepromText& eeprom_of(const ChipData& data) {
  return data.family == "L0" ? kEepromL0 : kEepromL1;
}

std::string option_text(const ChipData& data, std::uint16_t size) {
  if (!data.option_text.empty()) return std::string(data.option_text);
  std::string text = "@Option Bytes  ";
  for (const std::uint32_t address : data.option_bytes) {
    if (address != 0) text += format("/0x%08X/01*%03u e", address, unsigned{size});
  }
  return text;
}

struct Alternate {
  std::string text;
  std::vector<RomRegion> regions;
};

std::vector<Alternate> alternates(const ChipData& data, const ChipDescription& chip) {
  std::vector<Alternate> all{{flash_text(data), {{Kind::Flash, chip.flash.range()}}}};
  if (data.option_bytes[0] != 0) {
    const auto size = static_cast<std::uint16_t>(chip.options.range().size());
    Alternate options{option_text(data, size), {{Kind::OptionBytes, chip.options.range()}}};
    if (data.option_bytes[1] != 0) {
      options.regions.push_back({Kind::Blank, AddressRange::sized(data.option_bytes[1], size)});
    }
    all.push_back(std::move(options));
  }
  if (data.otp != 0) {
    all.push_back({format("@OTP Memory /0x%08X/01*%03u e", data.otp, unsigned{kOtpSize}),
                   {{Kind::Blank, AddressRange::sized(data.otp, kOtpSize)}}});
  }
  if (has(data, proto::kDataEeprom)) {
    all.push_back({eeprom_of(data).text, {{Kind::DataEeprom, chip.data_eeprom->range()}}});
  }
  if (has(data, proto::kByteProgramming)) {
    all.push_back({"@Device Feature/0xFFFF0000/01*004 e",
                   {{Kind::DeviceFeature, AddressRange::sized(kDeviceFeature, 4)}}});
  }
  return all;
}

PollTimes poll_times(const ChipData& data) {
  if (data.poll_command_ms != 0) {
    return {.set_address_ms = data.poll_command_ms,
            .erase_ms = data.poll_command_ms,
            .mass_erase_ms = data.poll_command_ms,
            .write_ms = data.poll_write_ms};
  }
  if (has(data, proto::kStallsWhenPolledEarly)) {
    return {.erase_ms = kL4PollMs, .mass_erase_ms = kL4PollMs, .write_ms = kL4PollMs};
  }
  const bool too_short = has(data, proto::kMassEraseAnnouncedShort);
  return {.datasheet = true, .mass_erase_ms = too_short ? kMassEraseAnnouncedMs : 0};
}

}  // namespace

const ChipData* find_chip_data(std::string_view name) {
  for (const ChipData& data : proto::kChips) {
    if (data.name == name) return &data;
    if (!name.starts_with("stm32")) continue;
    const std::string wanted = " " + std::string(name.substr(5)) + " ";
    if ((" " + std::string(data.members) + " ").find(wanted) != std::string::npos) return &data;
  }
  return nullptr;
}

std::optional<ChipDescription> st_chip(const ChipData& data, std::uint32_t flash_kib) {
  ChipDescription chip{.name = std::string(data.name) + "-" + std::to_string(flash_kib) + "K",
                       .flash = {.base = data.flash_address,
                                 .runs = {},
                                 .program_unit = data.program_unit,
                                 .erased = data.erased_value,
                                 .overprogram = overprogram(data.family),
                                 .times = flash_times(data, false)}};
  std::uint32_t left = flash_kib * 1024;
  for (const proto::SectorGroup& group : data.layout) {
    if (left == 0 || group.count == 0) break;
    const std::uint32_t count = std::min<std::uint32_t>(group.count, left / group.size);
    if (count == 0) return std::nullopt;
    chip.flash.runs.push_back({count, group.size});
    left -= count * group.size;
  }
  if (left != 0 || chip.flash.runs.empty()) return std::nullopt;

  const std::uint32_t ram_base =
      data.ram_free.size != 0 ? data.ram_free.address / kRamGranule * kRamGranule : 0x20000000;
  const std::uint64_t ram_end = data.ram_free.size != 0
                                    ? std::uint64_t{data.ram_free.address} + data.ram_free.size
                                    : ram_base + kRamAssumed;
  chip.ram = {ram_base, ram_end};
  chip.system_memory = AddressRange::sized(data.system_memory.address, data.system_memory.size);
  chip.flash_size_register = data.flash_size_register;
  chip.unique_id_address = data.unique_id;
  // GD32VF103 has the option bytes of an F1 (its user manual, from memory: unconfirmed).
  const bool like_f1 = data.family == "F1" || has(data, proto::kSizeInSerial);
  chip.option_format = like_f1 ? OptionFormat::F1 : OptionFormat::RdpFirst;
  if (like_f1) chip.sectors_per_wrp_bit = kF1WrpGranule / data.layout[0].size;
  chip.rdp_protects_sectors = data.family == "F1" ? 2 : 0;
  const std::uint16_t size =
      data.option_bytes_size != 0 ? data.option_bytes_size : kOptionBytesAssumed;
  // Where the ROM shows no option bytes, the chip still has some.
  chip.options = {.base = data.option_bytes[0] != 0 ? data.option_bytes[0] : 0x1FFF7800,
                  .runs = {{1, size}},
                  .program_unit = like_f1 ? 2U : 1U,
                  .erased = 0xFF,
                  .overprogram = Overprogram::Refuse,
                  .times = {.program_unit = chip.flash.times.program_unit,
                            .erase_fixed = chip.flash.times.erase_fixed,
                            .mass_erase = chip.flash.times.erase_fixed}};
  if (has(data, proto::kDataEeprom)) {
    chip.data_eeprom = FlashGeometry{.base = kDataEeprom,
                                     .runs = {{eeprom_of(data).size / kEepromWord, kEepromWord}},
                                     .program_unit = kEepromWord,
                                     .erased = data.erased_value,
                                     .overprogram = Overprogram::Refuse,
                                     .times = {.program_unit = chip.flash.times.program_unit,
                                               .erase_fixed = chip.flash.times.erase_fixed,
                                               .mass_erase = chip.flash.times.erase_fixed}};
  }
  chip.starts_by_vector_table = data.starts_by_vector_table;
  if (has(data, proto::kWirelessStackOnTop)) chip.sfr_offset = proto::kWbSfsaOffset;
  return chip;
}

RomDescription st_rom(const ChipData& data, const ChipDescription& chip) {
  RomDescription rom;
  rom.usb = {
      .bcd_usb = 0x0100,
      .vendor_id = data.usb_vendor,
      .product_id = data.usb_product,
      .bcd_device = static_cast<std::uint16_t>(data.dfu_protocol == 0x0220 ? 0x2200 : 0x0200),
      .strings = {"STMicroelectronics", "STM32  BOOTLOADER", "FFFFFFFEFFFF"},
      .interfaces = {},
      .functional = {.attributes = proto::kCanDnload | proto::kCanUpload | proto::kWillDetach,
                     .detach_timeout_ms = 255,
                     .transfer_size = static_cast<std::uint16_t>(
                         has(data, proto::kTransferSize1024) ? 1024 : 2048),
                     .bcd_dfu = proto::kBcdDfuSe},
      .high_speed = has(data, proto::kHighSpeedUsb),
      .functional_on_request = !has(data, proto::kNoFunctionalDescriptor),
  };
  std::uint8_t number = 0;
  for (Alternate& alternate : alternates(data, chip)) {
    rom.usb.strings.push_back(std::move(alternate.text));
    rom.usb.interfaces.push_back(
        {.alt_setting = number,
         .string_index = static_cast<std::uint8_t>(kFirstInterfaceString + number)});
    ++number;
    rom.regions.insert(rom.regions.end(), alternate.regions.begin(), alternate.regions.end());
  }
  if (data.ram_free.size != 0) {
    rom.regions.push_back(
        {Kind::Ram, AddressRange::sized(data.ram_free.address, data.ram_free.size)});
  }
  if (!chip.system_memory.empty()) {
    rom.regions.push_back({Kind::SystemMemory, chip.system_memory});
  }
  rom.commands = {0x00, 0x21, 0x41, 0x92};
  if (has(data, proto::kNoReadUnprotect)) rom.commands.pop_back();
  rom.write_alignment = data.write_alignment;
  rom.poll = poll_times(data);
  if (has(data, proto::kByteProgramming)) rom.wide_times = flash_times(data, true);
  rom.pointer_at_start = data.flash_address;
  return rom;
}

RomSwitches st_rom_switches(const ChipData& data) {
  const auto has = [&](proto::ChipQuirk quirk) { return sim::has(data, quirk); };
  RomSwitches switches;
  switches.clr_status_leads_to_idle = !has(proto::kClrStatusStalls);
  switches.leaves_at_download = has(proto::kLeavesAtDownload);
  if (has(proto::kUnprotectAnswersIdle)) switches.unprotect = Unprotect::AnswersIdle;
  if (has(proto::kSizeInSerial)) {
    // Two logs show it (riscv-mcu/gd32-dfu-utils issue 3, sipeed/Longan_GD32VF_examples issue 5).
    switches.found_in = proto::DfuState::DfuError;
    switches.found_status = proto::DfuStatus::ErrFirmware;
  }
  if (has(proto::kStallsWhenPolledEarly)) switches.while_busy = WhileBusy::StallsLater;
  if (has(proto::kMassEraseUnreliable)) switches.mass_erase = MassErase::Refused;
  if (has(proto::kBankTwoEraseUnreliable)) switches.mass_erase = MassErase::FirstHalf;
  if (has(proto::kStuckBusyHighSectors)) switches.stuck_busy_from_sector = kStuckFromSector;
  switches.corrupts_odd_lengths = has(proto::kCorruptsOddLengths);
  return switches;
}

}  // namespace sureflash::sim
