#include "sureflash/update/plan.hpp"

#include <algorithm>

#include "strategy.hpp"

#include "sureflash/base/text.hpp"
#include "sureflash/image/vector_table.hpp"

namespace sureflash::update {
namespace {

/// Initial stack pointer and reset vector. Source: ARMv7-M ARM, B1.5.3.
constexpr std::uint64_t kCommitBytes = 8;

Error at(Errc code, AddressRange range, std::string detail) {
  return Error(code, std::move(detail)).in(Stage::Plan, range);
}

Result<void> check_where(const Target& target, const stm32::MemoryMap& map, AddressRange range) {
  if (target.chip != nullptr && range.overlaps(target.chip->option_bytes)) {
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
    std::string memory = map.name().empty() ? "the memory" : map.name();
    return fail(at(Errc::OutsideMemory, range,
                   memory + " is " + text(map.bounds()) + ", " + text_size(map.size())));
  }
  return {};
}

Result<void> check_access(const stm32::MemoryMap& map, AddressRange range) {
  if (const auto bad = map.first_without(range, &stm32::Access::writable)) {
    return fail(
        at(Errc::NotWritable, range, "so says its layout string, from " + hex(*bad) + " on"));
  }
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

bool is_blank(ByteView bytes, std::uint8_t erased_value) {
  return std::ranges::all_of(bytes, [&](std::uint8_t b) { return b == erased_value; });
}

void append(std::vector<AddressRange>& runs, AddressRange range) {
  if (range.empty()) return;
  if (!runs.empty() && runs.back().end == range.begin) {
    runs.back().end = range.end;
  } else {
    runs.push_back(range);
  }
}

/// `block` without what is kept: sectors may be smaller than a block (L0, L1).
void append_unkept(std::vector<AddressRange>& runs, std::span<const AddressRange> kept,
                   AddressRange block) {
  for (const AddressRange& k : kept) {
    const AddressRange same = block.intersection(k);
    if (same.empty()) continue;
    append(runs, {block.begin, same.begin});
    block.begin = same.end;
  }
  append(runs, block);
}

/// Runs of blocks that are not blank, leaving out `commit` and what is kept.
std::vector<AddressRange> write_runs(const Plan& plan, std::uint16_t transfer_size) {
  std::vector<AddressRange> runs;
  for (const image::Segment& segment : plan.payload.segments()) {
    AddressRange left = segment.range();
    if (left.begin == plan.commit.begin) left.begin = plan.commit.end;
    while (!left.empty()) {
      // Blocks end at multiples of the transfer size, so that a sector is whole blocks.
      const std::uint64_t end =
          std::min(left.end, (left.begin / transfer_size + 1) * transfer_size);
      const AddressRange block{left.begin, end};
      const ByteView bytes =
          ByteView(segment.data).subspan(block.begin - segment.address, block.size());
      append_unkept(runs, plan.kept, is_blank(bytes, plan.erased_value) ? AddressRange{} : block);
      left.begin = end;
    }
  }
  return runs;
}

void order_for_safety(Plan& plan, AddressRange vector_sector) {
  // First erased, last written: see the header.
  std::ranges::stable_partition(plan.erase,
                                [&](const AddressRange& r) { return r == vector_sector; });
  std::vector<AddressRange> others;
  std::vector<AddressRange> vector_runs;
  for (const AddressRange& run : plan.write) {
    append(vector_runs, run.intersection(vector_sector));
    if (run.begin < vector_sector.begin) append(others, {run.begin, vector_sector.begin});
    if (run.end > vector_sector.end) {
      append(others, {std::max(run.begin, vector_sector.end), run.end});
    }
  }
  plan.write = std::move(others);
  plan.write.insert(plan.write.end(), vector_runs.begin(), vector_runs.end());
  plan.write.push_back(plan.commit);
}

std::vector<AddressRange> uncovered(const Plan& plan) {
  std::vector<AddressRange> result;
  std::vector<AddressRange> sectors = plan.erase;
  std::ranges::sort(sectors, {}, &AddressRange::begin);
  for (AddressRange sector : sectors) {
    for (const image::Segment& segment : plan.payload.segments()) {
      const AddressRange part = segment.range().intersection(sector);
      if (part.empty()) continue;
      append(result, {sector.begin, part.begin});
      sector.begin = part.end;
    }
    append(result, sector);
  }
  return result;
}

/// Takes out of `plan` what the survey makes needless. If anything is to be written, the sector of
/// the vector table is erased and written as well: half an application never starts.
void leave_out(Plan& plan, const Survey& survey) {
  const auto is_in = [](const std::vector<AddressRange>& sectors, const AddressRange& sector) {
    return std::ranges::find(sectors, sector) != sectors.end();
  };
  const AddressRange vectors = plan.erase.front();
  const bool all_equal = std::ranges::all_of(
      plan.erase, [&](const AddressRange& sector) { return is_in(survey.equal, sector); });
  std::vector<AddressRange> erase;
  for (const AddressRange& sector : plan.erase) {
    if (sector == vectors && !all_equal) {
      erase.push_back(sector);
    } else if (is_in(survey.equal, sector)) {
      for (const image::Segment& s : plan.payload.segments()) {
        append(plan.kept, s.range().intersection(sector));
      }
    } else if (!is_in(survey.blank, sector)) {
      erase.push_back(sector);
    }
  }
  plan.erase = std::move(erase);
}

/// Where the way to erase is known: what is written, in which order.
void lay_out(const Target& target, AddressRange vector_sector, Plan& plan) {
  if (plan.erase.empty()) return;
  plan.write = write_runs(plan, target.transfer_size());
  order_for_safety(plan, vector_sector);
  plan.also_erased = uncovered(plan);
}

/// Sector by sector, or all at once: the cheaper one of those that are allowed.
void choose(const Target& target, const Area& area, Plan& plan, const PlanOptions& options) {
  const AddressRange vector_sector = plan.erase.front();
  const std::vector<AddressRange> touched = plan.erase;
  const std::vector<AddressRange> all = area.map.sectors(area.map.bounds());
  Plan wiping = plan;
  if (options.survey) leave_out(plan, *options.survey);
  lay_out(target, vector_sector, plan);
  plan.estimate = estimate(target, area.map, plan);

  wiping.erase = all;
  wiping.mass_erase = true;
  lay_out(target, vector_sector, wiping);
  wiping.estimate = estimate(target, area.map, wiping);

  Alternative sectors{"sector erase", false, plan.estimate, {}};
  Alternative mass{"mass erase", false, wiping.estimate, {}};
  mass.reason =
      reason_against_mass_erase(target, area, touched.size() == all.size() || options.may_wipe);
  const bool faster = wiping.estimate.known && wiping.estimate.total() < plan.estimate.total();
  if (mass.reason.empty() && !faster) mass.reason = "not faster";
  mass.chosen = mass.reason.empty() && !plan.nothing_to_write();
  if (plan.nothing_to_write()) mass.reason = "nothing is to be written";
  sectors.chosen = !mass.chosen;
  if (mass.chosen) {
    sectors.reason = "slower";
    plan = std::move(wiping);
    plan.alternatives = {std::move(mass), std::move(sectors)};
  } else {
    plan.alternatives = {std::move(sectors), std::move(mass)};
  }
}

}  // namespace

std::uint64_t total_size(std::span<const AddressRange> ranges) {
  std::uint64_t sum = 0;
  for (const AddressRange& r : ranges) sum += r.size();
  return sum;
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
  const auto start = static_cast<std::uint32_t>(image.bounds().begin);
  const Area* area = target.area_at(start);
  if (area == nullptr) area = target.flash();
  if (area == nullptr) return fail(Error(Errc::NoLayout).in(Stage::Plan));

  for (const image::Segment& s : image.segments()) TRY(check_where(target, area->map, s.range()));

  Plan plan;
  plan.alt_setting = area->alt_setting;
  plan.start = start;
  plan.erased_value = target.erased_value();
  TRY_ASSIGN(plan.payload, padded(image, target, plan.erased_value));
  for (const image::Segment& s : plan.payload.segments()) {
    TRY(check_where(target, area->map, s.range()));
    TRY(check_access(area->map, s.range()));
    for (const AddressRange& sector : area->map.sectors(s.range())) {
      if (plan.erase.empty() || plan.erase.back() != sector) plan.erase.push_back(sector);
    }
  }
  if (start % target.write_unit() != 0) {
    return fail(at(Errc::Misaligned, AddressRange::sized(start, image.size()),
                   "a program starts at a multiple of " + decimal(target.write_unit())));
  }
  TRY(check_write_protection(target, plan));
  if (options.vector_table == VectorTableCheck::Require) {
    TRY(check_vectors(target, image, start));
  }

  const std::uint64_t commit_size = std::max<std::uint64_t>(kCommitBytes, target.write_unit());
  plan.commit =
      plan.payload.segments().front().range().intersection(AddressRange::sized(start, commit_size));
  for (const image::Segment& s : plan.payload.segments()) plan.verify.push_back(s.range());
  TRY(check_width(target, options.width));
  plan.width = options.width;
  choose(target, *area, plan, options);
  plan.warnings = image.warnings;
  return plan;
}

}  // namespace sureflash::update
