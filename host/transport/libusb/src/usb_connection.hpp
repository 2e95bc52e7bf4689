#pragma once

#include <libusb.h>
#include <memory>
#include <string>
#include <vector>

#include "sureflash/transport/libusb/device.hpp"

namespace sureflash::transport {

using UsbContext = std::shared_ptr<libusb_context>;
using UsbDeviceRef = std::shared_ptr<libusb_device>;

/// Starts libusb. Errors: UsbLibraryMissing (Windows), Internal.
Result<UsbContext> start_libusb();
/// Every device on every bus, in no particular order.
std::vector<UsbDeviceRef> all_devices(const UsbContext& context);
/// "1-2.4"; root hubs are "1-0".
std::string port_path(libusb_device* device);
/// Whether it has a DFU interface, or is ST's bootloader; asks nothing of the device.
bool speaks_dfu(libusb_device* device);
/// "/dev/bus/usb/001/002" on Linux, else empty.
std::string node_of(libusb_device* device);
/// What can be known of a device; nullopt: it does not speak DFU, or has left.
std::optional<DeviceInfo> describe_device(libusb_device* device);
std::vector<DeviceInfo> describe_all(const UsbContext& context);

/// How a libusb call ended. `code` 0 and positive: Ok.
Io io_of_error(int code);
Io io_of_status(libusb_transfer_status status);
/// For how long after a failed transfer the device may turn out to have left: Linux asks a hub
/// every 256 ms at most, and then debounces.
inline constexpr Duration kDoubt = 500ms;
inline constexpr Duration kPollInterval = 10ms;

/// For libusb, 0 ms means for ever.
unsigned timeout_ms(Duration timeout);

/// An open device with its DFU interfaces claimed.
class UsbConnection {
 public:
  /// Errors: PermissionDenied, DeviceBusy, NoDevice, TransferFailed.
  static Result<std::unique_ptr<UsbConnection>> open(UsbContext context, const std::string& port);
  UsbConnection(const UsbConnection&) = delete;
  UsbConnection& operator=(const UsbConnection&) = delete;
  ~UsbConnection() { close(); }

  libusb_context* context() const { return context_.get(); }
  libusb_device_handle* handle() const { return handle_; }

  /// libusb codes.
  int select(const SelectAltSetting& selection);
  int reset();

  /// Whether the hub still has our device. After a transfer that failed for no known reason:
  /// operating systems see a device leave only some time after its transfers begin to fail.
  bool on_bus() const;

  enum class Return : std::uint8_t { NotYet, Back, Denied, Busy };
  /// Looks once whether another device has come to our port; if so, it is ours from now on.
  /// Denied and Busy may pass: udev needs time to set permissions, and other programs look at new
  /// devices.
  Return try_return();

 private:
  UsbConnection(UsbContext context, std::string port_path, std::uint8_t address)
      : context_(std::move(context)), port_path_(std::move(port_path)), address_(address) {}
  /// libusb code.
  int attach(libusb_device* device);
  int claim_dfu_interfaces(libusb_device* device);
  void close();
  /// Leaves the handle of a device that is gone open until the process ends. libusb 1.0.25
  /// and 1.0.26 unlock a mutex that they have not locked when SET_INTERFACE finds the device gone,
  /// and libusb_close then aborts the process (core.c; fixed in 1.0.27).
  void abandon();

  UsbContext context_;
  std::string port_path_;
  std::uint8_t address_;
  libusb_device_handle* handle_ = nullptr;
  std::vector<int> claimed_;
};

}  // namespace sureflash::transport
