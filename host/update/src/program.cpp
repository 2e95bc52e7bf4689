#include "sureflash/update/program.hpp"

#include <algorithm>

#include "session.hpp"
#include "strategy.hpp"

#include "sureflash/base/text.hpp"

namespace sureflash::update {
namespace {

constexpr std::uint64_t kProbeBytes = 64;

ByteView bytes_of(const image::Image& image, AddressRange range) {
  for (const image::Segment& s : image.segments()) {
    if (s.range().contains(range))
      return ByteView(s.data).subspan(range.begin - s.address, range.size());
  }
  return {};
}

/// One run of a plan; see program() for the order.
class Programmer {
 public:
  Programmer(Session& session, const Plan& plan, Observations& observations)
      : session_(session), plan_(plan), seen_(observations) {
    urgent_blocks_ = blocks(std::span(plan.write).first(plan.urgent_writes));
    blocks_ = blocks(std::span(plan.write).subspan(plan.urgent_writes));
    if (plan.erase.empty()) return;  // nothing to write, or data EEPROM
    trial_ = trial_in(urgent_blocks_);
    if (trial_.empty()) trial_ = trial_in(blocks_);
    // What comes last cannot be tried first, unless it is all there is.
    if (trial_.empty() && urgent_blocks_.size() + blocks_.size() == 1) trial_ = plan.commit;
  }

  Task<Outcome> run() {
    co_await state_supply();
    co_await session_.open();
    if (!plan_.nothing_to_write()) {
      co_await erase_sectors(0, plan_.urgent_erases);
      co_await write_blocks(urgent_blocks_);
      if (!urgent_blocks_.empty()) co_await look_at_urgent_erases();
      co_await erase_sectors(plan_.urgent_erases, plan_.erase.size());
      co_await write_blocks(blocks_);
    }
    Outcome outcome;
    if (readable_) {
      outcome = co_await compare(session_, plan_.payload, seen_);
    } else {
      warnings_.emplace_back("the device does not let its flash be read: nothing is proven");
    }
    outcome.bytes_erased = bytes_erased_;
    outcome.bytes_written = bytes_written_;
    outcome.erase_time = erase_time_;
    outcome.write_time = write_time_;
    outcome.warnings = std::move(warnings_);
    co_return outcome;
  }

 private:
  /// A block of the sector that is erased first, and not the commit.
  AddressRange trial_in(std::span<const AddressRange> blocks) const {
    const auto it = std::ranges::find_if(blocks, [&](const AddressRange& b) {
      return plan_.erase.front().contains(b) && b != plan_.commit;
    });
    return it != blocks.end() ? *it : AddressRange{};
  }

  std::vector<AddressRange> blocks(std::span<const AddressRange> runs) const {
    std::vector<AddressRange> result;
    const std::uint64_t size = session_.target().transfer_size();
    for (AddressRange run : runs) {
      while (!run.empty()) {
        const std::uint64_t end = std::min(run.end, (run.begin / size + 1) * size);
        result.push_back({run.begin, end});
        run.begin = end;
      }
    }
    return result;
  }

  /// Tells a ROM of F2, F4 or F7 that it may program 32 bits at once. AN2606, 4.4, table 4: byte 0
  /// is 3 for 2.7 V to 3.6 V, the others stay 0xFF.
  Task<> state_supply() {
    if (plan_.width == stm32::ProgramWidth::Usual || plan_.nothing_to_write()) co_return;
    constexpr std::array<std::uint8_t, 4> kSupply{0x03, 0xFF, 0xFF, 0xFF};
    co_await session_.dfuse().select(device_feature(session_.target())->alt_setting);
    auto told = co_await caught(session_.dfuse().write(kDeviceFeatureAddress, kSupply));
    if (told) co_return;
    if (told.error().code != Errc::DeviceReportsError) co_await fail(std::move(told).error());
    warnings_.emplace_back("the device refuses to be told its supply; it programs byte by byte");
  }

  /// One command for everything. Whether it was obeyed shows at the trial block.
  Task<> erase_at_once() {
    const AddressRange first = plan_.erase.front();
    co_await session_.progress(
        {Progress::Activity::Erasing, first.size(), plan_.bytes_to_erase(), plan_.erase.back()});
    auto report = co_await caught(session_.dfuse().mass_erase());
    if (!report) co_await fail(std::move(report).error().in(Stage::Erase));
    bytes_erased_ = plan_.bytes_to_erase();
    trial_is_stored_ = false;
    bytes_written_ -= trial_.size();
    if (!readable_ || session_.is_blank(bytes_of(plan_.payload, trial_))) co_return;
    const auto actual = co_await try_read(trial_);
    if (actual && session_.is_blank(*actual)) co_return;
    co_await fail(Error(Errc::EraseHadNoEffect, "mass erase").in(Stage::Erase, trial_));
  }

  /// Erases plan_.erase[first..last); the trial is part of the first one.
  Task<> erase_sectors(std::size_t first, std::size_t last) {
    if (first == last || everything_is_erased_) co_return;
    const Duration began = co_await time_of_last_answer();
    const std::uint64_t total = plan_.bytes_to_erase();
    for (std::size_t i = first; i < last && !everything_is_erased_; ++i) {
      const AddressRange sector = plan_.erase[i];
      co_await session_.progress({Progress::Activity::Erasing, bytes_erased_, total, sector});
      if (i == 0) {
        co_await first_erase(sector);
        co_await trial_write();
      } else {
        co_await erase_sector(sector);
      }
      bytes_erased_ += sector.size();
      if (plan_.mass_erase) {
        co_await erase_at_once();
        everything_is_erased_ = true;
      } else {
        // Between erasing and writing urgent sectors there is no time to look.
        if (i == 1 && plan_.urgent_erases == 0) co_await look_for_trial();
        if (seen_.erased_too_much) erased_everything(i);
      }
    }
    if (last == plan_.erase.size()) {
      co_await session_.progress({Progress::Activity::Erasing, total, total, plan_.erase.back()});
    }
    erase_time_ += co_await time_of_last_answer() - began;
  }

  /// Before anything else is erased: it would wipe what is urgent again.
  Task<> look_at_urgent_erases() {
    if (plan_.urgent_erases < 2 || seen_.erased_too_much) co_return;
    co_await look_for_trial();
    if (seen_.erased_too_much) erased_everything(plan_.urgent_erases - 1);
  }

  /// After erase number `i`: erasing the rest would take minutes and destroy the same again
  /// (dfuse.md 7.3).
  void erased_everything(std::size_t i) {
    everything_is_erased_ = true;
    write_kept_as_well();
    if (i + 1 == plan_.erase.size()) return;
    warnings_.emplace_back(
        "the device erases all of its application memory on every erase command; the "
        "remaining erase commands were left out");
  }

  /// What was to be kept is lost as well: it goes first, so that the order stays safe.
  void write_kept_as_well() {
    const auto lost = blocks(plan_.kept);
    blocks_.insert(blocks_.begin(), lost.begin(), lost.end());
  }

  /// H74x: the erase is done, and the ROM hangs. Reading back shows whether it is.
  Task<bool> is_only_stuck(const Error& error, AddressRange sector) {
    if (error.code != Errc::StuckBusy) co_return false;
    co_await session_.dfuse().unstick();
    const auto bytes = co_await try_read(sector);
    co_return bytes&& session_.is_blank(*bytes);
  }

  Task<> erase_sector(AddressRange sector) {
    auto report =
        co_await caught(session_.dfuse().erase_sector(static_cast<std::uint32_t>(sector.begin)));
    if (!report && co_await is_only_stuck(report.error(), sector)) co_return;
    if (!report) co_await fail(std::move(report).error().in(Stage::Erase, sector));
    if (!seen_.erase) {
      seen_.erase = *report;
      seen_.erased = sector;
    }
  }

  /// Erases the first sector and looks whether that did anything.
  Task<> first_erase(AddressRange sector) {
    const AddressRange probe = AddressRange::sized(
        sector.begin, std::min<std::uint64_t>(sector.size(), session_.target().transfer_size()));
    const auto before = co_await try_read(probe);
    seen_.before_erase = !before                      ? ReadBack::Refused
                         : session_.is_blank(*before) ? ReadBack::Blank
                                                      : ReadBack::Other;
    const auto neighbour = co_await probe_neighbour(sector);
    co_await erase_sector(sector);
    const auto after = co_await try_read(probe);
    seen_.after_erase = !after                                          ? ReadBack::Refused
                        : session_.is_blank(*after)                     ? ReadBack::Blank
                        : before && std::ranges::equal(*before, *after) ? ReadBack::Unchanged
                                                                        : ReadBack::Other;
    if (neighbour && !session_.is_blank(*neighbour)) {
      const auto now = co_await try_read(neighbour_);
      seen_.erased_too_much = now && session_.is_blank(*now);
    }
  }

  /// A few bytes of the sector after the first one, planned or not.
  /// If something is to be kept, that.
  Task<std::optional<Bytes>> probe_neighbour(AddressRange sector) {
    const Area* area = session_.target().area_at(sector.begin);
    neighbour_ = AddressRange::sized(plan_.kept.empty() ? sector.end : plan_.kept.front().begin,
                                     kProbeBytes);
    if (area == nullptr || !area->map.contains(neighbour_)) co_return std::nullopt;
    co_return co_await try_read(neighbour_);
  }

  /// Writes the trial block and looks whether it was stored.
  Task<> trial_write() {
    if (trial_.empty()) co_await judge_erase();
    if (trial_.empty()) co_return;
    co_await write_block(trial_);
    const auto actual = co_await try_read(trial_);
    const ByteView expected = bytes_of(plan_.payload, trial_);
    if (!actual) {
      seen_.after_write = ReadBack::Refused;
    } else if (std::ranges::equal(expected, *actual)) {
      seen_.after_write = ReadBack::Expected;
    } else if (session_.is_blank(*actual)) {
      seen_.after_write = ReadBack::Blank;
    } else {
      seen_.after_write =
          seen_.after_erase == ReadBack::Unchanged ? ReadBack::Unchanged : ReadBack::Other;
    }
    co_await judge_trial();
    trial_is_stored_ = true;
  }

  /// Nothing is to be written into the sector that was erased first.
  Result<void> judge_erase() {
    readable_ = seen_.after_erase != ReadBack::Refused;
    if (!readable_ || seen_.after_erase == ReadBack::Blank) return {};
    return fail(Error(Errc::EraseHadNoEffect).in(Stage::Erase, plan_.erase.front()));
  }

  Task<> judge_trial() {
    if (seen_.after_write == ReadBack::Expected) {
      readable_ = true;
      co_return;
    }
    if (seen_.after_write == ReadBack::Refused) {
      readable_ = false;
      // Flash cannot be that fast: nothing was stored, whatever the device says.
      if (too_fast()) co_await fail(Error(Errc::DataNotStored).in(Stage::Program, trial_));
      co_return;
    }
    if (seen_.after_erase == ReadBack::Unchanged && seen_.after_write == ReadBack::Unchanged) {
      co_await fail(Error(Errc::DataNotStored).in(Stage::Program, plan_.erase.front()));
    }
    if (seen_.after_erase == ReadBack::Unchanged || seen_.after_erase == ReadBack::Other) {
      co_await fail(Error(Errc::EraseHadNoEffect).in(Stage::Erase, plan_.erase.front()));
    }
    co_await fail(
        Error(seen_.after_write == ReadBack::Blank ? Errc::DataNotStored : Errc::VerifyMismatch)
            .in(Stage::Program, trial_));
  }

  /// Erase and write together took less than half of what the data sheet calls the minimum; without
  /// a known chip, less than any STM32 needs (H5 erases in 2 ms; F4 programs 1 KiB in 4 ms).
  bool too_fast() const {
    if (!seen_.erase || !seen_.write) return false;
    Duration floor = 10ms;
    if (const stm32::Chip* chip = session_.target().chip; chip != nullptr) {
      const Duration least =
          chip->sector_erase.min +
          chip->program.min * static_cast<Duration::rep>(trial_.size() / chip->program_unit);
      if (least > Duration::zero()) floor = least;
    }
    return seen_.erase->took + seen_.write->took < floor / 2;
  }

  /// After the second erase: an erase that wipes everything has wiped the trial block.
  Task<> look_for_trial() {
    if (!readable_ || trial_.empty() || session_.is_blank(bytes_of(plan_.payload, trial_)))
      co_return;
    const auto actual = co_await try_read(trial_);
    if (!actual || !session_.is_blank(*actual)) co_return;
    seen_.erased_too_much = true;
    trial_is_stored_ = false;
    bytes_written_ -= trial_.size();
  }

  Task<> write_blocks(const std::vector<AddressRange>& blocks) {
    if (blocks.empty()) co_return;
    const Duration began = co_await time_of_last_answer();
    const std::uint64_t total = plan_.bytes_to_write();
    for (const AddressRange& block : blocks) {
      if (block == trial_ && trial_is_stored_) continue;
      co_await session_.progress({Progress::Activity::Writing, bytes_written_, total, block});
      co_await write_block(block);
    }
    if (&blocks == &blocks_) {
      co_await session_.progress({Progress::Activity::Writing, total, total, blocks.back()});
    }
    write_time_ += co_await time_of_last_answer() - began;
  }

  Task<> write_block(AddressRange block) {
    auto report = co_await caught(session_.dfuse().write(static_cast<std::uint32_t>(block.begin),
                                                         bytes_of(plan_.payload, block)));
    if (!report) co_await fail(std::move(report).error().in(Stage::Program, block));
    if (!seen_.write) {
      seen_.write = *report;
      seen_.written = block;
    }
    bytes_written_ += block.size();
  }

  /// Reads, or says that the device refuses to be read; other errors end the job.
  Task<std::optional<Bytes>> try_read(AddressRange range) {
    if (!session_.target().descriptors.dfu.functional.can_upload()) co_return std::nullopt;
    auto bytes = co_await caught(session_.read(range));
    if (bytes) co_return *std::move(bytes);
    const Errc code = bytes.error().code;
    if (code != Errc::Stalled && code != Errc::ResponseTooShort &&
        code != Errc::DeviceReportsError) {
      co_return fail(std::move(bytes).error());
    }
    seen_.read_error = std::move(bytes).error();
    co_return std::nullopt;
  }

  Session& session_;
  const Plan& plan_;
  Observations& seen_;
  std::vector<AddressRange> urgent_blocks_;
  std::vector<AddressRange> blocks_;
  AddressRange trial_;
  AddressRange neighbour_;
  bool trial_is_stored_ = false;
  bool readable_ = true;
  bool everything_is_erased_ = false;
  Duration erase_time_{};
  Duration write_time_{};
  std::uint64_t bytes_erased_ = 0;
  std::uint64_t bytes_written_ = 0;
  std::vector<std::string> warnings_;
};

}  // namespace

Task<Outcome> program(const Target& target, const Plan& plan, Observations& observations) {
  Session session(target, plan.alt_setting);
  Programmer programmer(session, plan, observations);
  auto outcome = co_await caught(programmer.run());
  if (outcome) co_return *std::move(outcome);
  Error error = std::move(outcome).error();
  co_await session.settle(error);
  co_return fail(std::move(error));
}

}  // namespace sureflash::update
