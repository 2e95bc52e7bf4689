#pragma once

#include <array>

#include "peripheral.hpp"

namespace sureflash::sim {

/// A block that is not modelled: its registers remember what is written, and nothing happens.
class PlainRegisters final : public StatefulPeripheral<std::array<std::uint32_t, 0x100>> {
 public:
  void reset() override { s_.fill(0); }
  std::uint32_t peek(std::uint32_t offset) const override { return s_[offset / 4]; }
  void write(std::uint32_t offset, std::uint32_t value) override { s_[offset / 4] = value; }
};

}  // namespace sureflash::sim
