#pragma once

#include <array>
#include <functional>

#include "peripheral.hpp"

#include "sureflash/sim/board/board.hpp"

namespace sureflash::sim {

/// One port of general-purpose pins. Source: RM0008, chapter 9.
class Gpio final : public Peripheral {
 public:
  static constexpr unsigned kPins = 16;
  /// The level of a pin changed, whoever did it.
  using Listener = std::function<void(char port, unsigned pin, bool high)>;

  Gpio(Chipset& chip, char port, Listener listener);

  void reset() override;
  std::uint32_t peek(std::uint32_t offset) const override;
  void write(std::uint32_t offset, std::uint32_t value) override;
  std::any save() const override { return s_; }
  void restore(const std::any& state) override { s_ = std::any_cast<const State&>(state); }

  void drive(unsigned pin, PinInput level);
  bool level(unsigned pin) const { return (s_.levels >> pin & 1) != 0; }
  /// CNF and MODE are those of an input.
  bool is_input(unsigned pin) const { return (mode(pin) & 3) == 0; }

 private:
  struct State {
    std::uint32_t crl = 0, crh = 0, odr = 0, lckr = 0;
    unsigned lock_step = 0;
    std::uint32_t levels = 0;   ///< of all pins, floating ones low
    std::uint32_t outputs = 0;  ///< level last reported of pins that are outputs
    std::array<PinInput, kPins> outside{};
  };

  std::uint32_t mode(unsigned pin) const {
    return (pin < 8 ? s_.crl >> 4 * pin : s_.crh >> 4 * (pin - 8)) & 15;
  }
  bool driven(unsigned pin) const;
  bool resolve(unsigned pin) const;
  void write_lock(std::uint32_t value);
  void update();

  Chipset& chip_;
  char port_;
  Listener listener_;
  State s_;
};

}  // namespace sureflash::sim
