// Goal: time is neither wasted with a ROM that holds GETSTATUS nor saved at the cost of one that is
// strict about bwPollTimeout, nor is an announcement believed that is too short. Method: virtual
// time of whole runs on every line, whatever its ROM is known to do, told to behave in each way.

#include "every_rom.hpp"

namespace sureflash::scenarios {
namespace {

class Waiting : public EveryRom {
 protected:
  /// The longest that an erase or the write of a block takes on this line.
  std::int64_t longest_ms(Duration sim::TimeRange::*figure) const {
    Bench bench(spec());
    const sim::FlashGeometry& flash = bench.chip().flash().geometry();
    Duration longest =
        flash.times.program_unit.*figure * static_cast<Duration::rep>(2048 / flash.program_unit);
    for (const sim::SectorRun& run : flash.runs) {
      longest = std::max(longest, flash.times.erase(run.size).*figure);
    }
    return std::chrono::ceil<std::chrono::milliseconds>(longest).count();
  }
  sim::FlashTimes bench_times() const { return Bench(spec()).chip().flash().geometry().times; }
  void expect_written(Bench bench, const image::Image& image) const {
    const Bytes before = bench.flash(all());
    const auto outcome = bench.update(image);
    ASSERT_TRUE(outcome) << message(outcome.error());
    EXPECT_TRUE(outcome->proven);
    expect_flash(bench, expected(image, before));
  }
};
INSTANTIATE_TEST_SUITE_P(Rom, Waiting, testing::ValuesIn(every_rom()), test_name);

TEST_P(Waiting, AHoldingRomIsPolledAtOnce) {
  // At least ten blocks; everything is announced as twice as long as the longest.
  const auto image = make_program(
      kBase,
      std::min<std::size_t>(data().flash_size_max, std::max<std::size_t>(some_sectors(), 20'480)));
  const std::int64_t poll = std::max<std::int64_t>(100, 2 * longest_ms(&sim::TimeRange::typical));
  const auto keys = [&](int held) {
    return fmt::format(",fill=noise,held={},poll={}", held, poll);
  };
  Bench holds = named(keys(1));
  const auto quick = holds.program(image);
  Bench answers = named(keys(0));
  const auto slow = answers.program(image);
  ASSERT_TRUE(quick && slow);
  const auto announced = std::chrono::milliseconds(poll) *
                         static_cast<Duration::rep>(answers.chip().operations().erase_count());
  EXPECT_GT(answers.took, announced) << "bwPollTimeout is honoured";
  const Duration with = quick->erase_time + quick->write_time;
  const Duration without = slow->erase_time + slow->write_time;
  // An erase that is over in a few milliseconds (H5, L0, L1) does not show whether it was held:
  // then the announcement is honoured.
  const bool shows = bench_times().erase(first_sector()).typical >= 15ms;
  EXPECT_LT(with * 100, without * (shows ? 65 : 101));
}

TEST_P(Waiting, AStrictDeviceIsNeverStalled) {
  for (const char* poll : {"20", "100", "datasheet", "0"}) {
    SCOPED_TRACE(poll);
    const auto keys = fmt::format(",fill=noise,held=strict,poll={}", poll);
    expect_written(named(keys), make_program(kBase, some_sectors()));
    expect_written(Bench(spec(keys)), spread_program());
  }
}

TEST_P(Waiting, AnnouncementsThatAreTooShortDoNoHarm) {
  const auto run = [&](std::string_view held, std::int64_t poll) {
    SCOPED_TRACE(fmt::format("held={} poll={}", held, poll));
    const auto keys = fmt::format(",fill=noise,times=max,poll={},held={}", poll, held);
    expect_written(named(keys), make_program(kBase, some_sectors()));
    expect_written(Bench(spec(keys)), spread_program());
  };
  for (const char* held : {"0", "1", "strict"}) {
    for (const std::int64_t poll : {1, 30}) run(held, poll);
  }
  // A device that stalls what comes after its announcement (L43x, L47x) is not asked for ever: it
  // announces half of what it takes.
  run("later", longest_ms(&sim::TimeRange::max) / 2);
}

/// A page or a mass erase that holds GETSTATUS for as long as the data sheet allows.
TEST_P(Waiting, TheLongestOperationIsWaitedFor) {
  for (const char* held : {"0", "1", "strict"}) {
    SCOPED_TRACE(held);
    Bench bench = named(fmt::format(",fill=noise,times=max,held={},mass-erase=works", held));
    const Bytes before = bench.flash(all());
    const auto done = bench.run<update::Outcome>(
        [&](const update::Target& target) -> Result<Task<update::Outcome>> {
          return update::erase_all(target, bench.seen);
        });
    expect_flash(bench, wiped(before));
    if (!shows_end()) {
      EXPECT_FALSE(done) << "the stack is not blank, and not known to be one";
      continue;
    }
    ASSERT_TRUE(done) << message(done.error());
    EXPECT_TRUE(done->proven);
  }
}

}  // namespace
}  // namespace sureflash::scenarios
