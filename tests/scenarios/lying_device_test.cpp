// Goal: "done" is never said when flash does not hold the image, whatever the device claims.
// Method: at least 10,000 devices that drop writes, flip bits, skip erases, hide every error status
// or suffer random faults, each chosen by its seed; wrong "done"s are counted against the chip
// itself.

#include <cstdlib>

#include "scenario.hpp"
#include <fmt/format.h>

namespace sureflash::scenarios {
namespace {

constexpr std::uint32_t kBase = 0x08000000;
constexpr std::uint64_t kSeeds = 10'000;

/// One or two lies in the range of the operations that the run has.
std::string lies(std::uint64_t seed, std::size_t size) {
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t n) { return random() % n; };
  std::string s;
  const std::uint64_t count = 1 + below(2);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!s.empty()) s += '+';
    switch (below(5)) {
      case 0:
        s += fmt::format("drop-write@{}", below(size / 2));
        break;
      case 1:
        s += fmt::format("flip-bit@{}", below(size / 2));
        break;
      case 2:
        s += fmt::format("skip-erase@{}", below((size + 2047) / 2048));
        break;
      case 3:
        s += "status-ok+random";
        break;
      default:
        s += fmt::format("drop-write@{}-{}", below(64), 64 + below(size));
        break;
    }
  }
  return s;
}

TEST(LyingDevice, NeverMakesUsSayDone) {
  // SUREFLASH_SEED repeats one seed.
  const char* only = std::getenv("SUREFLASH_SEED");
  const std::uint64_t first = only != nullptr ? std::strtoull(only, nullptr, 10) : 1;
  const std::uint64_t last = only != nullptr ? first : kSeeds;
  std::uint64_t wrong = 0;
  std::uint64_t failed = 0;
  std::uint64_t done = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const std::size_t size = 200 + seed % 4000;
    const auto image = make_program(kBase, size, seed);
    Bench bench(
        fmt::format("stm32f105,flash=64,fill=noise,seed={},fault={}", seed, lies(seed, size)));
    const auto outcome = bench.program(image);
    if (!outcome) {
      ++failed;
    } else if (outcome->proven) {
      ++done;
      if (!bench.holds(image)) {
        ++wrong;
        ADD_FAILURE() << "SUREFLASH_SEED=" << seed << " (" << lies(seed, size) << ")";
      }
    }
  }
  EXPECT_EQ(wrong, 0U);
  std::printf("seeds %llu to %llu: %llu failed with an error, %llu done and right, %llu wrong\n",
              static_cast<unsigned long long>(first), static_cast<unsigned long long>(last),
              static_cast<unsigned long long>(failed), static_cast<unsigned long long>(done),
              static_cast<unsigned long long>(wrong));
  if (only == nullptr) {
    EXPECT_GT(failed, kSeeds / 4) << "the lies must matter";
    EXPECT_GT(done, 0U);
  }
}

}  // namespace
}  // namespace sureflash::scenarios
