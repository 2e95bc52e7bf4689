#pragma once

#include "sureflash/sim/model/description.hpp"
#include "sureflash/sim/usb/device.hpp"

namespace sureflash::sim {

/// How firmware answers a class request.
struct Reply {
  Handshake handshake = Handshake::Ack;
  std::size_t actual = 0;
  /// The device NAKs the status stage of this very transfer for so long.
  Duration holds{};

  static Reply ack(std::size_t actual = 0) { return {Handshake::Ack, actual, {}}; }
  static Reply stall() { return {Handshake::Stall, 0, {}}; }
};

/// What a request asks for, with the time at which it arrives.
struct Request {
  proto::Setup setup;
  ByteView out;
  ByteSpan in;
  Duration now{};
};

/// The USB side of a piece of firmware: one configuration, class requests to one DFU interface.
/// `Port` does chapter 9 and time for it.
class Function {
 public:
  virtual ~Function() = default;

  virtual const DeviceDescription& description() const = 0;
  /// A class request to an interface, in configured state.
  virtual Reply class_request(const Request& request) = 0;
  /// Time has come to `now`: work may be over.
  virtual void pass(Duration /*now*/) {}
  /// Until when the device NAKs everything, because its CPU is at work in flash.
  virtual Duration busy_until() const { return Duration::zero(); }

  /// `was_configured`: false while the device is being enumerated.
  virtual void bus_reset(Duration /*now*/, bool /*was_configured*/) {}
  virtual void configured(bool /*yes*/) {}
  virtual void interface_selected(std::uint8_t /*number*/, std::uint8_t /*alt_setting*/) {}
  /// The data stage of a standard IN request is complete.
  virtual void sent(Duration /*now*/) {}
};

/// What firmware can do to its chip besides USB. All of it happens `after` from `now`.
class Firmware {
 public:
  virtual ~Firmware() = default;
  /// Leaves the bus and resets the chip; the boot pins decide what comes.
  virtual void system_reset(Duration at) = 0;
  /// Leaves the bus and starts the application whose vector table is at `base`.
  virtual void start_application(Duration at, std::uint32_t base) = 0;
  /// Leaves the bus and starts the boot loader of this device.
  virtual void start_loader(Duration at) = 0;
  /// Leaves the bus for a moment and comes back as it was.
  virtual void reconnect(Duration at) = 0;
  /// The supply is gone.
  virtual void lose_power(Duration at) = 0;
};

}  // namespace sureflash::sim
