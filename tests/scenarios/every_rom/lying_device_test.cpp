// Goal: "done" is never said when flash does not hold the image, whatever the device claims.
// Method: more than 10,000 devices, as many of each line, that drop writes, flip bits, skip erases,
// hide every error status or suffer random faults, each chosen by its seed; wrong "done"s are
// counted against the chip itself.

#include <cstdlib>
#include <random>

#include "every_rom.hpp"

namespace sureflash::scenarios {
namespace {

constexpr std::uint64_t kSeeds = 160;

class LyingDevice : public EveryRom {
 protected:
  /// One or two lies in the range of the operations that the run has.
  static std::string lies(std::uint64_t seed, std::uint64_t writes, std::uint64_t erases) {
    std::mt19937_64 random(seed);
    const auto below = [&](std::uint64_t n) { return random() % n; };
    std::string s;
    const std::uint64_t count = 1 + below(2);
    for (std::uint64_t i = 0; i < count; ++i) {
      if (!s.empty()) s += '+';
      switch (below(5)) {
        case 0:
          s += fmt::format("drop-write@{}", below(writes));
          break;
        case 1:
          s += fmt::format("flip-bit@{}", below(writes));
          break;
        case 2:
          s += fmt::format("skip-erase@{}", below(erases));
          break;
        case 3:
          s += "status-ok+random";
          break;
        default:
          s += fmt::format("drop-write@{}-{}", below(64), 64 + below(writes));
          break;
      }
    }
    return s;
  }
};
INSTANTIATE_TEST_SUITE_P(Rom, LyingDevice, testing::ValuesIn(every_rom()), test_name);

TEST_P(LyingDevice, NeverMakesUsSayDone) {
  ASSERT_GE(kSeeds * every_rom().size(), 10'000U);
  // SUREFLASH_SEED repeats one seed.
  const char* only = std::getenv("SUREFLASH_SEED");
  const std::uint64_t first = only != nullptr ? std::strtoull(only, nullptr, 10) : 1;
  const std::uint64_t last = only != nullptr ? first : kSeeds;
  std::uint64_t failed = 0;
  std::uint64_t done = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const std::size_t size = 200 + 25 * seed;
    auto image = make_program(kBase, size, seed);
    // Every third also has something at the other end.
    if (seed % 3 == 0) {
      ASSERT_TRUE(image.insert(static_cast<std::uint32_t>(usable().end - 200), noise(200, seed)));
    }
    const std::uint64_t erases = (size + first_sector() - 1) / first_sector();
    const auto keys = fmt::format(",fill=noise,seed={},fault={}", seed,
                                  lies(seed, size / data().program_unit + 1, erases));
    Bench bench = seed % 2 == 0 ? named(keys) : Bench(spec(keys));
    const auto outcome = seed % 4 < 2 ? bench.program(image) : bench.update(image);
    if (!outcome) {
      ++failed;
    } else if (outcome->proven) {
      ++done;
      EXPECT_TRUE(bench.holds(image))
          << "a wrong done: SUREFLASH_SEED=" << seed << " every_rom_test --gtest_filter='*/"
          << testing::UnitTest::GetInstance()->current_test_info()->test_suite_name() << "*'; "
          << spec(keys);
    }
  }
  RecordProperty("failed", static_cast<int>(failed));
  RecordProperty("done", static_cast<int>(done));
  if (only == nullptr) {
    EXPECT_GT(failed, kSeeds / 4) << "the lies must matter";
    EXPECT_GT(done, 0U);
  }
}

}  // namespace
}  // namespace sureflash::scenarios
