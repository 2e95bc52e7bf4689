#pragma once

// Arithmetic of the interpreter. Source: DDI 0403E, A2.2.1, A7.4.2.

#include <array>
#include <bit>

#include "access.hpp"

namespace sureflash::sim::cpu {

/// Bits 1:0 of the stack pointer are always 0 (B1.4.1).
inline void Core::write(unsigned reg, std::uint32_t value) {
  static constexpr std::array<std::uint32_t, 16> kMask = [] {
    std::array<std::uint32_t, 16> mask{};
    mask.fill(0xFFFFFFFF);
    mask[13] = ~3U;
    return mask;
  }();
  s_.r[reg] = value & kMask[reg];
}

/// Shift_C(). @param[in] amount  0 to 255. @param[in,out] carry  C before, then the shifter's
/// carry.
inline std::uint32_t Core::shift(Shift kind, unsigned amount, std::uint32_t value,
                                 bool& carry) const {
  if (amount == 0) return value;
  switch (kind) {
    case Shift::Lsl:
      carry = amount <= 32 && (value >> (32 - amount) & 1) != 0;
      return amount < 32 ? value << amount : 0;
    case Shift::Lsr:
      carry = amount <= 32 && (value >> (amount - 1) & 1) != 0;
      return amount < 32 ? value >> amount : 0;
    case Shift::Asr: {
      const auto number = static_cast<std::int32_t>(value);
      const unsigned most = amount < 32 ? amount : 31;
      carry = amount < 32 ? (value >> (amount - 1) & 1) != 0 : number < 0;
      return static_cast<std::uint32_t>(number >> most);
    }
    case Shift::Ror: {
      const std::uint32_t result = std::rotr(value, static_cast<int>(amount % 32));
      carry = result >> 31 != 0;
      return result;
    }
    case Shift::Rrx: {
      const std::uint32_t result = value >> 1 | static_cast<std::uint32_t>(carry) << 31;
      carry = (value & 1) != 0;
      return result;
    }
  }
  return value;
}

/// AddWithCarry().
inline std::uint32_t Core::add(std::uint32_t x, std::uint32_t y, bool carry, bool sets_flags) {
  const std::uint64_t sum = std::uint64_t{x} + y + (carry ? 1 : 0);
  const auto result = static_cast<std::uint32_t>(sum);
  if (sets_flags) {
    set_nz(result);
    s_.c = sum >> 32 != 0;
    s_.v = ((x ^ result) & (y ^ result)) >> 31 != 0;
  }
  return result;
}

inline void Core::set_nz(std::uint32_t value) {
  s_.n = value >> 31 != 0;
  s_.z = value == 0;
}

/// The shifted second operand of an instruction that does not want the shifter's carry.
inline std::uint32_t Core::operand(const Instruction& in) const {
  const std::uint32_t value = s_.r[in.m];
  if (in.amount == 0) return value;
  bool carry = s_.c;
  return shift(in.shift, in.amount, value, carry);
}

/// @param[in] f  (first operand, second operand) -> result; dropped by tests, which only set flags.
template <bool kKeeps, class F>
inline void Core::logic_imm(const Instruction& in, F f) {
  const std::uint32_t result = f(s_.r[in.n], in.imm);
  if (in.sets_flags) {
    set_nz(result);
    if (in.carry_from_imm) s_.c = in.imm >> 31 != 0;
  }
  if constexpr (kKeeps) write(in.d, result);
}

template <bool kKeeps, class F>
inline void Core::logic_reg(const Instruction& in, F f) {
  bool carry = s_.c;
  const std::uint32_t second = shift(in.shift, in.amount, s_.r[in.m], carry);
  const std::uint32_t result = f(s_.r[in.n], second);
  if (in.sets_flags) {
    set_nz(result);
    s_.c = carry;
  }
  if constexpr (kKeeps) write(in.d, result);
}

inline void Core::shift_by_register(const Instruction& in, Shift kind) {
  bool carry = s_.c;
  const std::uint32_t result = shift(kind, s_.r[in.m] & 0xFF, s_.r[in.n], carry);
  if (in.sets_flags) {
    set_nz(result);
    s_.c = carry;
  }
  write(in.d, result);
}

/// Every taken branch ends here. The pipeline refills in 1 to 3 cycles (DDI 0337I, 3.3.1): 2.
inline void Core::branch(std::uint32_t target) {
  constexpr unsigned kRefillCycles = 2;
  s_.cycles += kRefillCycles + code_.wait_states;
  branches_[branch_count_++ % branches_.size()] = {s_.pc, target};
  next_pc_ = target;
}

/// BXWritePC(), LoadWritePC(): interworking, and the exception return. Must be an instruction's
/// last act.
inline void Core::branch_exchange(std::uint32_t target) {
  if (target >= 0xF0000000 && s_.ipsr != 0) return exception_return(target);
  if ((target & 1) == 0) {
    s_.thumb = false;
    attention();
  }
  branch(target & ~1U);
}

}  // namespace sureflash::sim::cpu
