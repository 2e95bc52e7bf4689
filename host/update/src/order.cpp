#include "order.hpp"

#include <array>
#include <iterator>
#include <utility>

#include "strategy.hpp"

namespace sureflash::update {
namespace {

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

/// `block` without what is kept (sectors may be smaller than a block: L0, L1) or written apart.
void append_without(std::vector<AddressRange>& runs, std::span<const AddressRange> apart,
                    AddressRange block) {
  for (const AddressRange& k : apart) {
    const AddressRange same = block.intersection(k);
    if (same.empty()) continue;
    append(runs, {block.begin, same.begin});
    block.begin = same.end;
  }
  append(runs, block);
}

/// Runs of blocks that are not blank, leaving out `apart` (sorted).
std::vector<AddressRange> write_runs(const Plan& plan, std::span<const AddressRange> apart) {
  std::vector<AddressRange> runs;
  for (const image::Segment& segment : plan.payload.segments()) {
    const AddressRange all = segment.range();
    for (const AddressRange& block : blocks_of(std::span(&all, 1), plan.block_size)) {
      const ByteView bytes =
          ByteView(segment.data).subspan(block.begin - segment.address, block.size());
      append_without(runs, apart, is_blank(bytes, plan.erased_value) ? AddressRange{} : block);
    }
  }
  return runs;
}

/// The parts of `runs` inside (or outside) `sectors`, in rising order.
std::vector<AddressRange> parts(std::span<const AddressRange> runs,
                                std::span<const AddressRange> sectors, bool inside) {
  std::vector<AddressRange> result;
  for (AddressRange run : runs) {
    for (const AddressRange& sector : sectors) {
      const AddressRange part = run.intersection(sector);
      if (part.empty()) continue;
      if (!inside) append(result, {run.begin, part.begin});
      if (inside) append(result, part);
      run.begin = part.end;
    }
    if (!inside) append(result, run);
  }
  return result;
}

std::vector<AddressRange> sorted(std::vector<AddressRange> ranges) {
  std::ranges::sort(ranges, {}, &AddressRange::begin);
  return ranges;
}

void append_all(std::vector<AddressRange>& runs, const std::vector<AddressRange>& more) {
  runs.insert(runs.end(), more.begin(), more.end());
}

/// The guard is erased first and completed last.
void order_by_guard(Plan& plan, AddressRange guard) {
  std::ranges::stable_partition(plan.erase, [&](const AddressRange& r) { return r == guard; });
  const std::span only_guard(&guard, 1);
  const std::vector<AddressRange> runs = std::exchange(plan.write, {});
  append_all(plan.write, parts(runs, only_guard, false));
  append_all(plan.write, parts(runs, only_guard, true));
  if (!plan.commit.empty()) plan.write.push_back(plan.commit);
}

/// Puts what changes of the entry code before the rest, behind the guard's erase: a device that
/// stores nothing must not be found out by the loss of the entry code.
void put_entry_code_first(Plan& plan, AddressRange vector_words) {
  const std::vector<AddressRange>& urgent = plan.entry.rewritten;
  if (urgent.empty()) return;
  const auto behind_guard = plan.erase.begin() + (plan.commit.empty() ? 0 : 1);
  std::stable_partition(behind_guard, plan.erase.end(),
                        [&](const AddressRange& r) { return contains(urgent, r); });
  const std::vector<AddressRange> runs = std::exchange(plan.write, {});
  append_all(plan.write, parts(runs, urgent, true));
  if (!vector_words.empty()) plan.write.push_back(vector_words);
  plan.urgent_writes = plan.write.size();
  plan.urgent_erases = urgent.size() + (plan.commit.empty() ? 0 : 1);
  for (const AddressRange& run : runs)
    append_all(plan.write, parts(std::span(&run, 1), urgent, false));
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

/// Initial stack pointer and reset vector. Source: ARMv7-M ARM, B1.5.3. An empty check looks at the
/// first word alone: then that comes last, the reset vector before it.
AddressRange vector_words(const Plan& plan, std::uint64_t unit) {
  constexpr std::uint64_t kWord = 4;
  const std::uint64_t words = plan.entry.way == WayBack::EmptyCheck ? 1 : 2;
  return plan.payload.segments().front().range().intersection(
      AddressRange::sized(plan.start, std::max(words * kWord, unit)));
}

/// Of a row of blank sectors the first and the last are not trusted. An erase that was cut short
/// may read blank by chance, and a write may have left no trace yet; such cells may not keep what
/// they are given. Erasing and writing go upwards, so that it can only be one of these two.
bool is_trusted_blank(const PlanOptions& options, const AddressRange& sector) {
  const Survey& survey = *options.survey;
  if (options.new_chip) return contains(survey.blank, sector);
  const auto is_blank_at = [&](auto end, std::uint64_t address) {
    return std::ranges::find(survey.blank, address, end) != survey.blank.end();
  };
  return contains(survey.blank, sector) && is_blank_at(&AddressRange::begin, sector.end) &&
         is_blank_at(&AddressRange::end, sector.begin);
}

/// A write that was cut short may read right by chance. What comes after it in the order of writing
/// is then blank; after the last sector comes the guard.
bool is_trusted_equal(const Survey& survey, std::span<const AddressRange> touched,
                      const AddressRange& sector) {
  if (!contains(survey.equal, sector)) return false;
  const auto next =
      std::ranges::find_if(touched, [&](const AddressRange& t) { return t.begin >= sector.end; });
  return next != touched.end() ? !contains(survey.blank, *next) : !survey.unfinished;
}

}  // namespace

void leave_out(Plan& plan, AddressRange guard, const PlanOptions& options) {
  const Survey& survey = *options.survey;
  const std::vector<AddressRange> touched = sorted(std::exchange(plan.erase, {}));
  const bool all_equal = std::ranges::all_of(
      touched, [&](const AddressRange& sector) { return contains(survey.equal, sector); });
  const auto stays = [&](const AddressRange& sector) {
    if (all_equal) return true;
    if (contains(plan.entry.sectors, sector) || options.repair) {
      return contains(survey.equal, sector);
    }
    return sector != guard && is_trusted_equal(survey, touched, sector);
  };
  for (const AddressRange& sector : touched) {
    if (stays(sector)) {
      for (const image::Segment& s : plan.payload.segments()) {
        append(plan.kept, s.range().intersection(sector));
      }
    } else if (sector == guard || contains(plan.entry.sectors, sector) ||
               !is_trusted_blank(options, sector)) {
      plan.erase.push_back(sector);
    }
  }
}

Guard find_guard(const Target& target, const Plan& plan) {
  const std::uint64_t unit = target.write_unit();
  if (plan.entry.way != WayBack::EntryCode) {
    return {plan.erase.front(), vector_words(plan, unit)};
  }
  for (const AddressRange& sector : plan.erase) {
    if (contains(plan.entry.sectors, sector)) continue;
    for (const image::Segment& s : plan.payload.segments()) {
      const AddressRange part = s.range().intersection(sector);
      for (std::uint64_t at = part.begin; at < part.end; at += unit) {
        const ByteView bytes = ByteView(s.data).subspan(at - s.address, unit);
        if (!is_blank(bytes, plan.erased_value)) return {sector, AddressRange::sized(at, unit)};
      }
    }
  }
  return {};
}

void lay_out(const Target& target, const Guard& guard, Plan& plan) {
  plan.commit = contains(plan.erase, guard.sector) ? guard.commit : AddressRange{};
  if (plan.erase.empty()) return;
  std::vector<AddressRange> apart = plan.kept;
  apart.push_back(plan.commit);
  AddressRange entry_words;
  if (plan.entry.way == WayBack::EntryCode) {
    std::ranges::copy_if(sorted(plan.erase), std::back_inserter(plan.entry.rewritten),
                         [&](const AddressRange& r) { return contains(plan.entry.sectors, r); });
    entry_words = vector_words(plan, target.write_unit());
    const bool change = std::ranges::any_of(
        plan.entry.rewritten, [&](const AddressRange& r) { return r.contains(entry_words); });
    if (!change) entry_words = {};
    apart.push_back(entry_words);
  }
  plan.write = write_runs(plan, sorted(apart));
  order_by_guard(plan, guard.sector);
  put_entry_code_first(plan, entry_words);
  plan.also_erased = uncovered(plan);
}

}  // namespace sureflash::update
