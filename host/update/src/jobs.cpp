#include <algorithm>

#include "flash_access.hpp"

#include "sureflash/base/text.hpp"

namespace sureflash::update {
namespace {

constexpr std::uint64_t kBlocksPerStep = 8;

/// Runs a job on a session; after an error the device is brought to dfuIDLE.
template <class T>
Task<T> settled(Session& session, Task<T> job, Stage stage) {
  co_await session.open();
  auto result = co_await caught(std::move(job));
  if (!result) {
    Error error = std::move(result).error();
    co_await session.settle(error);
    if (error.stage == Stage::None) error.stage = stage;
    co_return fail(std::move(error));
  }
  co_return std::move(result);
}

Result<void> check_readable(const Target& target, AddressRange range) {
  const Area* area = target.area_at(range.begin);
  if (area == nullptr || !area->map.contains(range)) {
    return fail(outside_memory(target, Stage::Read, range));
  }
  if (area->map.first_without(range, &stm32::Access::readable)) {
    return fail(Error(Errc::NotReadable).in(Stage::Read, range));
  }
  if (target.is_read_protected()) {
    return fail(
        Error(Errc::ReadProtected, target.read_protection_signs.front()).in(Stage::Read, range));
  }
  return {};
}

Task<Bytes> read_all(Session& session, AddressRange range) {
  Bytes bytes(range.size());
  const std::uint64_t piece = kBlocksPerStep * session.target().transfer_size();
  for (std::uint64_t done = 0; done < range.size();) {
    const std::uint64_t size = std::min(piece, range.size() - done);
    const AddressRange now = AddressRange::sized(range.begin + done, size);
    co_await session.progress({Progress::Activity::Reading, done, range.size(), now});
    co_await session.dfuse().read(static_cast<std::uint32_t>(now.begin),
                                  ByteSpan(bytes).subspan(done, size));
    done += size;
  }
  co_await session.progress({Progress::Activity::Reading, range.size(), range.size(), range});
  co_return bytes;
}

/// Whether `range` is blank; reads it piece by piece and stops at the first byte that is not.
Task<std::optional<std::uint64_t>> first_not_blank(Session& session, AddressRange range) {
  const std::uint64_t piece = kBlocksPerStep * session.target().transfer_size();
  while (!range.empty()) {
    const AddressRange now{range.begin, std::min(range.end, range.begin + piece)};
    const Bytes bytes = co_await session.read(now);
    const auto it =
        std::ranges::find_if(bytes, [&](std::uint8_t b) { return b != session.erased_value(); });
    if (it != bytes.end()) {
      co_return now.begin + static_cast<std::uint64_t>(it - bytes.begin());
    }
    range.begin = now.end;
  }
  co_return std::nullopt;
}

Task<> prove_blank(Session& session, std::span<const AddressRange> sectors, Outcome& outcome) {
  const Duration began = co_await time_of_last_answer();
  const std::uint64_t total = total_size(sectors);
  for (const AddressRange& sector : sectors) {
    co_await session.progress(
        {Progress::Activity::Verifying, outcome.bytes_verified, total, sector});
    const auto bad = co_await first_not_blank(session, sector);
    if (bad) {
      co_await fail(
          Error(Errc::EraseHadNoEffect, hex(*bad) + " is not blank").in(Stage::Verify, sector));
    }
    outcome.bytes_verified += sector.size();
  }
  co_await session.progress({Progress::Activity::Verifying, total, total, {}});
  outcome.verify_time = co_await time_of_last_answer() - began;
  outcome.proven = true;
}

Task<Outcome> erase_sectors(Session& session, std::vector<AddressRange> sectors,
                            Observations& seen) {
  Outcome outcome;
  FlashAccess flash(session, seen);
  const Duration began = co_await time_of_last_answer();
  const std::uint64_t total = total_size(sectors);
  for (const AddressRange& sector : sectors) {
    co_await session.progress({Progress::Activity::Erasing, outcome.bytes_erased, total, sector});
    co_await flash.erase(sector);
    if (outcome.bytes_erased == 0) {
      // The first one is proven at once: a device that erases nothing is found out early.
      const auto bad = co_await first_not_blank(session, sector);
      seen.after_erase = bad ? ReadBack::Other : ReadBack::Blank;
      if (bad) co_return fail(Error(Errc::EraseHadNoEffect).in(Stage::Erase, sector));
    }
    outcome.bytes_erased += sector.size();
  }
  outcome.erase_time = co_await time_of_last_answer() - began;
  co_await prove_blank(session, sectors, outcome);
  co_return outcome;
}

Task<Outcome> mass_erase(Session& session, const Area& area, Observations& seen) {
  Outcome outcome;
  const AddressRange all = session.target().present(area);
  const Duration began = co_await time_of_last_answer();
  co_await session.progress({Progress::Activity::Erasing, 0, all.size(), all});
  auto report = co_await caught(session.dfuse().mass_erase());
  if (!report) co_return fail(std::move(report).error().in(Stage::Erase, all));
  seen.erase = *report;
  seen.erased = all;
  outcome.bytes_erased = all.size();
  outcome.erase_time = co_await time_of_last_answer() - began;
  std::vector<AddressRange> runs;
  for (const stm32::SectorRun& run : area.map.runs()) {
    const AddressRange part = run.range.intersection(all);
    if (!part.empty()) runs.push_back(part);
  }
  co_await prove_blank(session, runs, outcome);
  co_return outcome;
}

Result<void> check_erasable(const Target& target, const Area& area, AddressRange range) {
  if (!area.map.contains(range)) {
    return fail(outside_memory(target, Stage::Erase, range));
  }
  if (const auto bad = area.map.first_without(range, &stm32::Access::erasable)) {
    return fail(Error(Errc::NotErasable, "from " + hex(*bad) + " on").in(Stage::Plan, range));
  }
  if (target.is_read_protected()) {
    return fail(
        Error(Errc::ReadProtected, target.read_protection_signs.front()).in(Stage::Plan, range));
  }
  for (const AddressRange& wrp : target.write_protected) {
    if (wrp.overlaps(range)) {
      return fail(
          Error(Errc::WriteProtected, "the option bytes WRP, read back from the device, protect it")
              .in(Stage::Plan, wrp));
    }
  }
  return {};
}

}  // namespace

Task<Bytes> read(const Target& target, AddressRange range) {
  co_await check_readable(target, range);
  Session session(target, target.area_at(range.begin)->alt_setting);
  co_return co_await settled(session, read_all(session, range), Stage::Read);
}

Task<Outcome> erase(const Target& target, std::vector<AddressRange> ranges,
                    Observations& observations) {
  std::vector<AddressRange> sectors;
  const Area* area = nullptr;
  for (const AddressRange& range : ranges) {
    const Area* here = target.area_at(range.begin);
    if (here == nullptr || (area != nullptr && here != area)) {
      co_return fail(outside_memory(target, Stage::Erase, range));
    }
    area = here;
    co_await check_erasable(target, *area, range);
    for (const AddressRange& sector : area->map.sectors(range)) {
      co_await check_erasable(target, *area, sector);
      if (std::ranges::find(sectors, sector) == sectors.end()) sectors.push_back(sector);
    }
  }
  if (area == nullptr) co_return fail(Error(Errc::Usage, "nothing to erase").in(Stage::Plan));
  Session session(target, area->alt_setting);
  co_return co_await settled(session, erase_sectors(session, sectors, observations), Stage::Erase);
}

Task<Outcome> erase_all(const Target& target, Observations& observations) {
  const Area* area = target.flash();
  if (area == nullptr) co_return fail(Error(Errc::NoLayout).in(Stage::Plan));
  for (const stm32::SectorRun& run : area->map.runs()) {
    co_await check_erasable(target, *area, run.range);
  }
  Session session(target, area->alt_setting);
  co_return co_await settled(session, mass_erase(session, *area, observations), Stage::Erase);
}

Task<std::vector<bool>> blank_sectors(const Target& target, const Area& area) {
  std::vector<bool> blank;
  Session session(target, area.alt_setting);
  co_await session.open();
  const AddressRange all = target.present(area);
  const std::uint64_t total = all.size();
  std::uint64_t done = 0;
  for (const AddressRange& sector : area.map.sectors(all)) {
    co_await session.progress({Progress::Activity::Reading, done, total, sector});
    blank.push_back(!co_await first_not_blank(session, sector));
    done += sector.size();
  }
  co_await session.progress({Progress::Activity::Reading, total, total, {}});
  co_return blank;
}

}  // namespace sureflash::update
