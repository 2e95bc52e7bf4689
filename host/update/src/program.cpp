#include "sureflash/update/program.hpp"

#include "first_sector.hpp"
#include "strategy.hpp"

namespace sureflash::update {
namespace {

/// One run of a plan; see program() for the order.
class Programmer {
 public:
  Programmer(Session& session, const Plan& plan, Observations& seen)
      : session_(session),
        flash_(session, seen),
        plan_(plan),
        seen_(seen),
        urgent_blocks_(blocks_of(std::span(plan.write).first(plan.urgent_writes), plan.block_size)),
        blocks_(blocks_of(std::span(plan.write).subspan(plan.urgent_writes), plan.block_size)),
        first_(session, flash_, plan, blocks_of(plan.write, plan.block_size), seen) {}

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
    if (first_.readable()) {
      outcome = co_await compare(session_, plan_.payload, seen_);
    } else {
      warnings_.emplace_back("the device does not let its flash be read: nothing is proven");
    }
    outcome.bytes_erased = bytes_erased_;
    outcome.bytes_written = bytes_written();
    outcome.erase_time = erase_time_;
    outcome.write_time = write_time_;
    outcome.warnings = std::move(warnings_);
    co_return outcome;
  }

 private:
  std::uint64_t bytes_written() const {
    return bytes_written_ + (first_.is_stored() ? first_.block().size() : 0);
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

  /// Erases plan_.erase[begin..end).
  Task<> erase_sectors(std::size_t begin, std::size_t end) {
    if (begin == end || everything_is_erased_) co_return;
    const Duration began = co_await time_of_last_answer();
    const std::uint64_t total = plan_.bytes_to_erase();
    for (std::size_t i = begin; i < end && !everything_is_erased_; ++i) {
      const AddressRange sector = plan_.erase[i];
      co_await session_.progress({Progress::Activity::Erasing, bytes_erased_, total, sector});
      if (i == 0) {
        co_await first_.run();
      } else {
        co_await flash_.erase(sector);
      }
      bytes_erased_ += sector.size();
      if (plan_.mass_erase) {
        co_await erase_at_once();
      } else {
        // Between erasing and writing urgent sectors there is no time to look.
        if (i == 1 && plan_.urgent_erases == 0) co_await first_.look_again();
        if (seen_.erased_too_much) erased_everything(i);
      }
    }
    if (end == plan_.erase.size()) {
      co_await session_.progress({Progress::Activity::Erasing, total, total, plan_.erase.back()});
    }
    erase_time_ += co_await time_of_last_answer() - began;
  }

  /// One command for everything. Whether it was obeyed shows at the trial block.
  Task<> erase_at_once() {
    const std::uint64_t total = plan_.bytes_to_erase();
    co_await session_.progress(
        {Progress::Activity::Erasing, bytes_erased_, total, plan_.erase.back()});
    auto report = co_await caught(session_.dfuse().mass_erase());
    if (!report) co_await fail(std::move(report).error().in(Stage::Erase));
    bytes_erased_ = total;
    everything_is_erased_ = true;
    co_await first_.expect_wiped();
  }

  /// Before anything else is erased: it would wipe what is urgent again.
  Task<> look_at_urgent_erases() {
    if (plan_.urgent_erases < 2 || seen_.erased_too_much) co_return;
    co_await first_.look_again();
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
    const auto lost = blocks_of(plan_.kept, plan_.block_size);
    blocks_.insert(blocks_.begin(), lost.begin(), lost.end());
  }

  Task<> write_blocks(const std::vector<AddressRange>& blocks) {
    if (blocks.empty()) co_return;
    const Duration began = co_await time_of_last_answer();
    const std::uint64_t total = plan_.bytes_to_write();
    for (const AddressRange& block : blocks) {
      if (block == first_.block() && first_.is_stored()) continue;
      co_await session_.progress({Progress::Activity::Writing, bytes_written(), total, block});
      co_await flash_.write(block, plan_.bytes(block));
      bytes_written_ += block.size();
    }
    if (&blocks == &blocks_) {
      co_await session_.progress({Progress::Activity::Writing, total, total, blocks.back()});
    }
    write_time_ += co_await time_of_last_answer() - began;
  }

  Session& session_;
  FlashAccess flash_;
  const Plan& plan_;
  Observations& seen_;
  std::vector<AddressRange> urgent_blocks_;
  std::vector<AddressRange> blocks_;
  FirstSector first_;
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
