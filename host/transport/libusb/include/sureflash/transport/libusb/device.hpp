#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sureflash/base/error.hpp"
#include "sureflash/base/step.hpp"

/// USB devices of this machine that speak DFU, found with libusb.
namespace sureflash::transport {

struct DfuAltSetting {
  std::uint8_t alt_setting = 0;
  /// The interface's string: with DfuSe, the memory layout. Empty where it could not be read.
  std::string name;
};

/// An interface of class 0xFE, subclass 1 (DFU 1.1, 4.1.2 and 4.2.3).
struct DfuInterface {
  std::uint8_t number = 0;
  /// bInterfaceProtocol: 1 run-time, 2 DFU mode. Some devices report 0 in DFU mode.
  std::uint8_t protocol = 0;
  std::vector<DfuAltSetting> alt_settings;
};

struct DeviceInfo {
  /// Bus and ports on the way: "1-2.4". Stays the same when the device enumerates again.
  std::string port_path;
  std::uint8_t bus = 0;
  std::uint8_t address = 0;
  /// The file whose permissions decide: "/dev/bus/usb/001/002". Empty except on Linux.
  std::string node;
  std::uint16_t vendor_id = 0;
  std::uint16_t product_id = 0;
  std::uint16_t bcd_device = 0;
  /// Empty where the device has none or could not be opened.
  std::string manufacturer, product, serial;
  std::vector<DfuInterface> interfaces;
  /// Whether it could be opened: Ok, Denied, Disconnected (it has just left), Failed.
  Io access = Io::Ok;

  bool run_time() const;
};

/// Which device is meant; what is not set does not matter.
struct Selector {
  std::optional<std::string> port_path{};
  std::optional<std::uint16_t> vendor_id{};
  std::optional<std::uint16_t> product_id{};
  std::optional<std::string> serial{};
};

/// The devices with a DFU interface, sorted by port path. Errors: Internal (libusb does not start).
Result<std::vector<DeviceInfo>> list();

/// The one device that fits. Errors: NoDevice; SeveralDevices (detail names their port paths);
/// PermissionDenied (where.name is the node).
Result<DeviceInfo> choose(const std::vector<DeviceInfo>& devices, const Selector& selector);

/// Programs that have the node open, as far as /proc tells: "fwupd (pid 812)". Not this process.
std::vector<std::string> holders(const std::string& node);

}  // namespace sureflash::transport
