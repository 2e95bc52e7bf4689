// Goal: whatever interrupts a run, at whatever transfer or flash operation, on whatever line: a
// clear error, never a wrong "done", nothing outside the plan written, no half application that
// starts, and the same command run again finishes. Method: every control transfer of a run gets
// every kind of fault; flash operations are cut before, during, late and after, all of a short run,
// the first, the last and some between of a long one; then the run is repeated without faults.

#include "every_rom.hpp"

#include "sureflash/base/crc32.hpp"

namespace sureflash::scenarios {
namespace {

class Interruption : public EveryRom {
 protected:
  Interruption() : image_(spread_program()) {}

  /// Every other one is told its chip.
  Bench bench(bool by_name, std::string_view keys) const {
    return by_name ? named(keys) : Bench(spec(keys));
  }
  /// Sectors that the image does not touch are as they were.
  void expect_untouched(Bench& bench, ByteView before) const {
    const ByteView now = bench.chip().flash().bytes();
    std::uint64_t at = all().begin;
    const auto same = [&](std::uint64_t end) {
      const auto first = static_cast<std::size_t>(offset(at));
      const std::size_t size = end - at;
      EXPECT_TRUE(std::ranges::equal(now.subspan(first, size), before.subspan(first, size)))
          << std::hex << at;
    };
    for (const image::Segment& s : image_.segments()) {
      const auto touched = data().flash_map().sectors(s.range());
      same(touched.front().begin);
      at = touched.back().end;
    }
    same(all().end);
  }
  void finish(Bench& bench, ByteView before) const {
    expect_untouched(bench, before);
    bench.device().power_cycle();
    const auto again = bench.update(image_);
    ASSERT_TRUE(again) << message(again.error());
    EXPECT_TRUE(again->proven);
    EXPECT_TRUE(bench.holds(image_));
    expect_untouched(bench, before);
  }

  /// The first and the last operations, and some between.
  static std::vector<std::uint64_t> sample(std::uint64_t operations) {
    constexpr std::uint64_t kEnds = 12;
    const std::uint64_t stride = std::max<std::uint64_t>(1, operations / 10);
    std::vector<std::uint64_t> some;
    for (std::uint64_t n = 0; n < operations; ++n) {
      if (n < kEnds || n + kEnds >= operations || n % stride == 0) some.push_back(n);
    }
    return some;
  }

  image::Image image_;
};
INSTANTIATE_TEST_SUITE_P(Rom, Interruption, testing::ValuesIn(every_rom()), test_name);

TEST_P(Interruption, AFaultAtEveryTransfer) {
  // A fault that never comes, so that transfers are counted.
  Bench healthy(spec(",fill=noise,fault=stall@1000000"));
  const Bytes before = healthy.flash(all());
  ASSERT_TRUE(healthy.update(image_));
  const std::uint64_t transfers = healthy.device().transfer_count();
  ASSERT_GT(transfers, 60U);
  constexpr const char* kKinds[] = {"stall",      "timeout", "short", "garbage",
                                    "disconnect", "vanish",  "reset"};
  // Chips with much flash take most of the time: each transfer gets three of the kinds there,
  // others on each line.
  const bool large = data().flash_size_max > 256 * 1024;
  std::size_t turn = data().name.back();
  int failed = 0;
  int tried = 0;
  for (std::uint64_t n = 2; n < transfers; n += n < 250 || n + 60 > transfers ? 1 : 29) {
    turn += 3;
    for (std::size_t i = 0; i < (large ? 3 : std::size(kKinds)); ++i) {
      const std::string_view kind = kKinds[(turn + i) % std::size(kKinds)];
      SCOPED_TRACE(fmt::format("{},fill=noise,fault={}@{}", GetParam(), kind, n));
      Bench device = bench(n % 2 == 0, fmt::format(",fill=noise,fault={}@{}", kind, n));
      const auto outcome = device.update(image_);
      ++tried;
      EXPECT_FALSE(outcome && outcome->proven && !device.holds(image_)) << "a wrong done";
      if (!outcome) {
        ++failed;
        EXPECT_NE(outcome.error().code, Errc::Internal);
        EXPECT_FALSE(message(outcome.error()).empty());
      }
      // One never comes back; another is yet to come, since less was to be asked for.
      if (kind == "vanish" || device.device().transfer_count() <= n) continue;
      finish(device, before);
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(failed * 3, tried) << "the faults must matter";
}

TEST_P(Interruption, APowerCutAtEveryFlashOperation) {
  // Of a chip that is not known more is written: units as large as any that it may have.
  std::array<std::uint64_t, 2> operations_of{};
  for (const bool by_name : {false, true}) {
    Bench healthy = bench(by_name, ",fill=app");
    ASSERT_TRUE(healthy.update(image_));
    operations_of[by_name ? 1 : 0] = healthy.chip().operations().count();
  }
  const std::uint64_t operations = std::ranges::max(operations_of);
  ASSERT_GT(operations, 30U);
  for (const std::string_view kind : {"cut-before", "cut-during", "cut-late", "cut-after"}) {
    for (const std::uint64_t n : sample(operations)) {
      SCOPED_TRACE(fmt::format("{},fill=app,seed={},fault={}@{}", GetParam(), n + 1, kind, n));
      const bool by_name = n % 2 == 0;
      Bench device = bench(by_name, fmt::format(",fill=app,seed={},fault={}@{}", n + 1, kind, n));
      const std::uint64_t ends = operations_of[by_name ? 1 : 0];
      const Bytes found = device.flash(all());
      const auto outcome = device.update(image_);
      EXPECT_EQ(outcome.has_value(), n >= ends) << "every cut ends a run";
      // The vectors are written last, on L5 and what may be one in two steps (of 8 bytes each):
      // until then nothing half starts.
      const std::uint64_t last = device.plan.commit.size() / data().program_unit;
      if (kind == "cut-before" && n > 0 && n + last <= ends) {
        Bytes reset(4);
        ASSERT_TRUE(device.chip().read(kBase + 4, reset));
        EXPECT_NE(load_le32(reset), kBase + 9);
      }
      finish(device, found);
      if (HasFailure()) return;
    }
  }
}

TEST_P(Interruption, AStopIsObeyedBetweenTwoOperations) {
  int stopped = 0;
  for (int stop_at = 0; stop_at < 20; ++stop_at) {
    SCOPED_TRACE(stop_at);
    Bench device = bench(stop_at % 2 == 0, ",fill=noise");
    const Bytes before = device.flash(all());
    int seen = 0;
    device.observer.on_progress = [&](const Progress&) { return seen++ == stop_at; };
    const auto outcome = device.update(image_);
    if (!outcome) {
      EXPECT_EQ(outcome.error().code, Errc::Interrupted);
      ++stopped;
    } else {
      EXPECT_TRUE(device.holds(image_));
    }
    EXPECT_EQ(device.device().running(), sim::Running::Loader) << "and can be talked to";
    device.observer = {};
    EXPECT_TRUE(device.identified());
    finish(device, before);
  }
  EXPECT_GT(stopped, 8);
}

/// Code of the application is the way back, and stays: the unit comes back after any cut.
TEST_P(Interruption, EntryCodeThatStaysAlwaysComesBack) {
  // In the first sector, where the new image has the same.
  const std::size_t kept = std::min<std::size_t>(first_sector(), 512);
  const auto old = make_program(kBase, kept, 1);
  Bytes first = old.segments().front().data;
  store_le32(first, 0, static_cast<std::uint32_t>(Bench(spec()).chip().description().ram.end));
  store_le32(first, static_cast<std::uint32_t>(kept) - 4, crc32(ByteView(first).first(kept - 4)));
  image::Image next;
  ASSERT_TRUE(next.insert(kBase, first));
  ASSERT_TRUE(next.insert(static_cast<std::uint32_t>(sectors()[1].begin), noise(700, 5)));
  image_ = next;
  const update::PlanOptions options{.entry = {.way = update::WayBack::EntryCode,
                                              .code = {AddressRange::sized(kBase, kept)},
                                              .keep = true}};
  const auto keys = fmt::format(",enter=jump,boot0=1,checked={}", kept);
  const auto make = [&](std::string_view fault) {
    Bench device = named(keys + std::string(fault));
    device.chip().flash().load(kBase, first);
    device.chip().flash().load(static_cast<std::uint32_t>(sectors()[1].begin), noise(700, 4));
    return device;
  };
  Bench healthy = make("");
  const auto outcome = healthy.update(next, options);
  ASSERT_TRUE(outcome) << message(outcome.error());
  const std::uint64_t operations = healthy.chip().operations().count();
  for (const std::string_view kind : {"cut-before", "cut-during", "cut-late", "cut-after"}) {
    for (std::uint64_t n = 0; n < operations; n += n < 3 || n + 3 > operations ? 1 : 5) {
      SCOPED_TRACE(fmt::format("{}{},fault={}@{}", GetParam(), keys, kind, n));
      Bench device = make(fmt::format(",seed={},fault={}@{}", n + 1, kind, n));
      EXPECT_FALSE(device.update(next, options)) << "there was no cut";
      device.chip().boot0 = false;
      device.device().power_cycle();
      ASSERT_EQ(device.device().running(), sim::Running::Loader) << "without a hand on BOOT0";
      const auto again = device.update(next, options);
      ASSERT_TRUE(again) << message(again.error());
      EXPECT_TRUE(device.holds(next));
    }
  }
}

}  // namespace
}  // namespace sureflash::scenarios
