#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "output.hpp"

#include "sureflash/transport/transport.hpp"

/// What needs the USB of this machine, and nothing else does.
namespace sureflash::cli {

struct OpenedUsb {
  /// For people: "usb 1-2".
  std::string label;
  std::unique_ptr<transport::Transport> transport;
};

/// `device`: "1-2.4" (port path), "0483:df11" (VID:PID), "serial=STM32"; several joined by commas;
/// empty: the only one there is. Errors: DeviceSpec, Unsupported, and those of
/// LibusbTransport::open.
Result<OpenedUsb> open_usb(std::string_view device);

/// The devices that are there, for a support bundle: without serial numbers.
Json usb_devices();

/// `sureflash list`. Returns the exit code.
int list_usb(Output& output);

}  // namespace sureflash::cli
