// Multiplication to 64 bits, division, bit fields, saturation, special registers, calls of the
// system. Source: DDI 0403E, A7.7, B5.2.

#include <algorithm>
#include <limits>

#include "alu.hpp"

namespace sureflash::sim::cpu {

using namespace exception;

void Core::multiply_long(const Instruction& in) {
  const std::uint32_t x = s_.r[in.n];
  const std::uint32_t y = s_.r[in.m];
  const bool is_signed = in.op == Op::Smull || in.op == Op::Smlal;
  const bool accumulates = in.op == Op::Umlal || in.op == Op::Smlal;
  const auto extend64 = [](std::uint32_t v) {
    return static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(v)});
  };
  std::uint64_t product = is_signed ? extend64(x) * extend64(y) : std::uint64_t{x} * y;
  if (accumulates) product += std::uint64_t{s_.r[in.a]} << 32 | s_.r[in.d];
  write(in.d, static_cast<std::uint32_t>(product));
  write(in.a, static_cast<std::uint32_t>(product >> 32));
}

/// 2 to 12 cycles, fewer for operands of like size (DDI 0337I, 3.3.1).
void Core::divide(const Instruction& in) {
  constexpr std::uint32_t kDivByZeroTrap = 1U << 4;
  const std::uint32_t x = s_.r[in.n];
  const std::uint32_t y = s_.r[in.m];
  if (y == 0) {
    if ((s_.ccr & kDivByZeroTrap) != 0) throw Fault{.cfsr = cfsr::kDivByZero};
    write(in.d, 0);
    return divided_by_zero();
  }
  s_.cycles += static_cast<unsigned>(std::max(0, std::countl_zero(y) - std::countl_zero(x))) / 4;
  if (in.op == Op::Udiv) return write(in.d, x / y);
  const bool overflows = x == 0x80000000 && y == 0xFFFFFFFF;
  const auto quotient = overflows ? std::numeric_limits<std::int32_t>::min()
                                  : static_cast<std::int32_t>(x) / static_cast<std::int32_t>(y);
  write(in.d, static_cast<std::uint32_t>(quotient));
}

/// BFI, BFC: imm is the lowest bit, width the highest. UBFX, SBFX: imm is the lowest bit, width one
/// less than the number of bits. Fields that reach past bit 31 are unpredictable; here they are cut
/// off.
void Core::bit_field(const Instruction& in) {
  const unsigned low = in.imm;
  if (in.op == Op::Bfi || in.op == Op::Bfc) {
    const unsigned bits = in.width >= low ? in.width - low + 1U : 0;
    const auto mask = static_cast<std::uint32_t>(((std::uint64_t{1} << bits) - 1) << low);
    const std::uint32_t inserted = in.op == Op::Bfi ? s_.r[in.n] << low : 0;
    return write(in.d, (s_.r[in.d] & ~mask) | (inserted & mask));
  }
  const unsigned bits = std::min(in.width + 1U, 32 - low);
  const std::uint32_t top = s_.r[in.n] << (32 - low - bits);
  const unsigned down = 32 - bits;
  write(in.d, in.op == Op::Ubfx
                  ? top >> down
                  : static_cast<std::uint32_t>(static_cast<std::int32_t>(top) >> down));
}

void Core::saturate(const Instruction& in) {
  bool carry = false;
  const std::int64_t value =
      static_cast<std::int32_t>(shift(in.shift, in.amount, s_.r[in.n], carry));
  const bool is_signed = in.op == Op::Ssat;
  const std::int64_t range = std::int64_t{1} << in.width;
  const std::int64_t result = std::clamp(value, is_signed ? -range : 0, range - 1);
  if (result != value) s_.q = true;
  write(in.d, static_cast<std::uint32_t>(result));
}

/// SXTB, SXTH, UXTB, UXTH of a rotated register.
void Core::extend(const Instruction& in) {
  const std::uint32_t value = std::rotr(s_.r[in.m], static_cast<int>(in.amount));
  switch (in.op) {
    case Op::Sxtb:
      return write(in.d, static_cast<std::uint32_t>(static_cast<std::int8_t>(value & 0xFF)));
    case Op::Sxth:
      return write(in.d, static_cast<std::uint32_t>(static_cast<std::int16_t>(value & 0xFFFF)));
    case Op::Uxtb:
      return write(in.d, value & 0xFF);
    default:
      return write(in.d, value & 0xFFFF);
  }
}

/// MRS. Numbers that mean nothing, and what is privileged in unprivileged code, read 0.
std::uint32_t Core::read_special(std::uint32_t number) const {
  constexpr std::uint32_t kControl = 20;
  constexpr std::uint32_t kFlags = 0xF8000000;
  if (number < 8) {
    const std::uint32_t flags = (number & 4) == 0 ? xpsr() & kFlags : 0;
    return flags | ((number & 1) != 0 && privileged() ? s_.ipsr : 0);
  }
  if (number == kControl) return control();
  if (!privileged()) return 0;
  switch (number) {
    case 8:
      return msp();
    case 9:
      return psp();
    case 16:
      return s_.primask ? 1 : 0;
    case 17:
    case 18:
      return s_.basepri;
    case 19:
      return s_.faultmask ? 1 : 0;
    default:
      return 0;
  }
}

/// MSR. Field width is the mask: bit 1 stands for the flags.
void Core::write_special(const Instruction& in) {
  const std::uint32_t value = s_.r[in.n];
  if (in.imm < 4) {
    if ((in.width & 2) == 0) return;
    s_.n = (value >> 31 & 1) != 0;
    s_.z = (value >> 30 & 1) != 0;
    s_.c = (value >> 29 & 1) != 0;
    s_.v = (value >> 28 & 1) != 0;
    s_.q = (value >> 27 & 1) != 0;
    return;
  }
  if (!privileged()) return;
  const auto priority =
      static_cast<std::uint8_t>(value & (0xFF00U >> config_.priority_bits & 0xFF));
  switch (in.imm) {
    case 8:
      (s_.uses_psp ? s_.other_sp : s_.r[13]) = value & ~3U;
      break;
    case 9:
      (s_.uses_psp ? s_.r[13] : s_.other_sp) = value & ~3U;
      break;
    case 16:
      s_.primask = (value & 1) != 0;
      break;
    case 17:
      s_.basepri = priority;
      break;
    case 18:
      if (priority != 0 && (s_.basepri == 0 || priority < s_.basepri)) s_.basepri = priority;
      break;
    case 19:
      if ((value & 1) == 0 || execution_priority() > -1) s_.faultmask = (value & 1) != 0;
      break;
    case 20:
      s_.unprivileged = (value & 1) != 0;
      if (!handler_mode()) select_stack((value & 2) != 0);
      break;
    default:
      break;
  }
  attention();
}

/// CPS. imm is im:I:F.
void Core::change_masks(const Instruction& in) {
  if (!privileged()) return;
  const bool disable = (in.imm & 4) != 0;
  if ((in.imm & 2) != 0) s_.primask = disable;
  if ((in.imm & 1) != 0 && (!disable || execution_priority() > -1)) s_.faultmask = disable;
  attention();
}

void Core::supervisor_call() {
  if (group_priority(priority_of(kSvCall)) >= execution_priority()) {
    throw Fault{.exception = kHardFault, .hfsr = hfsr::kForced};
  }
  pend(kSvCall);
}

/// BKPT without a debugger: a HardFault, or the debug monitor when it is on (DDI 0403E, C1.4).
void Core::breakpoint_instruction() {
  constexpr std::uint32_t kMonitorEnable = 1U << 16, kDfsrBkpt = 1U << 1;
  if (halt_on_bkpt_) {
    next_pc_ = s_.pc;
    s_.it = it_of_current_;
    stop_ = Stop::BkptInstruction;
    slice_end_ = 0;
    return;
  }
  s_.dfsr |= kDfsrBkpt;
  const bool monitored = (s_.demcr & kMonitorEnable) != 0 &&
                         group_priority(priority_of(kDebugMonitor)) < execution_priority();
  if (monitored) throw Fault{.exception = kDebugMonitor};
  throw Fault{.exception = kHardFault, .hfsr = hfsr::kDebugEvt};
}

}  // namespace sureflash::sim::cpu
