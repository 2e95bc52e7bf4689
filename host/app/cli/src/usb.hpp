#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "output.hpp"

#include "sureflash/transport/driver.hpp"

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

/// Runs jobs on many devices of this machine. Errors: Unsupported, Internal.
Result<std::unique_ptr<transport::Driver>> open_usb_driver();

/// The port of the one device that each of `devices` (as in open_usb) means. Errors: those of
/// open_usb.
Result<std::vector<std::string>> usb_ports(const std::vector<std::string>& devices);

/// Which ports --all and --watch look at: those that fit one of `devices` (port paths, VID:PID);
/// all if there are none. Errors: DeviceSpec, Usage (a serial number means one device).
using PortFilter = std::function<bool(const transport::OccupiedPort&)>;
Result<PortFilter> usb_port_filter(const std::vector<std::string>& devices);

/// The devices that are there, for a support bundle: without serial numbers.
Json usb_devices();

/// `sureflash list`. Returns the exit code.
int list_usb(Output& output);

}  // namespace sureflash::cli
