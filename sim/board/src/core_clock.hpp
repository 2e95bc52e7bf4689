#pragma once

#include <cstdint>

#include "sureflash/base/time.hpp"

namespace sureflash::sim {

inline constexpr Duration kNoTime = Duration::max();

/// Core cycles and time, through changes of the clock. Rounds so that what is due at a time is due
/// at the first cycle that is not before it.
class CoreClock {
 public:
  std::uint32_t hz() const { return hz_; }

  Duration time_at(std::uint64_t cycle) const {
    return base_time_ + nanoseconds(cycle - base_cycle_, hz_);
  }
  std::uint64_t cycle_at(Duration time) const {
    if (time == kNoTime) return ~std::uint64_t{0};
    if (time <= base_time_) return base_cycle_;
    const auto ns = static_cast<std::uint64_t>((time - base_time_).count());
    const std::uint64_t seconds = ns / kNsPerS;
    return base_cycle_ + seconds * hz_ + (ns % kNsPerS * hz_ + kNsPerS - 1) / kNsPerS;
  }
  void change(std::uint64_t now_cycle, std::uint32_t hz) {
    base_time_ = time_at(now_cycle);
    base_cycle_ = now_cycle;
    hz_ = hz;
  }

  /// Time that `ticks` of a clock take, rounded down.
  static constexpr Duration nanoseconds(std::uint64_t ticks, std::uint32_t hz) {
    return Duration(static_cast<Duration::rep>(ticks / hz * kNsPerS + ticks % hz * kNsPerS / hz));
  }

 private:
  static constexpr std::uint64_t kNsPerS = 1'000'000'000;

  std::uint64_t base_cycle_ = 0;
  Duration base_time_{};
  std::uint32_t hz_ = 8'000'000;
};

}  // namespace sureflash::sim
