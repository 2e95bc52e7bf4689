// Goal: whatever interrupts a run, at whatever transfer or flash operation: a clear error, never a
// wrong "done", nothing outside the plan written, and the same command run again finishes.
// Method: every control transfer of a run gets every kind of fault; every flash operation is cut
// before, during and after; then the run is repeated without faults.

#include "scenario.hpp"
#include <fmt/format.h>

namespace sureflash::scenarios {
namespace {

constexpr std::uint32_t kBase = 0x08000000;
constexpr std::size_t kSize = 5000;
constexpr std::uint32_t kPlanned = 6144;

void finish_and_check(Bench& bench, const image::Image& image, const Bytes& outside) {
  EXPECT_EQ(bench.flash({kBase + kPlanned, kBase + 0x10000}), outside);
  bench.device().power_cycle();
  const auto again = bench.program(image);
  ASSERT_TRUE(again) << message(again.error());
  EXPECT_TRUE(bench.holds(image));
  EXPECT_EQ(bench.flash({kBase + kPlanned, kBase + 0x10000}), outside);
}

TEST(Interruption, AFaultAtEveryTransfer) {
  const auto image = make_program(kBase, kSize);
  int wrong = 0;
  int failed = 0;
  for (const char* kind :
       {"stall", "timeout", "short", "garbage", "disconnect", "vanish", "reset"}) {
    // More transfers than the run has: the last ones must succeed.
    for (int n = 2; n < 75; ++n) {
      SCOPED_TRACE(fmt::format("{}@{}", kind, n));
      Bench bench(fmt::format("stm32f105,fill=noise,poll=datasheet,fault={}@{}", kind, n));
      const Bytes outside = bench.flash({kBase + kPlanned, kBase + 0x10000});
      const auto outcome = bench.program(image);
      if (outcome && outcome->proven && !bench.holds(image)) ++wrong;
      if (!outcome) {
        ++failed;
        EXPECT_NE(outcome.error().code, Errc::Internal);
        EXPECT_FALSE(message(outcome.error()).empty());
      }
      if (std::string_view(kind) == "vanish") continue;  // never comes back
      finish_and_check(bench, image, outside);
      if (testing::Test::HasFailure()) return;
    }
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(failed, 100);
}

TEST(Interruption, APowerCutAtEveryFlashOperation) {
  const auto image = make_program(kBase, kSize);
  Bench healthy("stm32f105,fill=app,poll=datasheet");
  ASSERT_TRUE(healthy.program(image));
  const auto operations = healthy.chip().operations().count();
  ASSERT_GT(operations, kSize / 2);
  for (const char* kind : {"cut-before", "cut-during", "cut-after"}) {
    // All of the first and last, and a stride of a prime between: the middle repeats itself.
    for (std::uint64_t n = 0; n < operations; n += n < 40 || n + 40 > operations ? 1 : 37) {
      SCOPED_TRACE(fmt::format("{}@{}", kind, n));
      Bench bench(
          fmt::format("stm32f105,fill=app,poll=datasheet,seed={},fault={}@{}", n + 1, kind, n));
      const Bytes outside = bench.flash({kBase + kPlanned, kBase + 0x10000});
      const auto outcome = bench.program(image);
      EXPECT_FALSE(outcome && !bench.holds(image));
      // Before the last operation the reset vector is not there: nothing half starts.
      if (std::string_view(kind) != "cut-after" && n > 0) {
        Bytes reset(4);
        ASSERT_TRUE(bench.chip().read(kBase + 4, reset));
        EXPECT_NE(load_le32(reset), kBase + 9);
      }
      finish_and_check(bench, image, outside);
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(Interruption, AStopIsObeyedBetweenTwoOperations) {
  const auto image = make_program(kBase, kSize);
  for (int stop_at = 0; stop_at < 14; ++stop_at) {
    SCOPED_TRACE(stop_at);
    Bench bench("stm32f105,fill=noise");
    const Bytes outside = bench.flash({kBase + kPlanned, kBase + 0x10000});
    int seen = 0;
    bench.observer.on_progress = [&](const Progress&) { return seen++ == stop_at; };
    const auto outcome = bench.program(image);
    if (!outcome) {
      EXPECT_EQ(outcome.error().code, Errc::Interrupted);
    } else {
      EXPECT_TRUE(bench.holds(image));
    }
    bench.observer = {};
    finish_and_check(bench, image, outside);
  }
}

}  // namespace
}  // namespace sureflash::scenarios
