#include "sureflash/sim/model/profiles.hpp"

#include <algorithm>

#include "profile_keys.hpp"
#include "rom_identity.hpp"

#include "sureflash/base/crc32.hpp"
#include "sureflash/base/text.hpp"
#include "sureflash/proto/chips.hpp"
#include "sureflash/sim/model/cube_dfu.hpp"
#include "sureflash/sim/model/dfuse_rom.hpp"
#include "sureflash/sim/model/plain_dfu.hpp"
#include "sureflash/sim/model/settings.hpp"

namespace sureflash::sim {
namespace {

/// AN2606 table 229: boot loader to enumeration with a 25 MHz crystal.
constexpr Duration kRomStartup = 460ms;
constexpr Duration kFirmwareStartup = 20ms;
/// Lines without a figure in that table: about what most others need.
constexpr Duration kStartupAssumed = 300ms;
constexpr std::uint32_t kFlashBase = 0x08000000;
constexpr std::uint32_t kPlainApplicationBase = 0x08002000;

/// "0-3;8": calls `each` with every sector.
template <class Each>
Result<void> each_sector(std::string_view text, std::size_t count, const Each& each) {
  while (!text.empty()) {
    const std::size_t semicolon = text.find(';');
    const std::string_view range = text.substr(0, semicolon);
    const std::size_t dash = range.find('-');
    TRY_ASSIGN(const std::uint64_t first, number("wrp", range.substr(0, dash), count - 1));
    std::uint64_t last = first;
    if (dash != std::string_view::npos) {
      TRY_ASSIGN(last, number("wrp", range.substr(dash + 1), count - 1));
    }
    if (last < first) return fail(Errc::DeviceSpec, "wrp: a range runs upwards");
    for (std::uint64_t sector = first; sector <= last; ++sector) each(sector);
    if (semicolon == std::string_view::npos) break;
    text.remove_prefix(semicolon + 1);
  }
  return {};
}

/// "0-3;8" as WRP bits: a bit protects two sectors, so more may be protected than was asked for.
Result<std::uint32_t> parse_wrp(std::string_view text, const ChipDescription& chip) {
  std::uint32_t wrp = 0xFFFFFFFF;
  TRY(each_sector(text, chip.flash.sector_count(), [&](std::uint64_t sector) {
    wrp &= ~(1U << std::min<std::uint64_t>(sector / chip.sectors_per_wrp_bit, 31));
  }));
  return wrp;
}

/// Something that looks like firmware: a vector table that could start, then noise.
Bytes plausible_application(std::uint32_t base, std::uint64_t ram_end, std::uint64_t seed) {
  constexpr std::size_t kVectors = 84;  // STM32F105: 16 + 68
  constexpr std::size_t kSize = 8192;
  Bytes image;
  append_le32(image, static_cast<std::uint32_t>(ram_end));
  for (std::size_t i = 1; i < kVectors; ++i) {
    append_le32(image, base + static_cast<std::uint32_t>(4 * kVectors + 8 * i) + 1);
  }
  for (std::size_t i = 0; image.size() < kSize; ++i) {
    image.push_back(static_cast<std::uint8_t>(mix64(seed + i)));
  }
  return image;
}

void fill_flash(Chip& chip, std::string_view fill, std::uint32_t application_base,
                std::uint64_t seed) {
  if (fill == "app" || fill == "interrupted") {
    Bytes application = plausible_application(application_base, chip.description().ram.end, seed);
    // As an update that writes the reset vector last leaves it.
    if (fill == "interrupted") std::fill_n(application.begin(), 8, std::uint8_t{0xFF});
    chip.flash().load(application_base, application);
  } else if (fill == "noise") {
    Bytes noise(chip.flash().bytes().size());
    fill_noise(noise, seed);
    chip.flash().load(chip.flash().geometry().base, noise);
  }
}

struct Profile {
  std::uint32_t application_base = kFlashBase;
  std::string_view fill = "blank";
  /// Null: an F105.
  const proto::ChipData* chip = nullptr;
};

Result<ChipDescription> chip_description(const Settings& settings, const Profile& profile) {
  std::uint64_t kib =
      profile.chip != nullptr ? proto::layout_size(profile.chip->layout) / 1024 : 256;
  if (settings.has("flash")) {
    TRY_ASSIGN(kib, number("flash", settings.get("flash"), kib));
  }
  const auto size = static_cast<std::uint32_t>(kib);
  if (profile.chip == nullptr) {
    if (kib == 64 || kib == 128 || kib == 256) return stm32f105(size);
  } else if (auto chip = st_chip(*profile.chip, size)) {
    return *std::move(chip);
  }
  return fail(Errc::DeviceSpec, "flash=" + decimal(kib) + ": no such size");
}

/// Parts whose option bytes are not modelled: only RDP is in them.
Result<void> protect_other(Chip& chip, const Settings& settings) {
  if (settings.has("wrp")) {
    std::vector<bool> sectors(chip.flash().geometry().sector_count());
    TRY(each_sector(settings.get("wrp"), sectors.size(),
                    [&](std::uint64_t sector) { sectors[sector] = true; }));
    chip.protect_sectors(std::move(sectors));
  }
  if (settings.has("rdp")) {
    Bytes options(chip.option_bytes().begin(), chip.option_bytes().end());
    options[0] = settings.on("rdp") ? 0x00 : kRdpLevel0;
    chip.load_option_bytes(options);
  }
  return {};
}

/// wrp= and rdp= change the chip of a file as well: as if somebody had set them before power-on.
Result<void> apply_protection(Chip& chip, const Settings& settings) {
  if (settings.has("option-bytes")) {
    TRY_ASSIGN(const Bytes bytes,
               parse_hex("option-bytes", settings.get("option-bytes"), chip.option_bytes().size()));
    chip.load_option_bytes(bytes);
  }
  if (!settings.has("wrp") && !settings.has("rdp")) return {};
  if (chip.description().option_format != OptionFormat::F1) return protect_other(chip, settings);
  F1Options options = chip.options();
  if (settings.has("wrp")) {
    TRY_ASSIGN(options.wrp, parse_wrp(settings.get("wrp"), chip.description()));
  }
  const bool protect = settings.has("rdp") ? settings.on("rdp") : options.read_protected;
  chip.load_option_bytes(encode_f1_options(protect ? 0x00 : kF1RdpKey, options));
  return {};
}

Result<VirtualDevice::Parts> common_parts(const Settings& settings, const Profile& profile) {
  VirtualDevice::Parts parts;
  TRY_ASSIGN(parts.seed, number("seed", settings.get("seed"), ~std::uint64_t{0}));
  parts.clock = settings.is("clock", "real") ? ClockChoice::Real : ClockChoice::Virtual;
  TRY_ASSIGN(auto description, chip_description(settings, profile));
  parts.chip = std::make_unique<Chip>(std::move(description), parts.seed);
  parts.chip->set_time_choice(settings.is("times", "none")  ? TimeChoice::None
                              : settings.is("times", "min") ? TimeChoice::Min
                              : settings.is("times", "max") ? TimeChoice::Max
                                                            : TimeChoice::Typical);
  bool existing = false;
  if (settings.has("state")) {
    TRY_ASSIGN(StateFile file, StateFile::open(std::string(settings.get("state"))));
    parts.state.emplace(std::move(file));
    TRY_ASSIGN(existing, parts.state->load(*parts.chip));
  }
  if (!existing) {
    const std::string_view fill = settings.has("fill") ? settings.get("fill") : profile.fill;
    fill_flash(*parts.chip, fill, profile.application_base, parts.seed);
  }
  TRY(apply_protection(*parts.chip, settings));
  if (settings.has("fault")) {
    TRY_ASSIGN(parts.faults, parse_faults(settings.get("fault"), parts.seed));
  }
  Chip& chip = *parts.chip;
  parts.boot.application_base = profile.application_base;
  parts.boot.application_valid = [&chip](std::uint32_t base) {
    return chip.application_plausible(base);
  };
  parts.boot.loader_startup = kFirmwareStartup;
  return parts;
}

void add_runtime(const Settings& settings, VirtualDevice::Parts& parts) {
  if (!settings.on("runtime")) return;
  const bool will_detach = settings.is("detach", "will");
  parts.make_application = [will_detach](Chip& chip, Firmware& firmware) {
    return std::make_unique<RuntimeDfu>(will_detach, chip.unique_id(), firmware);
  };
}

RomSwitches common_switches(const Settings& settings, RomSwitches switches) {
  if (settings.is("block-address", "wlength")) switches.block_address = BlockAddress::RequestLength;
  if (settings.is("held", "1")) switches.while_busy = WhileBusy::Holds;
  if (settings.is("held", "0")) switches.while_busy = WhileBusy::Answers;
  if (settings.is("held", "strict")) switches.while_busy = WhileBusy::Strict;
  if (settings.is("held", "later")) switches.while_busy = WhileBusy::StallsLater;
  if (settings.is("mass-erase", "works")) switches.mass_erase = MassErase::Works;
  if (settings.is("mass-erase", "refused")) switches.mass_erase = MassErase::Refused;
  if (settings.is("mass-erase", "ignored")) switches.mass_erase = MassErase::Ignored;
  if (settings.is("mass-erase", "half")) switches.mass_erase = MassErase::FirstHalf;
  switches.rdp_refuses_set_address = settings.is("rdp-at", "set-address");
  switches.reads_system_memory = settings.on("rom-read");
  switches.short_block_at_end = settings.is("end", "short");
  switches.leave_vanishes = settings.is("leave", "vanish");
  switches.leave_reports_error = settings.is("leave", "error");
  switches.pointer_reset_by_set_interface = settings.is("pointer", "reset");
  switches.misalignment_poisons = settings.on("poison");
  return switches;
}

/// What only some lines have.
RomSwitches chip_switches(const Settings& settings, RomSwitches switches) {
  if (settings.is("clr-status", "stalls")) switches.clr_status_leads_to_idle = false;
  if (settings.is("clr-status", "idle")) switches.clr_status_leads_to_idle = true;
  if (settings.is("found", "idle")) switches.found_in = proto::DfuState::DfuIdle;
  if (settings.is("unprotect", "idle-resets")) switches.unprotect = Unprotect::AnswersIdleAndResets;
  if (settings.is("secure-read", "refused")) switches.secure_read = SecureRead::Refused;
  if (settings.is("secure-read", "content")) switches.secure_read = SecureRead::Content;
  switches.reads_option_bytes = !settings.is("ob-read", "0");
  return switches;
}

/// bwPollTimeout as the user wants it; `own`: as the ROM has it.
Result<PollTimes> poll_setting(const Settings& settings, std::string_view own, PollTimes poll) {
  if (settings.is("poll", own)) return poll;
  if (settings.is("poll", "datasheet")) return PollTimes{.datasheet = true};
  TRY_ASSIGN(const std::uint64_t ms, number("poll", settings.get("poll"), 0xFFFFFF));
  return PollTimes::fixed(static_cast<std::uint32_t>(ms));
}

/// Stands for a check by code: the vector table is plausible, and `checked` bytes from it on end in
/// their own CRC-32.
bool is_whole(const Chip& chip, std::uint64_t checked) {
  const std::uint32_t base = chip.flash().geometry().base;
  if (!chip.application_plausible(base)) return false;
  if (checked < 4 || checked > chip.flash().range().size()) return checked == 0;
  const ByteView bytes = chip.flash().bytes().first(checked);
  return crc32(bytes.first(checked - 4)) == load_le32(bytes, checked - 4);
}

bool first_word_is_blank(const Chip& chip) {
  const ByteView word = chip.flash().bytes().first(4);
  return std::ranges::all_of(word,
                             [&](std::uint8_t b) { return b == chip.flash().geometry().erased; });
}

/// The ways into DFU mode without a pin; the cable is in whenever the chip starts. Jump: the code
/// at the start of the application sees VBUS (dfuse.md 6.4). Empty: the ROM looks at the first word
/// of flash at power-on. Loader: starts the application unless it finds fault with it.
Result<void> enter_without_pin(const Settings& settings, VirtualDevice::Parts& parts) {
  Chip& chip = *parts.chip;
  TRY_ASSIGN(const std::uint64_t checked, number("checked", settings.get("checked"), 1U << 20U));
  if (settings.is("enter", "boot0")) return {};
  chip.boot0 = settings.on("boot0") && settings.has("boot0");
  const bool jump = settings.is("enter", "jump");
  const bool empty = settings.is("enter", "empty");
  parts.boot.loader_first = [&chip, checked, jump, empty](StartCause) {
    if (chip.boots_system_memory()) return true;
    if (empty) return first_word_is_blank(chip);
    return jump == is_whole(chip, checked);
  };
  return {};
}

/// The ROM on the chip of `parts`, and how the two come up.
void boot_from_rom(const Settings& settings, const RomDescription& rom, const RomSwitches& switches,
                   VirtualDevice::Parts& parts) {
  Chip& chip = *parts.chip;
  parts.make_loader = [rom, switches](Chip& c, Firmware& firmware) {
    return std::make_unique<DfuSeRom>(rom, switches, c, firmware);
  };
  chip.boot0 = settings.has("boot0") ? settings.on("boot0") : !settings.on("runtime");
  parts.boot.application_then = settings.is("app", "returns")  ? ApplicationThen::JumpsBack
                                : settings.is("app", "resets") ? ApplicationThen::Resets
                                                               : ApplicationThen::Stays;
  parts.boot.loader_first = [&chip](StartCause) { return chip.boots_system_memory(); };
  add_runtime(settings, parts);
}

/// The ROM identifier, which lies in system memory.
Result<void> place_rom_id(const Settings& settings, const proto::ChipData& data, Chip& chip) {
  std::uint64_t index = 0;
  if (settings.has("rom-id")) {
    TRY_ASSIGN(index, number("rom-id", settings.get("rom-id"), 1));
  }
  if (data.loader_ids[index] == 0) return {};
  Bytes id;
  append_le16(id, data.loader_ids[index]);
  if (data.loader_ids[index] <= 0xFF) id[1] = 0xFF;
  chip.set_system_memory(data.loader_id_address, id);
  return {};
}

/// without=: the same ROM without some of its quirks.
Result<proto::ChipData> without_quirks(proto::ChipData data, std::string_view names) {
  while (!names.empty()) {
    const std::size_t plus = std::min(names.find('+'), names.size());
    const auto quirk = find_quirk(names.substr(0, plus));
    if (!quirk || (data.quirks & *quirk) == 0) {
      return fail(Errc::DeviceSpec, "without=" + std::string(names.substr(0, plus)) + ": " +
                                        std::string(data.name) + " has no such quirk");
    }
    data.quirks &= ~std::uint32_t{*quirk};
    names.remove_prefix(std::min(plus + 1, names.size()));
  }
  return data;
}

/// sfsa=: where the wireless stack begins.
Result<void> place_wireless_stack(const Settings& settings, Chip& chip) {
  if (!settings.has("sfsa")) return {};
  if (!chip.description().sfr_offset) {
    return fail(Errc::DeviceSpec, "sfsa: only an STM32WB has a wireless stack");
  }
  TRY_ASSIGN(const std::uint64_t page, number("sfsa", settings.get("sfsa"), 0xFF));
  chip.set_sfsa(static_cast<std::uint8_t>(page));
  return {};
}

Result<VirtualDevice::Parts> st_chip_rom(const proto::ChipData& line, const Settings& settings) {
  TRY_ASSIGN(proto::ChipData data, without_quirks(line, settings.get("without")));
  if (settings.is("banks", "other")) {
    if (data.layout_other[0].count == 0) {
      return fail(Errc::DeviceSpec, "banks=other: a " + std::string(data.title) + " has no other");
    }
    data.layout = data.layout_other;
    data.layout_text = {};  // that of a log, of the usual one
  }
  TRY_ASSIGN(auto parts, common_parts(settings, {.fill = settings.on("runtime") ? "app" : "blank",
                                                 .chip = &data}));
  Chip& chip = *parts.chip;
  RomDescription rom = st_rom(data, chip.description());
  RomSwitches switches = st_rom_switches(data);
  TRY(introduce(data, chip, settings, rom, switches));
  TRY(place_wireless_stack(settings, chip));
  rom.usb.functional_after_each = settings.is("functional", "each");
  TRY_ASSIGN(rom.poll, poll_setting(settings, "rom", rom.poll));
  TRY(place_rom_id(settings, data, chip));
  TRY(apply_identity(settings, rom.usb));
  switches = common_switches(settings, chip_switches(settings, switches));
  parts.boot.loader_startup =
      data.enumeration_ms != 0 ? std::chrono::milliseconds(data.enumeration_ms) : kStartupAssumed;
  boot_from_rom(settings, rom, switches, parts);
  TRY(enter_without_pin(settings, parts));
  return parts;
}

proto::DfuState found_in(std::string_view name) {
  using enum proto::DfuState;
  return name == "error"         ? DfuError
         : name == "dnbusy"      ? DfuDnBusy
         : name == "upload-idle" ? DfuUploadIdle
                                 : DfuIdle;
}

Result<VirtualDevice::Parts> stm32f105_rom(const Settings& settings) {
  TRY_ASSIGN(auto parts,
             common_parts(settings, {.fill = settings.on("runtime") ? "app" : "blank"}));
  const auto version = settings.is("rom", "1.0")   ? F105RomVersion::V1_0
                       : settings.is("rom", "2.0") ? F105RomVersion::V2_0
                       : settings.is("rom", "2.1") ? F105RomVersion::V2_1
                                                   : F105RomVersion::V2_2;
  Chip& chip = *parts.chip;
  RomDescription rom = f105_rom(version, chip.description());
  rom.usb.functional_after_each = settings.is("functional", "each");
  Bytes vector;
  append_le32(vector, f105_rom_reset_vector(version));
  chip.set_system_memory(static_cast<std::uint32_t>(chip.description().system_memory.begin + 4),
                         vector);
  TRY_ASSIGN(rom.poll, poll_setting(settings, "version", rom.poll));
  TRY(apply_identity(settings, rom.usb));
  RomSwitches switches = common_switches(settings, {});
  switches.found_in = found_in(settings.get("found"));
  boot_from_rom(settings, rom, switches, parts);
  TRY(enter_without_pin(settings, parts));
  // A jump into the ROM works only while read protection is off (ST community 83588).
  parts.boot.loader_reachable = [&chip] { return !chip.options().read_protected; };
  parts.boot.loader_startup = kRomStartup;
  return parts;
}

CubeVersion cube_version(const Settings& settings) {
  return settings.is("middleware", "2.11.3") ? CubeVersion::V2_11_3 : CubeVersion::V2_5_3;
}

/// A CubeDfu with the hooks it calls.
class CubeFirmware final : public Function {
 public:
  CubeFirmware(std::unique_ptr<CubeMedia> media, CubeOptions options, Chip& chip,
               Firmware& firmware)
      : media_(std::move(media)), dfu_(std::move(options), chip, *media_, firmware) {}

  const DeviceDescription& description() const override { return dfu_.description(); }
  void start() override { dfu_.start(); }
  Reply class_request(const Request& request) override { return dfu_.class_request(request); }
  Duration busy_until() const override { return dfu_.busy_until(); }
  void configured(bool yes) override { dfu_.configured(yes); }
  void sent(Duration now) override { dfu_.sent(now); }

 private:
  std::unique_ptr<CubeMedia> media_;
  CubeDfu dfu_;
};

Result<VirtualDevice::Parts> cubemx_skeleton(const Settings& settings) {
  TRY_ASSIGN(auto parts, common_parts(settings, {.fill = "app"}));
  CubeOptions options{.version = cube_version(settings),
                      .layout = kCubeTemplateLayout,
                      .leave_vanishes = settings.is("leave", "vanish")};
  if (settings.has("layout")) {
    options.layout = settings.is("layout", "media") ? "DFU MEDIA" : settings.get("layout");
    std::ranges::replace(options.layout, ';', ',');
  }
  options.product = settings.get("product");
  options.found_in_state_15 = settings.is("found", "state-15");
  parts.make_loader = [options](Chip& chip, Firmware& firmware) {
    return std::make_unique<CubeFirmware>(std::make_unique<TemplateMedia>(), options, chip,
                                          firmware);
  };
  parts.boot.loader_first = [](StartCause) { return true; };
  return parts;
}

/// ST's test of an application: only the stack word, by a mask.
bool st_application_valid(const Chip& chip, std::uint32_t base) {
  const auto stack = chip.read_word(base);
  return stack && (*stack & 0x2FFE0000U) == 0x20000000U;
}

Result<VirtualDevice::Parts> st_f107_example(const Settings& settings) {
  TRY_ASSIGN(auto parts,
             common_parts(settings, {.application_base = F107ExampleMedia::kApplicationBase}));
  Chip& chip = *parts.chip;
  const CubeOptions options{.version = cube_version(settings),
                            .layout = kF107ExampleLayout,
                            .application_base = F107ExampleMedia::kApplicationBase,
                            .leave_vanishes = settings.is("leave", "vanish"),
                            .found_in_state_15 = settings.is("found", "state-15")};
  parts.make_loader = [options](Chip& c, Firmware& firmware) {
    auto media = std::make_unique<F107ExampleMedia>(c, CubeDfu::kTransferSize);
    return std::make_unique<CubeFirmware>(std::move(media), options, c, firmware);
  };
  // A person holds the key while plugging in, and lets go.
  const bool button = settings.on("button");
  parts.boot.loader_first = [button](StartCause cause) {
    return button && cause == StartCause::PowerOn;
  };
  parts.boot.application_valid = [&chip](std::uint32_t base) {
    return st_application_valid(chip, base);
  };
  parts.boot.loader_without_application = true;
  return parts;
}

Result<VirtualDevice::Parts> dfu11(const Settings& settings) {
  const bool runtime = settings.on("runtime");
  TRY_ASSIGN(auto parts, common_parts(settings, {.application_base = kPlainApplicationBase,
                                                 .fill = runtime ? "app" : "blank"}));
  PlainDfuOptions options{.application_base = kPlainApplicationBase,
                          .manifestation_tolerant = settings.on("tolerant"),
                          .will_detach = settings.is("detach", "will"),
                          .holds_while_busy = settings.on("held")};
  if (!settings.is("poll", "exact")) {
    TRY_ASSIGN(const std::uint64_t ms, number("poll", settings.get("poll"), 0xFFFFFF));
    options.poll_ms = static_cast<std::uint32_t>(ms);
  }
  parts.make_loader = [options](Chip& chip, Firmware& firmware) {
    return std::make_unique<PlainDfu>(options, chip, firmware);
  };
  parts.boot.loader_first = [runtime](StartCause) { return !runtime; };
  parts.boot.loader_without_application = true;
  add_runtime(settings, parts);
  return parts;
}

using Maker = Result<VirtualDevice::Parts> (*)(const Settings&);
constexpr Maker kMakers[] = {stm32f105_rom, cubemx_skeleton, st_f107_example, dfu11};
static_assert(std::size(kMakers) == std::size(kProfiles));

}  // namespace

std::span<const ProfileHelp> profiles() {
  return kProfiles;
}
std::span<const std::string_view> chip_profiles() {
  static const auto names = [] {
    std::vector<std::string_view> all;
    all.reserve(std::size(proto::kChips));
    for (const proto::ChipData& data : proto::kChips) all.push_back(data.name);
    return all;
  }();
  return names;
}
std::span<const KeyHelp> chip_keys() {
  return kChipKeys;
}
std::span<const KeyHelp> common_keys() {
  return kCommonKeys;
}

Result<std::unique_ptr<VirtualDevice>> make_device(std::string_view spec) {
  std::string_view name = spec.substr(0, spec.find(','));
  const std::string_view keys = spec.substr(name.size());
  const proto::ChipData* chip = find_chip_data(name);
  if (chip != nullptr) name = chip->name;
  const auto profile = std::ranges::find(kProfiles, name, &ProfileHelp::name);
  if (profile == std::end(kProfiles) && chip != nullptr) {
    TRY_ASSIGN(const Settings settings, Settings::parse(name, kChipKeys, kCommonKeys, keys));
    TRY_ASSIGN(auto parts, st_chip_rom(*chip, settings));
    return std::make_unique<VirtualDevice>(std::move(parts));
  }
  if (profile == std::end(kProfiles)) {
    std::string list;
    for (const ProfileHelp& p : kProfiles) list += " " + std::string(p.name);
    for (const std::string_view n : chip_profiles()) list += " " + std::string(n);
    return fail(Errc::DeviceSpec, "no profile '" + std::string(name) + "'; there are:" + list);
  }
  TRY_ASSIGN(const Settings settings, Settings::parse(name, profile->keys, kCommonKeys, keys));
  TRY_ASSIGN(auto parts, kMakers[profile - std::begin(kProfiles)](settings));
  return std::make_unique<VirtualDevice>(std::move(parts));
}

}  // namespace sureflash::sim
