// Exceptions: priorities, entry, return, faults and their escalation, sleep, lockup.
// Source: DDI 0403E, B1.5. Names of the manual's pseudocode are in the comments.

#include <algorithm>
#include <bit>

#include "access.hpp"

namespace sureflash::sim::cpu {

using namespace exception;

namespace {

constexpr std::uint32_t kSleepOnExit = 1U << 1, kSleepDeep = 1U << 2, kSevOnPend = 1U << 4;
constexpr std::uint32_t kNonBaseThreadEnable = 1U << 0, kStackAlign = 1U << 9;
constexpr int kThreadPriority = 256;
// DDI 0337I, 3.3.2: entry 12 cycles, return 10, tail-chaining 6.
constexpr unsigned kEntryCycles = 12, kReturnCycles = 10, kTailChainCycles = 6;

}  // namespace

int Core::priority_of(unsigned number) const {
  return number <= kHardFault ? static_cast<int>(number) - 4 : s_.priority[number];
}

int Core::group_priority(int priority) const {
  if (priority < 0) return priority;
  return priority & ~static_cast<int>((2U << s_.prigroup) - 1);
}

/// ExecutionPriority().
int Core::execution_priority(bool with_primask) const {
  int highest = kThreadPriority;
  for (unsigned word = 0; word < 4; ++word) {
    for (std::uint64_t bits = s_.active.words()[word]; bits != 0; bits &= bits - 1) {
      const unsigned number = word * 64 + static_cast<unsigned>(std::countr_zero(bits));
      highest = std::min(highest, group_priority(priority_of(number)));
    }
  }
  int boosted = kThreadPriority;
  if (s_.basepri != 0) boosted = group_priority(s_.basepri);
  if (s_.primask && with_primask) boosted = 0;
  if (s_.faultmask) boosted = -1;
  return std::min(highest, boosted);
}

/// The pending, enabled exception that is taken next, if its group priority is above `below`; else
/// 0.
unsigned Core::best_pending(int below) const {
  unsigned best = 0;
  for (unsigned word = 0; word < 4; ++word) {
    std::uint64_t bits = s_.pending.words()[word] & s_.enabled.words()[word];
    for (; bits != 0; bits &= bits - 1) {
      const unsigned number = word * 64 + static_cast<unsigned>(std::countr_zero(bits));
      if (group_priority(priority_of(number)) >= below) continue;
      if (best == 0 || priority_of(number) < priority_of(best)) best = number;
    }
  }
  return best;
}

void Core::attention() {
  check_pending_ = true;
  slice_end_ = 0;
}

void Core::pend(unsigned number) {
  if ((s_.scr & kSevOnPend) != 0 && !s_.pending.test(number)) s_.event = true;
  s_.pending.assign(number, true);
  attention();
}

void Core::set_irq(unsigned line, bool level) {
  const unsigned number = kIrq0 + line;
  if (line >= config_.irq_count || s_.level.test(number) == level) return;
  s_.level.assign(number, level);
  if (level) pend(number);
}

void Core::pend_nmi() {
  pend(kNmi);
}

void Core::record_fault(unsigned number, std::uint32_t cfsr_bits, std::uint32_t hfsr_bits,
                        std::optional<std::uint32_t> address) {
  FaultRecord record{.exception = static_cast<std::uint16_t>(number),
                     .pc = s_.pc,
                     .cfsr = cfsr_bits,
                     .hfsr = hfsr_bits,
                     .address = address,
                     .cycle = s_.cycles,
                     .registers = s_.r,
                     .xpsr = xpsr(),
                     .branches = last_branches()};
  record.registers[15] = s_.pc;
  last_fault_ = record;
  bus_.faulted(record);
}

/// A synchronous fault of the instruction at s_.pc.
void Core::take_fault(const Fault& fault) {
  s_.it = it_of_current_;
  s_.cfsr |= fault.cfsr;
  if (fault.address && fault.exception == kBusFault) {
    s_.bfar = *fault.address;
    s_.cfsr |= cfsr::kBfarValid;
  }
  const int now = execution_priority();
  const bool direct = fault.exception != kHardFault && s_.enabled.test(fault.exception) &&
                      group_priority(priority_of(fault.exception)) < now;
  const std::uint32_t hard_bits =
      direct ? 0 : fault.hfsr | (fault.exception != kHardFault ? hfsr::kForced : 0);
  s_.hfsr |= hard_bits;
  const bool locks = !direct && now <= -1;
  record_fault(locks    ? 0
               : direct ? fault.exception
                        : kHardFault,
               fault.cfsr, hard_bits, fault.address);
  if (locks) return lock_up();
  enter(direct ? fault.exception : kHardFault, s_.pc);
}

void Core::lock_up() {
  s_.lockup = true;
  s_.pc = next_pc_ = 0xFFFFFFFE;
  stop_ = Stop::Lockup;
  attention();
}

/// A fault while `original` was being entered or returned from (DerivedLateArrival): what to take
/// now. 0: lockup.
unsigned Core::derived(unsigned original, unsigned number, std::uint32_t cfsr_bits) {
  s_.cfsr |= cfsr_bits;
  const int limit = original != 0 ? priority_of(original) : execution_priority();
  const bool enabled = number != kHardFault && s_.enabled.test(number);
  if (enabled && group_priority(priority_of(number)) < group_priority(limit)) {
    record_fault(number, cfsr_bits, 0, std::nullopt);
    if (original != 0) s_.pending.assign(original, true);
    return number;
  }
  if (enabled && original != 0 && group_priority(priority_of(number)) < execution_priority()) {
    record_fault(number, cfsr_bits, 0, std::nullopt);
    pend(number);
    return original;
  }
  if (limit <= -1) {
    record_fault(0, cfsr_bits, s_.hfsr, std::nullopt);
    lock_up();
    return 0;
  }
  if (number != kHardFault) s_.hfsr |= hfsr::kForced;
  record_fault(kHardFault, cfsr_bits, s_.hfsr, std::nullopt);
  if (original != 0) s_.pending.assign(original, true);
  return kHardFault;
}

/// PushStack(). The stack pointer moves even when a store fails.
bool Core::push_frame(std::uint32_t return_address, std::uint32_t& exc_return) {
  const bool pad = (s_.ccr & kStackAlign) != 0 && (s_.r[13] & 4) != 0;
  const std::uint32_t frame = (s_.r[13] - 0x20) & ~(pad ? 4U : 0U);
  const std::uint32_t words[] = {s_.r[0],  s_.r[1],  s_.r[2],        s_.r[3],
                                 s_.r[12], s_.r[14], return_address, xpsr() | (pad ? 1U << 9 : 0U)};
  exc_return = s_.ipsr != 0 ? 0xFFFFFFF1 : s_.uses_psp ? 0xFFFFFFFD : 0xFFFFFFF9;
  s_.r[13] = frame;
  check_stack();
  try {
    for (std::uint32_t i = 0; i < 8; ++i) store<4>(frame + 4 * i, words[i]);
  } catch (const Fault&) {
    return false;
  }
  return true;
}

/// ExceptionEntry().
void Core::enter(unsigned number, std::uint32_t return_address) {
  s_.cycles += kEntryCycles;
  std::uint32_t exc_return = 0;
  if (!push_frame(return_address, exc_return)) {
    number = derived(number, kBusFault, cfsr::kStkErr);
    if (number == 0) return;
  }
  take(number, exc_return);
}

/// ExceptionTaken().
void Core::take(unsigned number, std::uint32_t exc_return) {
  std::uint32_t vector = 0;
  try {
    vector = load<4>(s_.vtor + 4 * number);
  } catch (const Fault&) {
    s_.hfsr |= hfsr::kVectTbl;
    const unsigned instead = derived(number, kHardFault, 0);
    if (instead != 0) take(instead, exc_return);
    return;
  }
  const std::uint32_t from = s_.pc;
  s_.r[14] = exc_return;
  s_.ipsr = static_cast<std::uint16_t>(number);
  select_stack(false);
  s_.it = 0;
  s_.pending.assign(number, false);
  s_.active.assign(number, true);
  s_.exclusive = false;
  s_.event = true;
  s_.thumb = (vector & 1) != 0;
  s_.pc = next_pc_ = vector & ~1U;
  branches_[branch_count_++ % branches_.size()] = {from, s_.pc};
  attention();
}

void Core::select_stack(bool process) {
  if (s_.uses_psp == process) return;
  std::swap(s_.r[13], s_.other_sp);
  s_.uses_psp = process;
}

void Core::deactivate(unsigned number) {
  s_.active.assign(number, false);
  if (number != kNmi) s_.faultmask = false;
  if (s_.level.test(number)) pend(number);
}

/// ExceptionReturn(). The registers change under the instruction that branched; it must be its last
/// act.
void Core::exception_return(std::uint32_t exc_return) {
  const unsigned returning = s_.ipsr;
  unsigned nested = 0;
  for (const std::uint64_t word : s_.active.words()) {
    nested += static_cast<unsigned>(std::popcount(word));
  }
  const std::uint32_t kind = exc_return & 15;
  const bool to_thread = kind == 9 || kind == 13;
  const bool thread_allowed = nested == 1 || (s_.ccr & kNonBaseThreadEnable) != 0;
  const bool legal =
      s_.active.test(returning) && (to_thread ? thread_allowed : kind == 1 && nested != 1);
  deactivate(returning);
  s_.cycles += kReturnCycles;
  if (!legal) return return_failed(exc_return);

  attention();
  if (const unsigned next = best_pending(execution_priority()); next != 0) {
    s_.cycles += kTailChainCycles;
    s_.cycles -= kReturnCycles;
    return take(next, exc_return);
  }
  const std::uint32_t from = s_.pc;
  if (!pop_frame(exc_return)) return;
  branches_[branch_count_++ % branches_.size()] = {from, s_.pc};
  s_.exclusive = false;
  s_.event = true;
  if (to_thread && nested == 1 && (s_.scr & kSleepOnExit) != 0) {
    wait_for(State::Sleep::UntilInterrupt);
  }
}

/// An exception return that is not one: UsageFault, chained to the exception that returns.
void Core::return_failed(std::uint32_t exc_return) {
  const unsigned number = derived(0, kUsageFault, cfsr::kInvPc);
  if (number != 0) take(number, 0xF0000000 | exc_return);
}

/// PopStack(). @returns false: a fault was taken instead.
bool Core::pop_frame(std::uint32_t exc_return) {
  const bool process = (exc_return & 15) == 13;
  const bool to_thread = (exc_return & 15) != 1;
  const std::uint32_t frame = process == s_.uses_psp ? s_.r[13] : s_.other_sp;
  std::array<std::uint32_t, 8> words{};
  try {
    for (std::uint32_t i = 0; i < 8; ++i) words[i] = load<4>(frame + 4 * i);
  } catch (const Fault&) {
    const unsigned number = derived(0, kBusFault, cfsr::kUnstkErr);
    if (number != 0) take(number, exc_return);
    return false;
  }
  const std::uint32_t psr = words[7];
  if (((psr & 0x1FF) == 0) != to_thread) {
    return_failed(exc_return);
    return false;
  }
  const bool padded = (s_.ccr & kStackAlign) != 0 && (psr >> 9 & 1) != 0;
  select_stack(process);
  std::copy_n(words.begin(), 4, s_.r.begin());
  s_.r[12] = words[4];
  s_.r[14] = words[5];
  s_.r[13] = (frame + 0x20) | (padded ? 4U : 0U);
  set_xpsr(psr);
  s_.pc = next_pc_ = words[6] & ~1U;
  return true;
}

void Core::take_pending() {
  check_pending_ = false;
  const unsigned number = best_pending(execution_priority());
  if (number == 0) return;
  s_.sleep = State::Sleep::Awake;
  s_.lockup = false;
  enter(number, s_.pc);
}

/// WFI wakes for what PRIMASK alone holds back (DDI 0403E, B1.5.19).
bool Core::wakes() const {
  if (s_.sleep == State::Sleep::UntilEvent && s_.event) return true;
  return best_pending(execution_priority(s_.sleep == State::Sleep::UntilEvent)) != 0;
}

void Core::wait_for(State::Sleep what) {
  if (what == State::Sleep::UntilEvent && s_.event) {
    s_.event = false;
    return;
  }
  s_.sleep = what;
  attention();
  if (!wakes()) bus_.sleep_entered((s_.scr & kSleepDeep) != 0);
}

/// Asleep or locked up: the clock jumps to the next thing that happens.
void Core::pass_time(std::uint64_t until) {
  const std::uint64_t next = std::min({until, bus_.next_event(), systick_deadline()});
  s_.cycles = std::max(s_.cycles, next);
}

}  // namespace sureflash::sim::cpu
