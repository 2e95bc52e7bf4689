#include "watchdogs.hpp"

namespace sureflash::sim {
namespace {

// IWDG_KR, 19.4.1.
constexpr std::uint32_t kFeed = 0xAAAA, kUnlock = 0x5555, kStart = 0xCCCC;
/// PR and RLR reach the other clock domain after up to 5 LSI cycles (19.4.4).
constexpr Duration kUpdate = CoreClock::nanoseconds(5, Iwdg::kLsiHz);
// WWDG_CR, WWDG_CFR and WWDG_SR, 20.6.
constexpr std::uint32_t kWdga = 1U << 7, kEwi = 1U << 9, kEwif = 1U;
constexpr unsigned kIrqWwdg = 0;

}  // namespace

void Iwdg::start() {
  s_.running = true;
  feed();
}

void Iwdg::slow_down() {
  s_.prescaler = 7;
  s_.reload = 0xFFF;
  feed();
}

void Iwdg::feed() {
  // Codes 6 and 7 both mean 256 (19.4.2).
  const std::uint32_t divider = s_.prescaler >= 6 ? 256 : 4U << s_.prescaler;
  s_.deadline =
      chip_.now() + CoreClock::nanoseconds(std::uint64_t{s_.reload + 1} * divider, kLsiHz);
}

std::uint32_t Iwdg::peek(std::uint32_t offset) const {
  if (offset == 0x04) return s_.prescaler;
  if (offset == 0x08) return s_.reload;
  if (offset == 0x0C) return chip_.now() < s_.updating_until ? 3 : 0;
  return 0;
}

void Iwdg::write(std::uint32_t offset, std::uint32_t value) {
  value &= 0xFFFF;
  if (offset == 0x00) {
    s_.unlocked = value == kUnlock;
    if (value == kStart) s_.running = true;
    if ((value == kStart || value == kFeed) && s_.running) feed();
    return;
  }
  if (offset != 0x04 && offset != 0x08) return;
  if (!s_.unlocked) {
    return chip_.misuse("IWDG_PR or IWDG_RLR written without 0x5555 in IWDG_KR (RM0008, 19.4.1)");
  }
  (offset == 0x04 ? s_.prescaler : s_.reload) = value & (offset == 0x04 ? 7U : 0xFFFU);
  s_.updating_until = chip_.now() + kUpdate;
}

void Iwdg::run_events() {
  s_.deadline = kNoTime;
  chip_.request_reset(ResetCause::IndependentWatchdog);
}

void Wwdg::reset() {
  s_ = {};
  update_irq();
}

/// 4096 cycles of PCLK1, divided by WDGTB.
Duration Wwdg::tick() const {
  return CoreClock::nanoseconds(std::uint64_t{4096} << (s_.cfr >> 7 & 3), chip_.clocks().pclk1);
}

std::uint32_t Wwdg::counter() const {
  const auto ticks = static_cast<std::uint64_t>((chip_.now() - s_.loaded_at) / tick());
  return static_cast<std::uint32_t>((s_.cr & 0x7F) - ticks) & 0x7F;
}

void Wwdg::before_clock_change() {
  s_.cr = (s_.cr & kWdga) | counter();
  s_.loaded_at = chip_.now();
}

std::uint32_t Wwdg::peek(std::uint32_t offset) const {
  if (offset == 0x00) return (s_.cr & kWdga) | counter();
  if (offset == 0x04) return s_.cfr;
  return offset == 0x08 ? s_.sr : 0;
}

void Wwdg::write(std::uint32_t offset, std::uint32_t value) {
  if (offset == 0x00) write_cr(value);
  if (offset == 0x04) {
    before_clock_change();
    s_.cfr = (value & 0x3FF) | (s_.cfr & kEwi);
  }
  if (offset == 0x08) s_.sr &= value;
  update_irq();
}

/// Too early, or with T6 = 0: a reset (20.4).
void Wwdg::write_cr(std::uint32_t value) {
  const bool running = (s_.cr & kWdga) != 0;
  const bool early = running && counter() > (s_.cfr & 0x7F);
  s_.cr = (value & 0xFF) | (s_.cr & kWdga);
  s_.loaded_at = chip_.now();
  s_.warned = false;
  const bool on = (s_.cr & kWdga) != 0;
  if (early || (on && (s_.cr & 0x40) == 0)) chip_.request_reset(ResetCause::WindowWatchdog);
}

/// 0x40: early wakeup; from 0x40 to 0x3F: reset.
Duration Wwdg::next_event() const {
  if ((s_.cr & kWdga) == 0) return kNoTime;
  const std::uint32_t loaded = s_.cr & 0x7F;
  if (loaded < 0x40) return kNoTime;
  return s_.loaded_at + tick() * static_cast<Duration::rep>(loaded - (s_.warned ? 0x3F : 0x40));
}

void Wwdg::run_events() {
  if (counter() < 0x40) {
    s_.cr &= ~kWdga;
    return chip_.request_reset(ResetCause::WindowWatchdog);
  }
  s_.warned = true;
  s_.sr |= kEwif;
  update_irq();
}

void Wwdg::update_irq() {
  chip_.set_irq(kIrqWwdg, (s_.sr & kEwif) != 0 && (s_.cfr & kEwi) != 0);
}

}  // namespace sureflash::sim
