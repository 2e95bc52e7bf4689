#pragma once

#include <memory>

#include "sureflash/transport/libusb/device.hpp"
#include "sureflash/transport/transport.hpp"

namespace sureflash::transport {

class UsbConnection;

/// A device of this machine, through libusb; one step at a time, blocking.
///
/// Followed by its port path when it enumerates again. SetInterface, bus reset and transfers go
/// through the operating system, which knows of them. A wLength above 4096 is refused by libusb on
/// Linux (Io::Unsupported).
class LibusbTransport final : public Transport {
 public:
  /// Opens the one device that fits, detaches kernel drivers from its DFU interfaces and claims
  /// them. Errors: those of `choose`; DeviceBusy (detail says who holds it, where that can be
  /// known); PermissionDenied; Disconnected; TransferFailed.
  static Result<std::unique_ptr<LibusbTransport>> open(const Selector& selector);
  ~LibusbTransport() override;

  Answer perform(const Step& step) override;
  Duration now() const override;
  /// As it was when it was opened.
  const DeviceInfo& info() const { return info_; }

 private:
  LibusbTransport(DeviceInfo info, std::unique_ptr<UsbConnection> connection);
  Answer answer(Io io, std::size_t actual = 0, std::optional<int> os = std::nullopt) const;
  Answer control(const ControlTransfer& transfer);
  /// Whether a failed transfer was the first sign of the device's leaving.
  bool leaves() const;
  Answer await_return(Duration timeout);

  DeviceInfo info_;
  std::unique_ptr<UsbConnection> connection_;
  Duration began_;
};

/// `LibusbTransport::open` for whoever does not care which transport it is.
Result<std::unique_ptr<Transport>> open(const Selector& selector);

}  // namespace sureflash::transport
