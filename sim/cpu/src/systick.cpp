// SysTick. Source: DDI 0403E, B3.3. The counter is not ticked: its value is computed from the
// clock, and the next moment it reaches 0 is a deadline.

#include "access.hpp"

namespace sureflash::sim::cpu {
namespace {

constexpr std::uint32_t kCsr = 0xE000E010, kRvr = 0xE000E014, kCvr = 0xE000E018;
constexpr std::uint32_t kEnable = 1U << 0, kTickInt = 1U << 1, kClkSource = 1U << 2,
                        kCountFlag = 1U << 16;

}  // namespace

/// Core cycles per tick.
std::uint64_t Core::systick_period() const {
  return (s_.systick_ctrl & kClkSource) != 0 ? 1 : config_.systick_divider;
}

std::uint32_t Core::systick_count() const {
  if ((s_.systick_ctrl & kEnable) == 0) return s_.systick_value;
  const std::uint64_t ticks = (s_.cycles - s_.systick_since) / systick_period();
  if (ticks <= s_.systick_value) return s_.systick_value - static_cast<std::uint32_t>(ticks);
  if (s_.systick_reload == 0) return 0;
  const std::uint64_t into_period = (ticks - s_.systick_value - 1) % (s_.systick_reload + 1ULL);
  return s_.systick_reload - static_cast<std::uint32_t>(into_period);
}

/// When the counter next goes from 1 to 0.
std::uint64_t Core::systick_deadline() const {
  if ((s_.systick_ctrl & kEnable) == 0) return kNever;
  if (s_.systick_value != 0) return s_.systick_since + s_.systick_value * systick_period();
  if (s_.systick_reload == 0) return kNever;
  return s_.systick_since + (s_.systick_reload + 1ULL) * systick_period();
}

/// Makes `now` the moment from which the counter is computed; keeps the phase of the divider.
void Core::systick_rebase() {
  const std::uint32_t value = systick_count();
  if ((s_.systick_ctrl & kEnable) != 0) {
    s_.systick_since = s_.cycles - (s_.cycles - s_.systick_since) % systick_period();
  }
  s_.systick_value = value;
}

/// Accounts for the times the counter has reached 0.
void Core::systick_sync() {
  if (systick_deadline() > s_.cycles) return;
  systick_rebase();
  s_.systick_ctrl |= kCountFlag;
  if ((s_.systick_ctrl & kTickInt) != 0) pend(exception::kSysTick);
}

std::uint32_t Core::read_systick(std::uint32_t address, Purpose purpose) {
  if (purpose != Purpose::Debug) systick_sync();
  switch (address) {
    case kCsr: {
      const std::uint32_t value = s_.systick_ctrl;
      if (purpose != Purpose::Debug) s_.systick_ctrl &= ~kCountFlag;
      return value;
    }
    case kRvr:
      return s_.systick_reload;
    case kCvr:
      return systick_count();
    default:
      return config_.systick_calibration;
  }
}

void Core::write_systick(std::uint32_t address, std::uint32_t value) {
  systick_sync();
  systick_rebase();
  switch (address) {
    case kCsr:
      if (((s_.systick_ctrl ^ value) & (kEnable | kClkSource)) != 0) s_.systick_since = s_.cycles;
      s_.systick_ctrl =
          (s_.systick_ctrl & kCountFlag) | (value & (kEnable | kTickInt | kClkSource));
      break;
    case kRvr:
      s_.systick_reload = value & 0x00FFFFFF;
      break;
    case kCvr:  // any value clears
      s_.systick_value = 0;
      s_.systick_since = s_.cycles;
      s_.systick_ctrl &= ~kCountFlag;
      break;
    default:
      break;
  }
  attention();
}

}  // namespace sureflash::sim::cpu
