#pragma once

#include <array>

#include "peripheral.hpp"

#include "sureflash/sim/board/otg_fs.hpp"

namespace sureflash::sim {

/// OTG_FS on the bus of the chip and in the USB socket of the board: registers for the core, frames
/// and attachment for the host.
class UsbSocket final : public Peripheral {
 public:
  struct Hooks {
    /// EXTI line 18.
    std::function<void(bool)> wakeup;
    /// Whether the host sees the pull-up may have changed.
    std::function<void()> connection;
  };

  UsbSocket(Chipset& chip, OtgSwitches switches, Hooks hooks);

  void reset() override;
  std::uint32_t read(std::uint32_t offset) override;
  std::uint32_t peek(std::uint32_t offset) const override { return otg_.peek(offset); }
  void write(std::uint32_t offset, std::uint32_t value) override;
  Duration next_event() const override;
  void run_events() override;
  std::any save() const override;
  void restore(const std::any& state) override;

  void set_vbus(bool on);
  /// What RCC gives: whether the block is enabled, and what its USB clock is.
  void set_clock(bool enabled, std::uint32_t usb_hz);

  // --- The host's end of the cable
  bool pulled_up() const { return s_.vbus && otg_.pulled_up(); }
  bool vbus() const { return s_.vbus; }
  /// Bits arrive at the right rate.
  bool in_step() const;
  void begin_bus_reset();
  void end_bus_reset();
  bool suspended() const { return s_.host_suspends; }
  void suspend();
  void resume();
  PacketReply setup(std::uint8_t address, const std::array<std::uint8_t, 8>& packet);
  PacketReply out(std::uint8_t address, std::uint8_t endpoint, bool data1, ByteView data);
  InPacket in(std::uint8_t address, std::uint8_t endpoint);

 private:
  struct State {
    OtgFs::State otg;
    bool vbus = false;
    bool pulled_up = false;
    bool wakeup = false;
    bool active = false;         ///< a bus reset has been seen: frames begin
    bool host_suspends = false;  ///< no frames
    std::uint32_t usb_hz = 0;
    Duration idle_since{};  ///< of the last activity while there are no frames
    Duration next_frame = kNoTime;
    std::uint16_t frame = 0;
  };

  void update();

  Chipset& chip_;
  Hooks hooks_;
  OtgFs otg_;
  State s_;  ///< but for `otg`, which is filled in by save() only
};

}  // namespace sureflash::sim
