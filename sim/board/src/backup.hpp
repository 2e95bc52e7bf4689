#pragma once

#include <array>

#include "peripheral.hpp"

namespace sureflash::sim {

/// Power control. Source: RM0008, 5.4.
struct PwrState {
  std::uint32_t cr = 0, csr = 0;
};
class Pwr final : public StatefulPeripheral<PwrState> {
 public:
  void reset() override { s_.cr = 0; }
  void power_on() { s_ = {}; }
  std::uint32_t peek(std::uint32_t offset) const override {
    return offset == 0 ? s_.cr : offset == 4 ? s_.csr : 0;
  }
  void write(std::uint32_t offset, std::uint32_t value) override;

  bool backup_writable() const { return (s_.cr >> 8 & 1) != 0; }
  /// SLEEPDEEP means Standby, not Stop.
  bool standby_selected() const { return (s_.cr >> 1 & 1) != 0; }
  void standby_entered() { s_.csr |= 2; }
};

/// The 42 backup registers. They survive everything but the loss of VBAT, which is wired to VDD
/// here, and BDRST. Source: RM0008, 6.4.
struct BkpState {
  std::array<std::uint32_t, 0x30> words{};
};
class Bkp final : public StatefulPeripheral<BkpState> {
 public:
  Bkp(Chipset& chip, const Pwr& pwr) : chip_(chip), pwr_(pwr) {}

  void reset() override {}
  void power_on() { s_ = {}; }
  std::uint32_t peek(std::uint32_t offset) const override {
    return offset / 4 < s_.words.size() ? s_.words[offset / 4] : 0;
  }
  void write(std::uint32_t offset, std::uint32_t value) override;

 private:
  Chipset& chip_;
  const Pwr& pwr_;
};

}  // namespace sureflash::sim
