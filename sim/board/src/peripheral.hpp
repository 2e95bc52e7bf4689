#pragma once

#include <any>
#include <cstdint>
#include <string>

#include "core_clock.hpp"

#include "sureflash/sim/board/events.hpp"

/// What a peripheral is, and what it may ask of the chip around it.
namespace sureflash::sim {

/// Clocks that RCC makes, in Hz; 0: stopped. Source: RM0008, 8.2, figure 11.
struct ClockTree {
  std::uint32_t hclk = 8'000'000;
  std::uint32_t pclk1 = 8'000'000;
  std::uint32_t pclk2 = 8'000'000;
  std::uint32_t timer1 = 8'000'000;  ///< of the timers on APB1
  std::uint32_t timer2 = 8'000'000;  ///< on APB2
  std::uint32_t usb = 0;
};

/// The chip as its peripherals see it.
class Chipset {
 public:
  virtual ~Chipset() = default;
  virtual Duration now() const = 0;
  virtual const ClockTree& clocks() const = 0;
  virtual void set_irq(unsigned line, bool level) = 0;
  virtual void pulse_irq(unsigned line) = 0;
  virtual void emit(decltype(BoardEvent::what) what) = 0;
  /// The firmware does what the manual forbids.
  virtual void misuse(std::string text) = 0;
  virtual void request_reset(ResetCause cause) = 0;
};

/// A block of registers. Offsets are multiples of 4 below the size of the block.
class Peripheral {
 public:
  virtual ~Peripheral() = default;

  /// By system reset, or through RCC_xxxRSTR.
  virtual void reset() = 0;
  virtual std::uint32_t read(std::uint32_t offset) { return peek(offset); }
  /// As read, without side effects.
  virtual std::uint32_t peek(std::uint32_t offset) const = 0;
  virtual void write(std::uint32_t offset, std::uint32_t value) = 0;

  /// When something happens next without an access; kNoTime: nothing will.
  virtual Duration next_event() const { return kNoTime; }
  /// Carries out what is due; afterwards next_event() is in the future.
  virtual void run_events() {}
  /// RCC is about to change the clocks, or has just done so.
  virtual void before_clock_change() {}
  virtual void after_clock_change() {}

  virtual std::any save() const = 0;
  virtual void restore(const std::any& state) = 0;
};

/// A peripheral that remembers nothing but its `State`.
template <class State>
class StatefulPeripheral : public Peripheral {
 public:
  std::any save() const final { return s_; }
  void restore(const std::any& state) final { s_ = std::any_cast<const State&>(state); }

 protected:
  State s_{};
};

}  // namespace sureflash::sim
