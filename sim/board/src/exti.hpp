#pragma once

#include <array>

#include "peripheral.hpp"

namespace sureflash::sim {

/// Which pin feeds which EXTI line, and remapping. Source: RM0008, 9.4.
struct AfioState {
  std::uint32_t evcr = 0, mapr = 0, mapr2 = 0;
  std::array<std::uint32_t, 4> exticr{};
};
class Afio final : public StatefulPeripheral<AfioState> {
 public:
  void reset() override { s_ = {}; }
  std::uint32_t peek(std::uint32_t offset) const override;
  void write(std::uint32_t offset, std::uint32_t value) override;

  /// 'A' to 'G': the port whose pin of this number is line `line`, 0 to 15.
  char port_of_line(unsigned line) const {
    return static_cast<char>('A' + (s_.exticr[line / 4] >> 4 * (line % 4) & 15));
  }
};

struct ExtiState {
  std::uint32_t imr = 0, emr = 0, rtsr = 0, ftsr = 0, swier = 0, pr = 0;
  std::uint32_t levels = 0;
};
/// External interrupt controller, lines 0 to 19. Source: RM0008, 10.2 and 10.3.
class Exti final : public StatefulPeripheral<ExtiState> {
 public:
  static constexpr unsigned kUsbWakeup = 18;

  explicit Exti(Chipset& chip) : chip_(chip) {}

  void reset() override;
  std::uint32_t peek(std::uint32_t offset) const override;
  void write(std::uint32_t offset, std::uint32_t value) override;

  void set_line(unsigned line, bool high);

 private:
  void update();

  Chipset& chip_;
};

}  // namespace sureflash::sim
