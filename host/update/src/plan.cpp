#include "sureflash/update/plan.hpp"

#include <algorithm>

#include "order.hpp"
#include "strategy.hpp"

#include "sureflash/base/text.hpp"
#include "sureflash/image/vector_table.hpp"

namespace sureflash::update {
namespace {

/// Initial stack pointer and reset vector. Source: ARMv7-M ARM, B1.5.3.
constexpr std::uint64_t kCommitBytes = 8;
constexpr std::uint64_t kDataEepromAddress = 0x08080000;

Error at(Errc code, AddressRange range, std::string detail) {
  return Error(code, std::move(detail)).in(Stage::Plan, range);
}

/// By the table, or by the device's own words where the chip is not known: option bytes can hold a
/// protection that nobody takes back.
bool is_for_option_bytes(const Target& target, AddressRange range) {
  if (target.chip != nullptr && range.overlaps(target.chip->option_bytes)) return true;
  if (std::ranges::any_of(target.candidates,
                          [&](const stm32::Chip* c) { return range.overlaps(c->option_bytes); })) {
    return true;
  }
  return std::ranges::any_of(target.areas, [&](const Area& area) {
    return area.map.name().starts_with("Option") && area.map.bounds().overlaps(range);
  });
}

/// L0, L1: erased as it is written.
bool is_data_eeprom(const Target& target, const Area& area) {
  const bool known = target.chip != nullptr
                         ? target.chip->has(proto::kDataEeprom)
                         : !target.candidates.empty() &&
                               std::ranges::all_of(target.candidates, [](const stm32::Chip* c) {
                                 return c->has(proto::kDataEeprom);
                               });
  return known && area.map.run_at(kDataEepromAddress) != nullptr && &area != target.flash();
}

Result<void> check_where(const Target& target, const Area& area, AddressRange range) {
  const stm32::MemoryMap& map = area.map;
  if (is_for_option_bytes(target, range)) {
    return fail(at(Errc::NotForThisDevice, range,
                   "the image holds option bytes, which are not programmed with an image"));
  }
  if (target.chip != nullptr && range.overlaps(target.chip->ram)) {
    return fail(at(Errc::NotForThisDevice, range, "the image holds data for RAM"));
  }
  if (target.flash_size && target.flash() != nullptr && &target.flash()->map == &map) {
    const AddressRange flash = AddressRange::sized(map.bounds().begin, *target.flash_size);
    if (map.contains(range) && !flash.contains(range)) {
      return fail(at(Errc::OutsideMemory, range,
                     "the chip has " + text_size(*target.flash_size) +
                         " of flash, says its size register; its layout is that of a larger one"));
    }
  }
  if (target.chip != nullptr && target.chip->has(proto::kLayoutSizeWrong) && map.contains(range) &&
      !target.chip->flash().contains(range)) {
    return fail(at(Errc::OutsideMemory, range,
                   std::string(target.chip->title) + " has at most " +
                       text_size(target.chip->flash_size_max) +
                       " of flash; some of its ROMs state a wrong layout"));
  }
  if (!map.contains(range)) {
    const Area* other = target.area_at(range.begin);
    if (other != nullptr && is_data_eeprom(target, *other)) {
      return fail(at(Errc::NotForThisDevice, range,
                     "this part is for " + other->map.name() +
                         ", which is a memory of its own "
                         "(alternate setting " +
                         decimal(other->alt_setting) + "): program it apart"));
    }
    std::string memory = map.name().empty() ? "the memory" : map.name();
    return fail(at(Errc::OutsideMemory, range,
                   memory + " is " + text(map.bounds()) + ", " + text_size(map.size()) +
                       (area.corrected.empty() ? "" : "; " + area.corrected)));
  }
  return {};
}

/// A UF2 file names the family it is for. Where several chips are possible, one must be of it.
Result<void> check_family(const Target& target, const image::Image& image) {
  const std::string_view wanted = image.family ? image::stm32_family(*image.family) : "";
  std::vector<const stm32::Chip*> chips = target.candidates;
  if (target.chip != nullptr) chips = {target.chip};
  if (wanted.empty() || chips.empty()) return {};
  if (std::ranges::any_of(chips, [&](const auto* chip) { return chip->family == wanted; })) {
    return {};
  }
  return fail(Error(Errc::WrongFamily, "its UF2 family " + hex(*image.family) + " is STM32" +
                                           std::string(wanted) + "; this chip is an STM32" +
                                           std::string(chips.front()->family))
                  .in(Stage::Plan));
}

Result<void> check_access(const stm32::MemoryMap& map, AddressRange range, bool erases_itself) {
  if (const auto bad = map.first_without(range, &stm32::Access::writable)) {
    return fail(
        at(Errc::NotWritable, range, "so says its layout string, from " + hex(*bad) + " on"));
  }
  if (erases_itself) return {};
  if (const auto bad = map.first_without(range, &stm32::Access::erasable)) {
    return fail(
        at(Errc::NotErasable, range, "so says its layout string, from " + hex(*bad) + " on"));
  }
  return {};
}

Result<void> check_write_protection(const Target& target, const Plan& plan) {
  for (const AddressRange& sector : plan.erase) {
    for (const AddressRange& area : target.write_protected) {
      if (!area.overlaps(sector)) continue;
      return fail(at(Errc::WriteProtected, area,
                     "the option bytes WRP, read back from the device, protect it"));
    }
  }
  return {};
}

/// Source: dfuse.md 3.7; ARMv7-M ARM, B1.5.3 (the Thumb bit).
Result<void> check_vectors(const Target& target, const image::Image& image, std::uint32_t start) {
  const auto implausible = [&](std::string detail) {
    return fail(at(Errc::VectorTableImplausible, AddressRange::sized(start, kCommitBytes),
                   std::move(detail)));
  };
  const auto table = image::read_vector_table(image, start);
  if (!table) return implausible("the image is shorter than a vector table");
  std::span<const AddressRange> ram = image::kAnyRam;
  const bool ram_known = target.chip != nullptr && !target.chip->ram.empty();
  if (ram_known) ram = std::span(&target.chip->ram, 1);
  const auto check = image::check_vector_table(*table, image, ram);
  if (check.plausible()) return {};
  if (!check.sp_in_ram) {
    return implausible("the initial stack pointer is " + hex(table->sp) +
                       (ram_known ? "; the RAM is " + text(target.chip->ram)
                                  : std::string("; that is not in RAM")));
  }
  if (!check.sp_aligned) {
    return implausible("the initial stack pointer is " + hex(table->sp) + ", not a multiple of 4");
  }
  if (!check.reset_is_thumb) {
    return implausible("the reset vector is " + hex(table->reset) +
                       ", without the Thumb bit (bit 0)");
  }
  const Area* flash = target.flash();
  if (flash != nullptr && flash->map.run_at(table->reset) != nullptr) {
    return fail(at(Errc::WrongBase, image.bounds(),
                   "the reset vector is " + hex(table->reset) +
                       ", outside the image: it is linked for another address"));
  }
  return implausible("the reset vector is " + hex(table->reset) + ", outside the flash");
}

/// The image with every segment grown to whole units; neighbours that meet then join.
Result<image::Image> padded(const image::Image& image, const Target& target, std::uint8_t fill) {
  const std::uint64_t unit = target.write_unit();
  std::vector<AddressRange> ranges;
  for (const image::Segment& s : image.segments()) {
    AddressRange grown{s.range().begin / unit * unit, (s.range().end + unit - 1) / unit * unit};
    if (!ranges.empty() && ranges.back().end >= grown.begin) {
      ranges.back().end = grown.end;
    } else {
      ranges.push_back(grown);
    }
  }
  image::Image result;
  for (const AddressRange& range : ranges) {
    Bytes bytes(range.size(), fill);
    image.read(range, bytes);
    TRY(result.insert(static_cast<std::uint32_t>(range.begin), bytes));
  }
  return result;
}

/// The cheaper one of those that are allowed. Where everything reads blank, perhaps because a mass
/// erase was cut short, the sectors to compare with are all of them.
bool wiping_pays(const Target& target, const Area& area, const Plan& plan, const Plan& wiping,
                 bool all_blank, const Guard& guard, Plan untouched) {
  if (!wiping.estimate.known) return false;
  if (!all_blank) return wiping.estimate.total() < plan.estimate.total();
  lay_out(target, guard, untouched);
  return wiping.estimate.total() <
         estimate(target, area.map, untouched, untouched.block_size).total();
}

/// Sector by sector, or all at once.
void choose(const Target& target, const Area& area, Plan& plan, const PlanOptions& options) {
  const std::vector<AddressRange> touched = plan.erase;
  const Guard guard = find_guard(target, plan);
  const std::vector<AddressRange> all = area.map.sectors(target.present(area));
  const bool all_blank = options.survey && options.survey->blank == touched && !options.new_chip;
  const Plan untouched = plan;
  Plan wiping = plan;
  if (options.survey) leave_out(plan, guard.sector, options);
  lay_out(target, guard, plan);
  plan.estimate = estimate(target, area.map, plan, plan.block_size);

  wiping.erase = all;
  wiping.mass_erase = true;
  lay_out(target, guard, wiping);
  wiping.estimate = estimate(target, area.map, wiping, wiping.block_size);

  Alternative sectors{"sector erase", false, plan.estimate, {}};
  Alternative mass{"mass erase", false, wiping.estimate, {}};
  mass.reason =
      plan.entry.way == WayBack::EntryCode ? "it would erase the code that enters DFU mode"
      : options.repair                     ? "a repair touches only what differs"
                                           : reason_against_mass_erase(
                                                 target, area, touched.size() == all.size() || options.may_wipe);
  const bool faster = wiping_pays(target, area, plan, wiping, all_blank, guard, untouched);
  if (mass.reason.empty() && !faster) mass.reason = "not faster";
  mass.chosen = mass.reason.empty() && !plan.nothing_to_write();
  if (plan.nothing_to_write()) mass.reason = "nothing is to be written";
  sectors.chosen = !mass.chosen;
  if (mass.chosen) {
    sectors.reason = all_blank ? "an erase that was cut short may look blank" : "slower";
    plan = std::move(wiping);
    plan.alternatives = {std::move(mass), std::move(sectors)};
  } else {
    plan.alternatives = {std::move(sectors), std::move(mass)};
  }
}

/// Data EEPROM needs no erase, and no order: nothing starts from it. What the image does not name
/// is left alone, so it is whole units.
Result<Plan> plan_data_eeprom(const Target& target, const Area& area, const image::Image& image,
                              const PlanOptions& options, Plan plan) {
  plan.payload = image;
  TRY(choose_block_size(target, plan));
  for (const image::Segment& s : image.segments()) {
    TRY(check_where(target, area, s.range()));
    TRY(check_access(area.map, s.range(), true));
    if (s.range().begin % target.write_unit() != 0 || s.range().end % target.write_unit() != 0) {
      return fail(
          at(Errc::Misaligned, s.range(),
             "data EEPROM is written in units of " + decimal(target.write_unit()) + " bytes"));
    }
    plan.verify.push_back(s.range());
    const auto sectors = area.map.sectors(s.range());
    const bool there = options.survey && std::ranges::all_of(sectors, [&](const AddressRange& r) {
                         return contains(options.survey->equal, r);
                       });
    (there ? plan.kept : plan.write).push_back(s.range());
  }
  plan.estimate = estimate(target, area.map, plan, plan.block_size);
  weigh_block_size(target, area.map, plan);
  plan.alternatives = {{"write", true, plan.estimate, "data EEPROM is erased as it is written"}};
  plan.warnings = image.warnings;
  return plan;
}

Result<void> check_entry(const Plan& plan, const EntryOptions& options) {
  if (!options.keep) return {};
  if (plan.entry.way != WayBack::EntryCode) {
    return fail(Error(Errc::Usage,
                      "--keep-entry needs code to keep: name it with --entry, or in "
                      "the information block of the image")
                    .in(Stage::Plan));
  }
  if (plan.entry.rewritten.empty()) return {};
  return fail(at(Errc::EntryCodeDiffers, plan.entry.rewritten.front(),
                 "what is there differs from the image, or was not compared"));
}

}  // namespace

std::uint64_t total_size(std::span<const AddressRange> ranges) {
  std::uint64_t sum = 0;
  for (const AddressRange& r : ranges) sum += r.size();
  return sum;
}

ByteView Plan::bytes(AddressRange range) const {
  for (const image::Segment& s : payload.segments()) {
    if (s.range().contains(range)) {
      return ByteView(s.data).subspan(range.begin - s.address, range.size());
    }
  }
  return {};
}

std::uint64_t Plan::bytes_to_erase() const {
  return total_size(erase);
}
std::uint64_t Plan::bytes_to_write() const {
  return total_size(write);
}
std::uint64_t Plan::bytes_to_verify() const {
  return total_size(verify);
}

Result<Plan> make_plan(const Target& target, const image::Image& image,
                       const PlanOptions& options) {
  if (image.empty()) return fail(Error(Errc::EmptyImage).in(Stage::Plan));
  if (target.descriptors.dfu.mode == dfu::Mode::RunTime) {
    return fail(Error(Errc::UnexpectedState, "its application runs; it is not in DFU mode")
                    .in(Stage::Plan));
  }
  if (!target.descriptors.dfu.functional.can_download()) {
    return fail(Error(Errc::CannotDownload).in(Stage::Plan));
  }
  if (target.is_read_protected()) {
    std::string signs;
    for (const std::string& s : target.read_protection_signs)
      signs += (signs.empty() ? "" : "; ") + s;
    return fail(Error(Errc::ReadProtected, signs).in(Stage::Plan));
  }
  TRY(check_family(target, image));
  const auto start = static_cast<std::uint32_t>(image.bounds().begin);
  const Area* area = target.area_at(start);
  if (area == nullptr) area = target.flash();
  if (area == nullptr) return fail(Error(Errc::NoLayout).in(Stage::Plan));

  for (const image::Segment& s : image.segments()) TRY(check_where(target, *area, s.range()));

  Plan plan;
  plan.alt_setting = area->alt_setting;
  plan.start = start;
  plan.erased_value = target.erased_value();
  if (is_data_eeprom(target, *area)) {
    return plan_data_eeprom(target, *area, image, options, std::move(plan));
  }
  TRY_ASSIGN(plan.payload, padded(image, target, plan.erased_value));
  for (const image::Segment& s : plan.payload.segments()) {
    TRY(check_where(target, *area, s.range()));
    TRY(check_access(area->map, s.range(), false));
    for (const AddressRange& sector : area->map.sectors(s.range())) {
      if (plan.erase.empty() || plan.erase.back() != sector) plan.erase.push_back(sector);
    }
  }
  if (start % target.write_unit() != 0) {
    return fail(at(Errc::Misaligned, AddressRange::sized(start, image.size()),
                   "a program starts at a multiple of " + decimal(target.write_unit())));
  }
  TRY(check_write_protection(target, plan));
  plan.has_vectors = target.chip == nullptr || target.chip->starts_by_vector_table;
  if (options.vector_table == VectorTableCheck::Require && plan.has_vectors) {
    TRY(check_vectors(target, image, start));
  }

  TRY_ASSIGN(plan.entry, find_entry(target, area->map, image, options.entry));
  for (const image::Segment& s : plan.payload.segments()) plan.verify.push_back(s.range());
  TRY(check_width(target, options.width));
  plan.width = options.width;
  TRY(choose_block_size(target, plan));
  choose(target, *area, plan, options);
  weigh_block_size(target, area->map, plan);
  TRY(check_entry(plan, options.entry));
  describe_interruption(target, area->map, plan);
  plan.warnings = image.warnings;
  return plan;
}

}  // namespace sureflash::update
