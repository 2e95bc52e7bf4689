#pragma once

#include <array>
#include <functional>

#include "peripheral.hpp"

namespace sureflash::sim {

struct DmaState {
  struct Channel {
    std::uint32_t ccr = 0, left = 0, reload = 0, cpar = 0, cmar = 0;
    std::uint32_t done = 0;  ///< units moved since it was enabled, or since it started over
  };
  std::uint32_t isr = 0;
  std::array<Channel, 7> channels{};
};
/// One DMA controller. A unit moves as soon as it is asked for. Source: RM0008, chapter 13.
class Dma final : public StatefulPeripheral<DmaState> {
 public:
  /// The bus as a master sees it. @returns whether somebody answered.
  struct Bus {
    std::function<bool(std::uint32_t address, unsigned size, std::uint32_t& value)> read;
    std::function<bool(std::uint32_t address, unsigned size, std::uint32_t value)> write;
  };

  Dma(Chipset& chip, unsigned number, Bus bus)
      : chip_(chip), number_(number), bus_(std::move(bus)) {}

  void reset() override;
  std::uint32_t peek(std::uint32_t offset) const override;
  void write(std::uint32_t offset, std::uint32_t value) override;

  /// A peripheral asks for one unit. `channel` is counted from 1.
  /// @returns whether one was moved.
  bool request(unsigned channel);

 private:
  unsigned count() const { return number_ == 1 ? 7 : 5; }
  bool move(DmaState::Channel& channel);
  void set_flags(unsigned index, std::uint32_t flags);
  void update_irq();

  Chipset& chip_;
  unsigned number_;
  Bus bus_;
};

}  // namespace sureflash::sim
