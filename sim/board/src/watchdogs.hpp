#pragma once

#include "peripheral.hpp"

namespace sureflash::sim {

/// Independent watchdog, on LSI. Source: RM0008, chapter 19.
struct IwdgState {
  std::uint32_t prescaler = 0, reload = 0xFFF;
  bool unlocked = false;
  bool running = false;
  Duration deadline = kNoTime;
  Duration updating_until{};  ///< PVU, RVU
};
class Iwdg final : public StatefulPeripheral<IwdgState> {
 public:
  static constexpr std::uint32_t kLsiHz = 40'000;

  explicit Iwdg(Chipset& chip) : chip_(chip) {}

  void reset() override { s_ = {}; }
  /// The hardware watchdog of the option bytes starts at reset, and nothing stops it.
  void start();
  bool running() const { return s_.running; }
  /// What the ROM does to survive it (AN2606): the longest time.
  void slow_down();
  std::uint32_t peek(std::uint32_t offset) const override;
  void write(std::uint32_t offset, std::uint32_t value) override;
  Duration next_event() const override { return s_.deadline; }
  void run_events() override;

 private:
  void feed();

  Chipset& chip_;
};

/// Window watchdog, on PCLK1. Source: RM0008, chapter 20.
struct WwdgState {
  std::uint32_t cr = 0x7F, cfr = 0x7F, sr = 0;
  Duration loaded_at{};
  bool warned = false;  ///< the counter has been seen at 0x40
};
class Wwdg final : public StatefulPeripheral<WwdgState> {
 public:
  explicit Wwdg(Chipset& chip) : chip_(chip) {}

  void reset() override;
  std::uint32_t peek(std::uint32_t offset) const override;
  void write(std::uint32_t offset, std::uint32_t value) override;
  Duration next_event() const override;
  void run_events() override;
  void before_clock_change() override;

 private:
  Duration tick() const;
  std::uint32_t counter() const;
  void write_cr(std::uint32_t value);
  void update_irq();

  Chipset& chip_;
};

}  // namespace sureflash::sim
