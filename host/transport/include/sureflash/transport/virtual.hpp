#pragma once

#include "sureflash/sim/usb/device.hpp"
#include "sureflash/transport/transport.hpp"

namespace sureflash::transport {

enum class Clock : std::uint8_t {
  Virtual,  ///< waits cost nothing
  Real,     ///< the wall clock is never behind the device's clock
};

/// Drives a virtual device in this process, as a host controller and its driver would: enumerates,
/// transfers, follows it when it leaves and comes back.
class VirtualTransport final : public Transport {
 public:
  /// `device` must outlive this. Nothing is sent before `open`.
  VirtualTransport(sim::UsbDevice& device, Clock clock);

  /// Waits up to `timeout` for the device to be attached, resets the port, sets address 1 and
  /// configuration 1, as a host does. Errors: NoDevice, Disconnected, TimedOut, Stalled.
  Result<void> open(Duration timeout);

  Answer perform(const Step& step) override;
  Duration now() const override;

 private:
  Answer answer(Io io, std::size_t actual = 0);
  Answer control(const ControlTransfer& transfer);
  Answer await_return(Duration timeout);
  Io enumerate();
  void pass(Duration duration);
  /// Sleeps until the wall clock has reached the device's clock.
  void keep_pace();

  sim::UsbDevice* device_;
  Clock clock_;
  Duration began_device_;
  Duration began_wall_;
  std::uint32_t attachment_ = 0;
};

}  // namespace sureflash::transport
