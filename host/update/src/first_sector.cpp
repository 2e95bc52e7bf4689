#include "first_sector.hpp"

#include <algorithm>

namespace sureflash::update {
namespace {

constexpr std::uint64_t kProbeBytes = 64;

}  // namespace

FirstSector::FirstSector(Session& session, FlashAccess& flash, const Plan& plan,
                         std::span<const AddressRange> blocks, Observations& seen)
    : session_(&session), flash_(&flash), plan_(&plan), seen_(&seen) {
  if (plan.erase.empty()) return;
  sector_ = plan.erase.front();
  const auto it = std::ranges::find_if(
      blocks, [&](const AddressRange& b) { return sector_.contains(b) && b != plan.commit; });
  if (it != blocks.end()) {
    block_ = *it;
  } else if (blocks.size() == 1) {
    // What comes last cannot be tried first, unless it is all there is.
    block_ = plan.commit;
  }
}

Task<> FirstSector::run() {
  co_await erase();
  if (block_.empty()) {
    co_await judge_erase();
  } else {
    co_await write();
    co_await judge_write();
    stored_ = true;
  }
}

Task<> FirstSector::erase() {
  const AddressRange probe = AddressRange::sized(
      sector_.begin, std::min<std::uint64_t>(sector_.size(), session_->target().transfer_size()));
  const auto before = co_await flash_->try_read(probe);
  seen_->before_erase = !before                       ? ReadBack::Refused
                        : session_->is_blank(*before) ? ReadBack::Blank
                                                      : ReadBack::Other;
  const auto neighbour = co_await probe_neighbour();
  co_await flash_->erase(sector_);
  const auto after = co_await flash_->try_read(probe);
  seen_->after_erase = !after                                          ? ReadBack::Refused
                       : session_->is_blank(*after)                    ? ReadBack::Blank
                       : before && std::ranges::equal(*before, *after) ? ReadBack::Unchanged
                                                                       : ReadBack::Other;
  if (neighbour && !session_->is_blank(*neighbour)) {
    const auto now = co_await flash_->try_read(neighbour_);
    seen_->erased_too_much = now && session_->is_blank(*now);
  }
}

/// A few bytes of the sector after the first one, planned or not. If something is to be kept, that.
Task<std::optional<Bytes>> FirstSector::probe_neighbour() {
  const Area* area = session_->target().area_at(sector_.begin);
  neighbour_ = AddressRange::sized(plan_->kept.empty() ? sector_.end : plan_->kept.front().begin,
                                   kProbeBytes);
  if (area == nullptr || !area->map.contains(neighbour_)) co_return std::nullopt;
  co_return co_await flash_->try_read(neighbour_);
}

Task<> FirstSector::write() {
  co_await flash_->write(block_, expected());
  const auto actual = co_await flash_->try_read(block_);
  seen_->after_write = !actual                                     ? ReadBack::Refused
                       : std::ranges::equal(expected(), *actual)   ? ReadBack::Expected
                       : session_->is_blank(*actual)               ? ReadBack::Blank
                       : seen_->after_erase == ReadBack::Unchanged ? ReadBack::Unchanged
                                                                   : ReadBack::Other;
}

/// Nothing is to be written into the sector that was erased first.
Task<> FirstSector::judge_erase() {
  readable_ = seen_->after_erase != ReadBack::Refused;
  if (!readable_ || seen_->after_erase == ReadBack::Blank) co_return;
  co_await fail(Error(Errc::EraseHadNoEffect).in(Stage::Erase, sector_));
}

Task<> FirstSector::judge_write() {
  if (seen_->after_write == ReadBack::Expected) co_return;
  if (seen_->after_write == ReadBack::Refused) {
    readable_ = false;
    // Flash cannot be that fast: nothing was stored, whatever the device says.
    if (too_fast()) co_await fail(Error(Errc::DataNotStored).in(Stage::Program, block_));
    co_return;
  }
  if (seen_->after_erase == ReadBack::Unchanged && seen_->after_write == ReadBack::Unchanged) {
    co_await fail(Error(Errc::DataNotStored).in(Stage::Program, sector_));
  }
  if (seen_->after_erase == ReadBack::Unchanged || seen_->after_erase == ReadBack::Other) {
    co_await fail(Error(Errc::EraseHadNoEffect).in(Stage::Erase, sector_));
  }
  const bool blank = seen_->after_write == ReadBack::Blank;
  co_await fail(
      Error(blank ? Errc::DataNotStored : Errc::VerifyMismatch).in(Stage::Program, block_));
}

/// Erase and write together took less than half of what the data sheet calls the minimum; without a
/// known chip, less than any STM32 needs (H5 erases in 2 ms; F4 programs 1 KiB in 4 ms).
bool FirstSector::too_fast() const {
  if (!seen_->erase || !seen_->write) return false;
  Duration floor = 10ms;
  if (const stm32::Chip* chip = session_->target().chip; chip != nullptr) {
    const Duration least =
        chip->sector_erase.min +
        chip->program.min * static_cast<Duration::rep>(block_.size() / chip->program_unit);
    if (least > Duration::zero()) floor = least;
  }
  return seen_->erase->took + seen_->write->took < floor / 2;
}

Task<> FirstSector::look_again() {
  if (!readable_ || block_.empty() || session_->is_blank(expected())) co_return;
  const auto actual = co_await flash_->try_read(block_);
  if (!actual || !session_->is_blank(*actual)) co_return;
  seen_->erased_too_much = true;
  stored_ = false;
}

Task<> FirstSector::expect_wiped() {
  stored_ = false;
  if (!readable_ || session_->is_blank(expected())) co_return;
  const auto actual = co_await flash_->try_read(block_);
  if (actual && session_->is_blank(*actual)) co_return;
  co_await fail(Error(Errc::EraseHadNoEffect, "mass erase").in(Stage::Erase, block_));
}

ByteView FirstSector::expected() const {
  return plan_->bytes(block_);
}

}  // namespace sureflash::update
