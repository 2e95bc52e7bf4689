#include "sureflash/sim/cpu/core.hpp"

#include <algorithm>

#include "access.hpp"

namespace sureflash::sim::cpu {

using namespace exception;

Core::Core(Bus& bus, Config config)
    : bus_(bus), config_(config), cache_(std::make_unique<std::array<Cached, kCacheSize>>()) {
  for (Cached& entry : *cache_) entry.instruction = decode(0, 0);
}

Core::~Core() = default;

void Core::reset() {
  constexpr std::uint32_t kStackAlign = 1U << 9;
  before_reset_ = {.registers = s_.r, .xpsr = xpsr(), .branches = last_branches()};
  before_reset_.registers[15] = s_.pc;
  State fresh;
  fresh.cycles = s_.cycles;
  fresh.instructions = s_.instructions;
  fresh.level = s_.level;
  for (const unsigned n : {kNmi, kHardFault, kSvCall, kDebugMonitor, kPendSv, kSysTick}) {
    fresh.enabled.assign(n, true);
  }
  // Frames are aligned to 8 bytes from r2p0 on (DDI 0337I, 4.2; r1: the bit is 0).
  if ((config_.cpuid >> 20 & 15) >= 2) fresh.ccr = kStackAlign;
  fresh.r[14] = 0xFFFFFFFF;
  s_ = fresh;
  stop_.reset();
  resume_at_.reset();
  code_ = {};
  slice_end_ = 0;
  check_pending_ = true;
  for (unsigned line = 0; line < config_.irq_count; ++line) {
    if (s_.level.test(kIrq0 + line)) pend(kIrq0 + line);
  }
  try {
    s_.r[13] = load<4>(0) & ~3U;
    const std::uint32_t start = load<4>(4);
    s_.pc = start & ~1U;
    s_.thumb = (start & 1) != 0;
  } catch (const Fault&) {
    s_.hfsr |= hfsr::kVectTbl;
    record_fault(0, 0, s_.hfsr, std::nullopt);
    lock_up();
  }
}

/// Carries out what the clock has brought; wakes the core; enters exceptions.
void Core::look_around() {
  if (bus_.next_event() <= s_.cycles) bus_.run_events(s_.cycles);
  systick_sync();
  if (asleep() && wakes()) {
    if (s_.sleep == State::Sleep::UntilEvent) s_.event = false;
    s_.sleep = State::Sleep::Awake;
  }
  if (check_pending_) take_pending();
}

void Core::run_slice() {
  const bool traced = single_step_ || !breakpoints_.empty();
  try {
    if (!s_.thumb) {
      it_of_current_ = s_.it;
      throw Fault{.cfsr = cfsr::kInvState};
    }
    if (traced) {
      execute_slice<true>();
    } else {
      execute_slice<false>();
    }
  } catch (const Fault& fault) {
    take_fault(fault);
  }
}

Stop Core::run(std::uint64_t until) {
  while (!stop_ && s_.cycles < until) {
    look_around();
    if (stop_) break;
    if (asleep() || s_.lockup) {
      pass_time(until);
      continue;
    }
    slice_end_ = std::min({until, bus_.next_event(), systick_deadline()});
    run_slice();
    if (single_step_) break;
  }
  const Stop why = stop_.value_or(s_.lockup ? Stop::Lockup : Stop::Deadline);
  stop_.reset();
  if (why != Stop::Deadline) resume_at_ = s_.pc;
  return why;
}

Stop Core::step() {
  std::uint64_t until = kNever;
  if (asleep() || s_.lockup) {
    until = std::min(bus_.next_event(), systick_deadline());
    if (until == kNever) return Stop::Deadline;
  }
  single_step_ = true;
  const Stop why = run(until);
  single_step_ = false;
  return why == Stop::Deadline ? Stop::Stepped : why;
}

void Core::request_stop() {
  stop_ = Stop::Requested;
  slice_end_ = 0;
}

std::uint32_t Core::reg(unsigned number) const {
  return number == 15 ? s_.pc : s_.r[number];
}

void Core::set_reg(unsigned number, std::uint32_t value) {
  if (number == 15) {
    s_.pc = value & ~1U;
    s_.it = 0;
  } else {
    s_.r[number] = number == 13 ? value & ~3U : value;
  }
}

/// IT is in bits 26:25 and 15:10 (DDI 0403E, B1.4.2).
std::uint32_t Core::xpsr() const {
  const auto bit = [](bool on, unsigned at) { return static_cast<std::uint32_t>(on) << at; };
  return bit(s_.n, 31) | bit(s_.z, 30) | bit(s_.c, 29) | bit(s_.v, 28) | bit(s_.q, 27) |
         (s_.it & 3U) << 25 | bit(s_.thumb, 24) | (s_.it & 0xFCU) << 8 | s_.ipsr;
}

void Core::set_xpsr(std::uint32_t value) {
  s_.n = (value >> 31 & 1) != 0;
  s_.z = (value >> 30 & 1) != 0;
  s_.c = (value >> 29 & 1) != 0;
  s_.v = (value >> 28 & 1) != 0;
  s_.q = (value >> 27 & 1) != 0;
  s_.thumb = (value >> 24 & 1) != 0;
  s_.ipsr = value & 0x1FF;
  const auto it = static_cast<std::uint8_t>((value >> 8 & 0xFC) | (value >> 25 & 3));
  // Otherwise it is the place in an interrupted LDM or STM, which then starts again.
  s_.it = (it & 15) != 0 ? it : 0;
  attention();
}

std::vector<Branch> Core::last_branches() const {
  std::vector<Branch> list;
  const auto size = static_cast<std::uint32_t>(branches_.size());
  for (std::uint32_t i = branch_count_ > size ? branch_count_ - size : 0; i < branch_count_; ++i) {
    list.push_back(branches_[i % size]);
  }
  return list;
}

void Core::restore(const State& state) {
  s_ = state;
  stop_.reset();
  attention();
}

}  // namespace sureflash::sim::cpu
