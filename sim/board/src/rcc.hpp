#pragma once

#include <array>
#include <functional>

#include "memory_map.hpp"
#include "peripheral.hpp"

namespace sureflash::sim {

struct RccWiring {
  std::uint32_t hse_hz = 0;  ///< 0: no crystal
  /// What PLLMUL does with codes that are reserved on connectivity line: multiply as on the other
  /// parts of the family, or give no clock.
  bool reserved_pllmul_multiplies = true;
};

/// Reset and clock control of connectivity line devices. Source: RM0008, chapter 8.
class Rcc final : public Peripheral {
 public:
  /// What the rest of the chip hears from it.
  struct Hooks {
    /// `clocks()` is about to change: everything still counts at the old rate.
    std::function<void()> before_clocks;
    std::function<void()> after_clocks;
    /// A block has been given its clock, or lost it.
    std::function<void()> clocks_enabled;
    /// Reset bits that have just been set.
    std::function<void(Gate, std::uint32_t)> reset_blocks;
    /// PWR_CR.DBP: the backup domain may be written.
    std::function<bool()> backup_writable;
    /// BDCR.BDRST.
    std::function<void()> reset_backup;
  };

  Rcc(Chipset& chip, RccWiring wiring, Hooks hooks);

  /// Power-on: reset flags and backup domain, too.
  void power_on();
  void reset() override;
  void note_reset(ResetCause cause);
  std::uint32_t peek(std::uint32_t offset) const override;
  void write(std::uint32_t offset, std::uint32_t value) override;
  Duration next_event() const override;
  void run_events() override;
  std::any save() const override { return s_; }
  void restore(const std::any& state) override;

  const ClockTree& clocks() const { return tree_; }
  bool enabled(const Block& block) const;
  bool hsi_on() const { return on(Osc::Hsi); }
  std::uint32_t lsi_hz() const { return kLsiHz; }
  /// The watchdog needs LSI and turns it on for good.
  void start_lsi();
  /// Wakes up from Stop mode: HSI is the clock. Source: RM0008, 5.3.5.
  void wake_from_stop();
  /// SWS, PLLs and HSE as after a reset. @returns what is not, in words.
  std::string not_as_after_reset() const;

 private:
  enum class Osc : std::uint8_t { Hsi, Hse, Pll, Pll2, Pll3, Lsi, Lse };
  static constexpr std::size_t kOscillators = 7;
  static constexpr std::uint32_t kLsiHz = 40'000;
  struct State {
    std::uint32_t cr = 0, cfgr = 0, cir = 0, apb2rstr = 0, apb1rstr = 0, ahbenr = 0, apb2enr = 0,
                  apb1enr = 0, bdcr = 0, csr = 0, ahbrstr = 0, cfgr2 = 0;
    /// When an oscillator that is on gives a clock; kNoTime: it is off, or never will.
    std::array<Duration, kOscillators> ready_at{};
    std::uint32_t ready_seen = 0;  ///< whose ready flag has been accounted for
    std::uint32_t sws = 0;
  };

  bool on(Osc which) const;
  bool ready(Osc which) const;
  bool in_use(Osc which) const;
  void turn(Osc which, bool on);
  void write_cr(std::uint32_t value);
  void write_cfgr(std::uint32_t value);
  void write_cfgr2(std::uint32_t value);
  void write_bdcr(std::uint32_t value);
  void write_csr(std::uint32_t value);
  void write_reset(Gate gate, std::uint32_t& reg, std::uint32_t value);
  void switch_clock();
  void update();
  void update_irq();
  ClockTree compute() const;
  std::uint64_t sysclk() const;
  std::uint64_t pll_output() const;
  std::uint64_t pll2_output() const;
  void check_limits() const;

  Chipset& chip_;
  RccWiring wiring_;
  Hooks hooks_;
  State s_;
  ClockTree tree_;
};

}  // namespace sureflash::sim
