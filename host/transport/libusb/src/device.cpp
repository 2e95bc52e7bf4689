#include "sureflash/transport/libusb/device.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

#ifdef __linux__
#include <fcntl.h>
#include <unistd.h>
#endif

#include "usb_connection.hpp"

#include "sureflash/proto/dfu.hpp"
#include "sureflash/proto/dfuse.hpp"

namespace sureflash::transport {
namespace {

/// Handle for reading strings; nullptr if the device cannot be opened.
using Handle = std::unique_ptr<libusb_device_handle, decltype(&::libusb_close)>;

/// Every string of a device has at most 126 units (bLength is a byte).
std::string read_string(libusb_device_handle* handle, std::uint8_t index) {
  if (handle == nullptr || index == 0) return {};
  std::array<unsigned char, 256> text{};
  const int length = ::libusb_get_string_descriptor_ascii(handle, index, text.data(), text.size());
  return length > 0 ? std::string(text.begin(), text.begin() + length) : std::string();
}

bool is_dfu(const libusb_interface_descriptor& descriptor) {
  return descriptor.bInterfaceClass == proto::kDfuInterfaceClass &&
         descriptor.bInterfaceSubClass == proto::kDfuInterfaceSubClass;
}

/// A DFU interface with the string indices of its alternate settings instead of their names.
struct Found {
  DfuInterface interface;
  std::vector<std::uint8_t> names;
};

std::vector<Found> find_interfaces(libusb_device* device) {
  std::vector<Found> found;
  libusb_config_descriptor* config = nullptr;
  if (::libusb_get_active_config_descriptor(device, &config) != 0) return found;
  for (int i = 0; i < config->bNumInterfaces; ++i) {
    const libusb_interface& interface = config->interface[i];
    Found one;
    for (int alt = 0; alt < interface.num_altsetting; ++alt) {
      const libusb_interface_descriptor& descriptor = interface.altsetting[alt];
      if (!is_dfu(descriptor)) continue;
      one.interface.number = descriptor.bInterfaceNumber;
      one.interface.protocol = descriptor.bInterfaceProtocol;
      one.interface.alt_settings.push_back({descriptor.bAlternateSetting, {}});
      one.names.push_back(descriptor.iInterface);
    }
    if (!one.names.empty()) found.push_back(std::move(one));
  }
  ::libusb_free_config_descriptor(config);
  return found;
}

bool fits(const DeviceInfo& device, const Selector& selector) {
  return (!selector.port_path || *selector.port_path == device.port_path) &&
         (!selector.vendor_id || *selector.vendor_id == device.vendor_id) &&
         (!selector.product_id || *selector.product_id == device.product_id);
}

}  // namespace

std::string node_of(libusb_device* device) {
#ifdef __linux__
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "/dev/bus/usb/%03u/%03u", ::libusb_get_bus_number(device),
                ::libusb_get_device_address(device));
  return text.data();
#else
  static_cast<void>(device);
  return {};
#endif
}

bool speaks_dfu(libusb_device* device) {
  libusb_device_descriptor descriptor{};
  if (::libusb_get_device_descriptor(device, &descriptor) != 0) return false;
  return !find_interfaces(device).empty() || (descriptor.idVendor == proto::kStVendorId &&
                                              descriptor.idProduct == proto::kStDfuProductId);
}

bool DeviceInfo::run_time() const {
  return !interfaces.empty() &&
         std::all_of(interfaces.begin(), interfaces.end(),
                     [](const auto& i) { return i.protocol == proto::kDfuProtocolRunTime; });
}

std::string port_path(libusb_device* device) {
  // USB allows seven tiers: the root hub and at most six ports below it.
  std::array<std::uint8_t, 8> ports{};
  const int depth = ::libusb_get_port_numbers(device, ports.data(), ports.size());
  std::string path = std::to_string(::libusb_get_bus_number(device)) + "-";
  if (depth <= 0) return path + "0";
  for (int i = 0; i < depth; ++i) {
    if (i != 0) path += '.';
    path += std::to_string(ports[static_cast<std::size_t>(i)]);
  }
  return path;
}

std::optional<DeviceInfo> describe_device(libusb_device* device) {
  libusb_device_descriptor descriptor{};
  if (::libusb_get_device_descriptor(device, &descriptor) != 0) return std::nullopt;
  auto found = find_interfaces(device);
  const bool st_bootloader =
      descriptor.idVendor == proto::kStVendorId && descriptor.idProduct == proto::kStDfuProductId;
  if (found.empty() && !st_bootloader) return std::nullopt;

  DeviceInfo info;
  info.port_path = port_path(device);
  info.bus = ::libusb_get_bus_number(device);
  info.address = ::libusb_get_device_address(device);
  info.node = node_of(device);
  info.vendor_id = descriptor.idVendor;
  info.product_id = descriptor.idProduct;
  info.bcd_device = descriptor.bcdDevice;
  libusb_device_handle* raw = nullptr;
  info.access = io_of_error(::libusb_open(device, &raw));
  const Handle handle(info.access == Io::Ok ? raw : nullptr, &::libusb_close);
  info.manufacturer = read_string(handle.get(), descriptor.iManufacturer);
  info.product = read_string(handle.get(), descriptor.iProduct);
  info.serial = read_string(handle.get(), descriptor.iSerialNumber);
  for (Found& one : found) {
    for (std::size_t i = 0; i < one.names.size(); ++i) {
      one.interface.alt_settings[i].name = read_string(handle.get(), one.names[i]);
    }
    info.interfaces.push_back(std::move(one.interface));
  }
  return info;
}

std::vector<DeviceInfo> describe_all(const UsbContext& context) {
  std::vector<DeviceInfo> infos;
  for (const UsbDeviceRef& device : all_devices(context)) {
    if (auto info = describe_device(device.get())) infos.push_back(std::move(*info));
  }
  std::sort(infos.begin(), infos.end(),
            [](const DeviceInfo& a, const DeviceInfo& b) { return a.port_path < b.port_path; });
  return infos;
}

Result<std::vector<DeviceInfo>> list() {
  TRY_ASSIGN(const UsbContext context, start_libusb());
  return describe_all(context);
}

Result<DeviceInfo> choose(const std::vector<DeviceInfo>& devices, const Selector& selector) {
  std::vector<const DeviceInfo*> fitting;
  const DeviceInfo* unreadable = nullptr;
  for (const DeviceInfo& device : devices) {
    if (!fits(device, selector)) continue;
    if (selector.serial && device.access == Io::Denied) {
      unreadable = &device;  // may be the one: its serial number is not for us to see
    } else if (!selector.serial || *selector.serial == device.serial) {
      fitting.push_back(&device);
    }
  }
  if (fitting.empty() && unreadable != nullptr) fitting.push_back(unreadable);
  if (fitting.empty()) return fail(Errc::NoDevice);
  if (fitting.size() > 1) {
    Error error(Errc::SeveralDevices);
    for (const DeviceInfo* device : fitting) {
      error.detail += (error.detail.empty() ? "at ports " : ", ") + device->port_path;
    }
    return fail(std::move(error));
  }
  if (fitting.front()->access == Io::Denied) {
    return fail(Error(Errc::PermissionDenied).named(fitting.front()->node));
  }
  return *fitting.front();
}

#ifdef __linux__
namespace {

namespace fs = std::filesystem;

/// How /proc names the file that is open under `node`; in a testbed that is not the node's name.
fs::path name_when_open(const std::string& node) {
  const int file = ::open(node.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return node;
  std::error_code error;
  const fs::path name = fs::read_symlink("/proc/self/fd/" + std::to_string(file), error);
  ::close(file);
  return name;
}

/// Only who has a node open for reading and writing can claim an interface. `open`: an entry of
/// /proc/PID/fd.
bool can_claim(const fs::path& open) {
  constexpr auto kBoth = fs::perms::owner_read | fs::perms::owner_write;
  std::error_code error;
  return (fs::symlink_status(open, error).permissions() & kBoth) == kBoth;
}

}  // namespace
#endif

std::vector<std::string> holders(const std::string& node) {
  std::vector<std::string> found;
#ifdef __linux__
  if (node.empty()) return found;
  const fs::path name = name_when_open(node);
  std::error_code error;
  for (const auto& process : fs::directory_iterator("/proc", error)) {
    const std::string pid = process.path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    if (pid == std::to_string(::getpid())) continue;
    std::error_code unreadable;
    for (const auto& open : fs::directory_iterator(process.path() / "fd", unreadable)) {
      if (fs::read_symlink(open.path(), unreadable) != name || !can_claim(open.path())) continue;
      std::string program;
      std::getline(std::ifstream(process.path() / "comm"), program);
      found.push_back(program.append(" (pid ").append(pid).append(")"));
      break;
    }
  }
#else
  static_cast<void>(node);
#endif
  return found;
}

}  // namespace sureflash::transport
