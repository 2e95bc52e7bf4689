#pragma once

#include <array>

#include "peripheral.hpp"

namespace sureflash::sim {

struct TimerState {
  std::array<std::uint32_t, 20> words{};
  std::uint32_t count = 0;      ///< at `since`
  std::uint32_t prescaler = 0;  ///< in force; PSC is preloaded
  std::uint32_t reload = 0xFFFF;
  Duration since{};
};
/// Time base of the timers: up-counting, prescaler, auto-reload, one pulse, update interrupt.
/// Compare and capture are registers only. Source: RM0008, 15.3.2 and 15.4.
class Timer final : public StatefulPeripheral<TimerState> {
 public:
  Timer(Chipset& chip, unsigned number) : chip_(chip), number_(number) { reset(); }

  void reset() override;
  std::uint32_t peek(std::uint32_t offset) const override;
  void write(std::uint32_t offset, std::uint32_t value) override;
  Duration next_event() const override;
  void run_events() override;
  void before_clock_change() override { settle(); }

 private:
  std::uint32_t& word(std::uint32_t offset) { return s_.words[offset / 4]; }
  std::uint32_t word(std::uint32_t offset) const { return s_.words[offset / 4]; }
  bool running() const { return (word(0) & 1) != 0; }
  std::uint32_t hz() const;
  std::uint64_t ticks() const;
  void settle();
  void update_event(bool sets_flag);
  void update_irq();
  unsigned irq() const;

  Chipset& chip_;
  unsigned number_;
};

}  // namespace sureflash::sim
