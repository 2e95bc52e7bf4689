#pragma once

#include <cstring>
#include <optional>

#include "sureflash/sim/cpu/core.hpp"

namespace sureflash::sim::cpu {

/// Thrown inside the core only, by the instruction that cannot be carried out; caught by `run`.
struct Core::Fault {
  unsigned exception = exception::kUsageFault;
  std::uint32_t cfsr = 0;
  std::uint32_t hfsr = 0;
  std::optional<std::uint32_t> address{};
};

// The interpreter runs on little-endian hosts only, like everything that builds this.
template <unsigned kSize>
inline std::uint32_t load_host(const std::uint8_t* from) {
  if constexpr (kSize == 1) return *from;
  std::conditional_t<kSize == 2, std::uint16_t, std::uint32_t> value;
  std::memcpy(&value, from, kSize);
  return value;
}
template <unsigned kSize>
inline void store_host(std::uint8_t* to, std::uint32_t value) {
  std::memcpy(to, &value, kSize);
}

/// Offset of an access in a memory, if it lies inside.
inline bool inside(const Memory& memory, std::uint32_t address, unsigned size) {
  return std::uint64_t{address - memory.begin} + size <= memory.size;
}

template <unsigned kSize>
inline std::uint32_t Core::load(std::uint32_t address) {
  const Memory& memory = fast_[address >> 24];
  if (inside(memory, address, kSize) && address % kSize == 0) [[likely]] {
    s_.cycles += memory.wait_states;
    return load_host<kSize>(memory.data + (address - memory.begin));
  }
  return load_slow(address, kSize);
}

template <unsigned kSize>
inline void Core::store(std::uint32_t address, std::uint32_t value) {
  const Memory& memory = fast_[address >> 24];
  if (inside(memory, address, kSize) && address % kSize == 0 && memory.writable) [[likely]] {
    store_host<kSize>(memory.data + (address - memory.begin), value);
    return;
  }
  store_slow(address, kSize, value);
}

}  // namespace sureflash::sim::cpu
