#pragma once

// Loads and stores of one register. Source: DDI 0403E, A7.7.

#include "alu.hpp"

namespace sureflash::sim::cpu {

template <unsigned kSize, bool kSigned>
inline void Core::load_register(const Instruction& in, std::uint32_t address) {
  std::uint32_t value = load<kSize>(address);
  if constexpr (kSigned && kSize == 1) {
    value = static_cast<std::uint32_t>(static_cast<std::int8_t>(value & 0xFF));
  } else if constexpr (kSigned) {
    value = static_cast<std::uint32_t>(static_cast<std::int16_t>(value & 0xFFFF));
  }
  write(in.d, value);
}

template <unsigned kSize, bool kSigned>
inline void Core::load_indexed(const Instruction& in) {
  const std::uint32_t base = s_.r[in.n];
  const std::uint32_t moved = base + in.imm;
  load_register<kSize, kSigned>(in, in.index ? moved : base);
  if (in.writeback) write(in.n, moved);
}

template <unsigned kSize>
inline void Core::store_indexed(const Instruction& in) {
  const std::uint32_t base = s_.r[in.n];
  const std::uint32_t moved = base + in.imm;
  store<kSize>(in.index ? moved : base, s_.r[in.d]);
  if (in.writeback) write(in.n, moved);
}

/// LDRT and its relatives: the access counts as unprivileged, in handler mode too.
template <class F>
inline void Core::unprivileged(F access) {
  const auto ipsr = s_.ipsr;
  const bool was = s_.unprivileged;
  const auto put_back = [&] {
    s_.ipsr = ipsr;
    s_.unprivileged = was;
  };
  s_.ipsr = 0;
  s_.unprivileged = true;
  try {
    access();
  } catch (const Fault&) {
    put_back();
    throw;
  }
  put_back();
}

}  // namespace sureflash::sim::cpu
