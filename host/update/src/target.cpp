#include "sureflash/update/target.hpp"

#include <algorithm>

#include "candidates.hpp"
#include "layout_corrections.hpp"

#include "sureflash/base/text.hpp"
#include "sureflash/proto/dfuse.hpp"
#include "sureflash/stm32/dfuse.hpp"

namespace sureflash::update {
namespace {

constexpr std::string_view kRomProduct = "STM32  BOOTLOADER";
constexpr std::string_view kRomProductIdPrefix = "STM32 0x";
/// ST's USB middleware, as CubeMX configures it (dfuse.md 7.1).
constexpr std::string_view kCubeProduct = "STM32 DownLoad Firmware Update";
constexpr std::string_view kCubeProductFs = "DFU in FS Mode";
constexpr std::uint16_t kGigaDevice = 0x28E9;
constexpr std::uint16_t kArtery = 0x2E3C;
constexpr std::size_t kProbeBytes = 4;
/// AN2606 table 7: what most lines need; for loaders that are not ST's.
constexpr std::uint32_t kWriteUnitUnknownChip = 4;
/// An option block is read whole (AT32F437: 4 KiB), but no device may ask for more.
constexpr std::uint64_t kOptionBlockMax = 4096;

/// "STM32 0x418 DFU Bootloader" -> 0x418.
std::optional<std::uint16_t> product_id_in(std::string_view product) {
  if (!product.starts_with(kRomProductIdPrefix)) return std::nullopt;
  product.remove_prefix(kRomProductIdPrefix.size());
  std::uint16_t id = 0;
  int digits = 0;
  for (; digits < 3 && static_cast<std::size_t>(digits) < product.size(); ++digits) {
    const char c = product[static_cast<std::size_t>(digits)];
    const int value = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (value < 0) break;
    id = static_cast<std::uint16_t>(id * 16 + value);
  }
  if (digits != 3) return std::nullopt;
  return id;
}

/// A clone may carry ST's texts, but not ST's vendor id.
bool is_from_st(const Target& target) {
  return target.descriptors.device.idVendor == proto::kStVendorId;
}

bool has_ids_of_a_clone(const Target& target, std::span<const stm32::Chip> lines) {
  const auto& device = target.descriptors.device;
  return !is_from_st(target) && std::ranges::any_of(lines, [&](const stm32::Chip& chip) {
    return chip.usb_vendor == device.idVendor && chip.usb_product == device.idProduct;
  });
}

void identify_chip(Target& target, const IdentifyOptions& options) {
  const std::string& product = target.descriptors.product;
  const auto id = product_id_in(product);
  if (id || product == kRomProduct) {
    target.loader = Loader::Rom;
  } else if (has_ids_of_a_clone(target, options.lines)) {
    target.loader = Loader::Clone;
    mend_serial(target);
  } else if (product == kCubeProduct || product == kCubeProductFs) {
    target.loader = Loader::CubeMiddleware;
  }
  if (options.chip != nullptr) {
    target.chip = options.chip;
    target.chip_source = ChipSource::User;
  } else if (id) {
    const auto found = stm32::find_chips_by_product_id(*id);
    if (found.size() == 1) {
      target.chip = found.front();
      target.chip_source = is_from_st(target) ? ChipSource::ProductString : ChipSource::OnlyFit;
      target.chip_evidence.push_back("its product string names product id " + hex(*id, 3));
    }
  }
}

void read_layouts(Target& target) {
  for (const dfu::AltSetting& alt : target.descriptors.dfu.alt_settings) {
    auto map = stm32::parse_layout(alt.text);
    if (map) {
      target.areas.push_back({alt.alt_setting, *std::move(map), false});
    } else if (map.error().code == Errc::BadLayout) {
      target.warnings.push_back("alternate setting " + decimal(alt.alt_setting) + ": " +
                                message(map.error()));
    }
  }
  if (target.flash() == nullptr && target.chip != nullptr && target.descriptors.dfu.dfuse &&
      !target.descriptors.dfu.alt_settings.empty()) {
    target.areas.push_back(
        {target.descriptors.dfu.alt_settings.front().alt_setting, target.chip->flash_map(), true});
    target.warnings.push_back("the device does not say what flash it has; the map of the " +
                              std::string(target.chip->title) + " is used");
  }
}

bool says_read_protected(const Error& error) {
  return error.device && error.device->bStatus == proto::DfuStatus::ErrVendor;
}

/// What a read was refused with is evidence, not a failure of identification.
Task<std::optional<Bytes>> probe(stm32::DfuSe& dfuse, std::uint8_t alt, std::uint32_t address,
                                 std::size_t size, std::string_view what, Target& target) {
  co_await dfuse.select(alt);
  Bytes bytes(size);
  auto done = co_await caught(dfuse.read(address, bytes));
  if (done) co_return bytes;
  const Error& error = done.error();
  if (error.code == Errc::Disconnected || error.code == Errc::Interrupted ||
      error.code == Errc::TimedOut) {
    co_return fail(std::move(done).error());
  }
  if (says_read_protected(error)) {
    target.read_protection_signs.push_back("reading " + std::string(what) + " at " + hex(address) +
                                           " was answered errVENDOR");
  }
  co_return std::nullopt;
}

/// Option bytes: where the table has them, else where the device names them.
std::pair<const Area*, AddressRange> option_area(const Target& target) {
  const bool known = target.chip != nullptr && !target.chip->option_bytes.empty();
  for (const Area& area : target.areas) {
    if (known && area.map.contains(target.chip->option_bytes)) {
      return {&area, target.chip->option_bytes};
    }
  }
  for (const Area& area : target.areas) {
    if (!area.map.name().starts_with("Option ") || area.map.runs().empty()) continue;
    const AddressRange range = area.map.runs().front().range;
    if (range.size() <= kOptionBlockMax) return {&area, range};
  }
  return {nullptr, {}};
}

/// A ROM that does not name its chip: what fits.
void look_for_candidates(Target& target, std::span<const stm32::Chip> lines) {
  const bool named = target.chip != nullptr && target.chip_source != ChipSource::User;
  const bool rom = target.loader == Loader::Rom || target.loader == Loader::Clone;
  if (!rom || named) return;
  target.candidates = fitting_chips(target, lines);
  if (target.candidates.empty()) return;
  if (target.loader == Loader::Clone) {
    target.chip_evidence.push_back("its USB ids are of " + std::string(target.clone_maker()));
  }
  if (target.candidates.front()->has(proto::kSizeInSerial)) {
    target.chip_evidence.push_back("its serial number \"" + target.descriptors.serial +
                                   "\" is of the kind that GD32VF103 have");
    return;
  }
  target.chip_evidence.emplace_back("memory layout, option bytes and commands as in the table");
}

/// The last word: one candidate is likely to be it; a chip that the user names but that does not
/// fit is worth a warning.
void conclude(Target& target) {
  if (target.candidates.empty()) return;
  if (target.chip_source == ChipSource::User) {
    if (std::ranges::find(target.candidates, target.chip) == target.candidates.end()) {
      target.warnings.push_back("this does not look like an " + std::string(target.chip->title) +
                                ", but like " + std::string(target.candidates.front()->title));
    }
    target.candidates.clear();
  } else if (target.candidates.size() == 1) {
    target.chip = target.candidates.front();
    target.chip_source = ChipSource::OnlyFit;
  }
}

Task<> read_protection(stm32::DfuSe& dfuse, Target& target) {
  if (const auto [area, range] = option_area(target); area != nullptr) {
    target.option_block =
        co_await probe(dfuse, area->alt_setting, static_cast<std::uint32_t>(range.begin),
                       range.size(), "the option bytes", target);
  }
  if (target.option_block && target.chip != nullptr && target.chip->family == "F1") {
    auto options = stm32::F1OptionBytes::parse(*target.option_block);
    if (options) {
      target.options = *options;
      target.write_protected = options->write_protected(target.chip->flash());
      if (options->read_protected()) {
        target.read_protection_signs.push_back("the option byte RDP at 0x1FFFF800 is " +
                                               hex(options->bytes()[0].value, 2) + ", not 0xA5");
      }
    }
  }
  const Area* flash = target.flash();
  if (flash == nullptr || !target.descriptors.dfu.functional.can_upload()) co_return;
  co_await probe(dfuse, flash->alt_setting, static_cast<std::uint32_t>(flash->map.bounds().begin),
                 kProbeBytes, "the flash", target);
}

}  // namespace

const Area* Target::flash() const {
  const std::uint64_t base = chip != nullptr ? chip->flash_base : 0x08000000;
  if (const Area* area = area_at(base); area != nullptr) return area;
  const auto it = std::ranges::find_if(
      areas, [](const Area& area) { return area.map.name().starts_with("Internal Flash"); });
  return it == areas.end() ? nullptr : &*it;
}

std::uint32_t Target::write_unit() const {
  const auto unit = [](const stm32::Chip& c) {
    return std::max(c.program_unit, c.write_alignment);
  };
  if (chip != nullptr) return unit(*chip);
  std::uint32_t largest = kWriteUnitUnknownChip;
  for (const stm32::Chip* c : candidates) largest = std::max(largest, unit(*c));
  return largest;
}

std::uint8_t Target::erased_value() const {
  if (chip != nullptr) return chip->erased_value;
  if (candidates.empty()) return 0xFF;
  const std::uint8_t value = candidates.front()->erased_value;
  const bool agree = std::ranges::all_of(
      candidates, [&](const stm32::Chip* c) { return c->erased_value == value; });
  return agree ? value : std::uint8_t{0xFF};
}

const Area* Target::area_at(std::uint64_t address) const {
  const auto it = std::ranges::find_if(
      areas, [&](const Area& area) { return area.map.run_at(address) != nullptr; });
  return it == areas.end() ? nullptr : &*it;
}

std::string_view Target::clone_maker() const {
  switch (descriptors.device.idVendor) {
    case kGigaDevice:
      return "GigaDevice";
    case kArtery:
      return "Artery";
    default:
      return {};
  }
}

AddressRange Target::present(const Area& area) const {
  AddressRange range = area.map.bounds();
  if (&area != flash()) return range;
  if (chip != nullptr && chip->has(proto::kLayoutSizeWrong))
    range = range.intersection(chip->flash());
  if (flash_size) range = range.intersection(AddressRange::sized(range.begin, *flash_size));
  return range;
}

std::string Target::title() const {
  std::string s;
  switch (loader) {
    case Loader::Rom: {
      const std::uint16_t bcd = descriptors.device.bcdDevice;
      s = "ROM bootloader";
      // 0x2000, 0x2100, 0x2200 are DFU protocol versions; 0x0200 of newer ROMs tells nothing.
      if (bcd >= 0x2000) s += " V" + decimal(bcd >> 12) + "." + decimal(bcd >> 8 & 0xF);
      break;
    }
    case Loader::Clone:
      s = "ROM bootloader of " + std::string(clone_maker()) + ", no STM32";
      break;
    case Loader::CubeMiddleware:
      s = "DFU application with ST's USB middleware";
      break;
    case Loader::Unknown:
      s = descriptors.dfu.dfuse ? "DfuSe device" : "DFU device";
      break;
  }
  if (chip != nullptr) {
    s += loader == Loader::Rom ? " of " : loader == Loader::Clone ? ": " : " on ";
    s += chip->title;
    if (chip_source == ChipSource::User) s += ", as --chip says";
    if (chip_source == ChipSource::OnlyFit) {
      s += loader == Loader::Clone ? " (likely: of those that are known, no other fits)"
           : is_from_st(*this)     ? " (likely: no other line fits)"
                                   : " (likely a clone of it: the USB vendor is not ST)";
    }
  } else if (!candidates.empty()) {
    s += " of one of " + decimal(candidates.size()) + " lines (say which with --chip):";
    constexpr std::size_t kNamed = 4;
    for (std::size_t i = 0; i < std::min(kNamed, candidates.size()); ++i) {
      s += (i == 0 ? " " : ", ") + std::string(candidates[i]->title);
    }
    if (candidates.size() > kNamed) s += ", …";
  }
  return s;
}

Task<Target> identify(IdentifyOptions options) {
  Target target;
  target.descriptors = co_await dfu::read_descriptors();
  target.warnings = target.descriptors.warnings;
  identify_chip(target, options);
  read_layouts(target);
  if (!target.descriptors.dfu.dfuse || target.descriptors.dfu.mode == dfu::Mode::RunTime) {
    co_return target;
  }

  dfu::Client client(target.descriptors.dfu.interface_number);
  stm32::DfuSe dfuse(client, target.wTransferSize(), target.transfer_size());
  const Area* flash = target.flash();
  co_await dfuse.select(flash != nullptr ? flash->alt_setting
                        : target.descriptors.dfu.alt_settings.empty()
                            ? std::uint8_t{0}
                            : target.descriptors.dfu.alt_settings.front().alt_setting);
  if (target.descriptors.dfu.functional.can_upload()) {
    auto commands = co_await caught(dfuse.get_commands());
    if (commands) {
      target.commands = *std::move(commands);
    } else if (commands.error().code != Errc::Stalled) {
      co_return fail(std::move(commands).error());
    } else {
      co_await client.to_idle();
    }
  }
  look_for_candidates(target, options.lines);
  co_await read_protection(dfuse, target);
  if (target.read_protection_signs.empty() && target.loader == Loader::Rom &&
      target.descriptors.dfu.functional.can_upload()) {
    co_await compare_loader_ids(dfuse, target);
    conclude(target);
    co_await read_signature(dfuse, target);
  } else {
    conclude(target);
  }
  correct_layout(target);
  co_return target;
}

}  // namespace sureflash::update
