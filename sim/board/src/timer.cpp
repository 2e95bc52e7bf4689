#include "timer.hpp"

namespace sureflash::sim {
namespace {

constexpr std::uint32_t kCr1 = 0x00, kDier = 0x0C, kSr = 0x10, kEgr = 0x14, kCnt = 0x24,
                        kPsc = 0x28, kArr = 0x2C;
// CR1, 15.4.1.
constexpr std::uint32_t kCen = 1U << 0, kUdis = 1U << 1, kUrs = 1U << 2, kOpm = 1U << 3,
                        kArpe = 1U << 7;
constexpr std::uint32_t kUif = 1U;
constexpr std::uint64_t kNsPerS = 1'000'000'000;

}  // namespace

void Timer::reset() {
  s_ = {.since = chip_.now()};
  s_.words[kArr / 4] = 0xFFFF;
  update_irq();
}

/// Source: RM0008, table 61.
unsigned Timer::irq() const {
  constexpr std::array<unsigned, 8> kIrq{0, 25, 28, 29, 30, 50, 54, 55};
  return kIrq[number_];
}

std::uint32_t Timer::hz() const {
  return number_ == 1 ? chip_.clocks().timer2 : chip_.clocks().timer1;
}

/// Counts since `since`.
std::uint64_t Timer::ticks() const {
  const auto ns = static_cast<std::uint64_t>((chip_.now() - s_.since).count());
  const std::uint64_t cycles = ns / kNsPerS * hz() + ns % kNsPerS * hz() / kNsPerS;
  return cycles / (s_.prescaler + 1);
}

std::uint32_t Timer::peek(std::uint32_t offset) const {
  if (offset / 4 >= s_.words.size()) return 0;
  if (offset != kCnt) return word(offset);
  if (!running()) return s_.count;
  return static_cast<std::uint32_t>((s_.count + ticks()) % (std::uint64_t{s_.reload} + 1));
}

/// Makes now the moment from which is counted. An update that is due comes through run_events.
void Timer::settle() {
  s_.count = peek(kCnt);
  s_.since = chip_.now();
}

void Timer::write(std::uint32_t offset, std::uint32_t value) {
  if (offset / 4 >= s_.words.size()) return;
  value &= 0xFFFF;
  switch (offset) {
    case kCr1:
      settle();
      word(kCr1) = value & 0x3FF;
      break;
    case kSr:  // cleared by writing 0
      word(kSr) &= value;
      break;
    case kEgr:
      if ((value & 1) != 0) update_event((word(kCr1) & kUrs) == 0);
      break;
    case kCnt:
      s_.count = value;
      s_.since = chip_.now();
      break;
    case kArr:
      settle();
      word(kArr) = value;
      if ((word(kCr1) & kArpe) == 0) s_.reload = value;
      break;
    default:
      word(offset) = value;
      break;
  }
  update_irq();
}

/// The counter starts again, and the preloaded registers come into force (15.3.2).
void Timer::update_event(bool sets_flag) {
  s_.count = 0;
  s_.since = chip_.now();
  if ((word(kCr1) & kUdis) != 0) return;
  s_.prescaler = word(kPsc);
  s_.reload = word(kArr);
  if (sets_flag) word(kSr) |= kUif;
}

Duration Timer::next_event() const {
  // With ARR = 0 the counter is blocked.
  if (!running() || s_.reload == 0) return kNoTime;
  const std::uint64_t left =
      s_.count > s_.reload ? 0x10000 - s_.count + s_.reload + 1 : s_.reload + 1 - s_.count;
  // One nanosecond more, because the time of a tick is rounded down.
  return s_.since + CoreClock::nanoseconds(left * (s_.prescaler + 1), hz()) + 1ns;
}

void Timer::run_events() {
  const Duration due = next_event() - 1ns;
  update_event(true);
  s_.since = due;
  // Stalled over several periods: the flag is one bit.
  if (next_event() <= chip_.now()) s_.since = chip_.now();
  if ((word(kCr1) & kOpm) != 0) word(kCr1) &= ~kCen;
  update_irq();
}

void Timer::update_irq() {
  chip_.set_irq(irq(), (word(kSr) & word(kDier) & kUif) != 0);
}

}  // namespace sureflash::sim
