#include "usb_connection.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#ifdef _WIN32
#include <windows.h>
#endif

namespace sureflash::transport {
namespace {

#ifdef _WIN32
/// The first call of a delay-loaded DLL ends the process when there is none. Looked for beside the
/// program and in the system folder only.
Result<void> load_library() {
  if (::LoadLibraryExA("libusb-1.0.dll", nullptr, LOAD_LIBRARY_SEARCH_DEFAULT_DIRS) != nullptr) {
    return {};
  }
  Error error(Errc::UsbLibraryMissing, "libusb-1.0.dll cannot be loaded");
  error.os = static_cast<int>(::GetLastError());
  return fail(std::move(error));
}
#else
Result<void> load_library() {
  return {};
}
#endif

}  // namespace

Result<UsbContext> start_libusb() {
  TRY(load_library());
  libusb_context* context = nullptr;
  if (const int code = ::libusb_init(&context); code != 0) {
    Error error(Errc::Internal, "libusb does not start");
    error.os = code;
    return fail(std::move(error));
  }
  return UsbContext(context, &::libusb_exit);
}

std::vector<UsbDeviceRef> all_devices(const UsbContext& context) {
  libusb_device** devices = nullptr;
  const ssize_t count = ::libusb_get_device_list(context.get(), &devices);
  std::vector<UsbDeviceRef> result;
  for (ssize_t i = 0; i < count; ++i) result.emplace_back(devices[i], &::libusb_unref_device);
  if (count >= 0) ::libusb_free_device_list(devices, 0);
  return result;
}

Io io_of_error(int code) {
  if (code >= 0) return Io::Ok;
  switch (static_cast<libusb_error>(code)) {
    case LIBUSB_SUCCESS:
      return Io::Ok;
    case LIBUSB_ERROR_PIPE:
      return Io::Stall;
    case LIBUSB_ERROR_TIMEOUT:
      return Io::Timeout;
    case LIBUSB_ERROR_NO_DEVICE:
      return Io::Disconnected;
    case LIBUSB_ERROR_ACCESS:
      return Io::Denied;
    case LIBUSB_ERROR_BUSY:
      return Io::Busy;
    case LIBUSB_ERROR_NOT_FOUND:  // no such interface or alternate setting
    case LIBUSB_ERROR_NOT_SUPPORTED:
    case LIBUSB_ERROR_INVALID_PARAM:
      return Io::Unsupported;
    case LIBUSB_ERROR_IO:
    case LIBUSB_ERROR_OVERFLOW:
    case LIBUSB_ERROR_INTERRUPTED:
    case LIBUSB_ERROR_NO_MEM:
    case LIBUSB_ERROR_OTHER:
      return Io::Failed;
  }
  return Io::Failed;
}

Io io_of_status(libusb_transfer_status status) {
  switch (status) {
    case LIBUSB_TRANSFER_COMPLETED:
      return Io::Ok;
    case LIBUSB_TRANSFER_STALL:
      return Io::Stall;
    case LIBUSB_TRANSFER_TIMED_OUT:
      return Io::Timeout;
    case LIBUSB_TRANSFER_NO_DEVICE:
      return Io::Disconnected;
    case LIBUSB_TRANSFER_CANCELLED:
      return Io::Stopped;
    case LIBUSB_TRANSFER_ERROR:
    case LIBUSB_TRANSFER_OVERFLOW:
      return Io::Failed;
  }
  return Io::Failed;
}

unsigned timeout_ms(Duration timeout) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  return static_cast<unsigned>(std::clamp<long long>(ms, 1, 0x7FFFFFFF));
}

Result<std::unique_ptr<UsbConnection>> UsbConnection::open(UsbContext context,
                                                           const std::string& port) {
  const auto devices = all_devices(context);
  const auto it = std::find_if(devices.begin(), devices.end(), [&](const UsbDeviceRef& device) {
    return port_path(device.get()) == port;
  });
  if (it == devices.end()) return fail(Error(Errc::NoDevice).named(port));
  auto connection = std::unique_ptr<UsbConnection>(
      new UsbConnection(std::move(context), port, ::libusb_get_device_address(it->get())));
  const int code = connection->attach(it->get());
  if (code == 0) return connection;
  const std::string node = node_of(it->get());
  Error error(Errc::TransferFailed);
  error.os = code;
  error.where.name = node.empty() ? port : node;
  switch (io_of_error(code)) {
    case Io::Denied:
      error.code = Errc::PermissionDenied;
      break;
    case Io::Disconnected:
      error.code = Errc::NoDevice;
      break;
    case Io::Busy:
      error.code = Errc::DeviceBusy;
      for (const std::string& holder : holders(node)) {
        error.detail += (error.detail.empty() ? "used by " : ", ") + holder;
      }
      break;
    default:
      error.detail = ::libusb_error_name(code);
  }
  return fail(std::move(error));
}

int UsbConnection::attach(libusb_device* device) {
  close();
  if (const int code = ::libusb_open(device, &handle_); code != 0) {
    handle_ = nullptr;
    return code;
  }
  const int code = claim_dfu_interfaces(device);
  if (code != 0) close();
  return code;
}

int UsbConnection::claim_dfu_interfaces(libusb_device* device) {
  // Not supported everywhere; where it is not, claiming tells.
  ::libusb_set_auto_detach_kernel_driver(handle_, 1);
  address_ = ::libusb_get_device_address(device);
  libusb_config_descriptor* config = nullptr;
  if (const int code = ::libusb_get_active_config_descriptor(device, &config); code != 0)
    return code;
  const std::unique_ptr<libusb_config_descriptor, decltype(&::libusb_free_config_descriptor)> owner(
      config, &::libusb_free_config_descriptor);
  for (int i = 0; i < config->bNumInterfaces; ++i) {
    const libusb_interface& interface = config->interface[i];
    if (interface.num_altsetting == 0) continue;
    const libusb_interface_descriptor& first = interface.altsetting[0];
    if (first.bInterfaceClass != proto::kDfuInterfaceClass ||
        first.bInterfaceSubClass != proto::kDfuInterfaceSubClass) {
      continue;
    }
    const int code = ::libusb_claim_interface(handle_, first.bInterfaceNumber);
    if (code != 0) return code;
    claimed_.push_back(first.bInterfaceNumber);
  }
  return 0;
}

void UsbConnection::close() {
  if (handle_ == nullptr) return;
  for (const int number : claimed_) ::libusb_release_interface(handle_, number);
  claimed_.clear();
  ::libusb_close(handle_);
  handle_ = nullptr;
}

void UsbConnection::abandon() {
  static std::mutex mutex;
  // Never destroyed, and the context stays: leak checkers still know what a handle points to when
  // the process ends.
  static auto& abandoned = *new std::vector<std::pair<UsbContext, libusb_device_handle*>>;
  const std::scoped_lock lock(mutex);
  abandoned.emplace_back(context_, std::exchange(handle_, nullptr));
  claimed_.clear();
}

int UsbConnection::select(const SelectAltSetting& selection) {
  if (handle_ == nullptr) return LIBUSB_ERROR_NO_DEVICE;
  const int code = ::libusb_set_interface_alt_setting(handle_, selection.interface_number,
                                                      selection.alt_setting);
  if (code == LIBUSB_ERROR_NO_DEVICE) abandon();
  return code;
}

int UsbConnection::reset() {
  if (handle_ == nullptr) return LIBUSB_ERROR_NO_DEVICE;
  const int code = ::libusb_reset_device(handle_);
  // libusb's word for "it has to be enumerated anew".
  return code == LIBUSB_ERROR_NOT_FOUND ? LIBUSB_ERROR_NO_DEVICE : code;
}

bool UsbConnection::on_bus() const {
  const auto devices = all_devices(context_);
  return std::any_of(devices.begin(), devices.end(), [&](const UsbDeviceRef& device) {
    return port_path(device.get()) == port_path_ &&
           ::libusb_get_device_address(device.get()) == address_;
  });
}

UsbConnection::Return UsbConnection::try_return() {
  for (const UsbDeviceRef& device : all_devices(context_)) {
    if (port_path(device.get()) != port_path_) continue;
    if (::libusb_get_device_address(device.get()) == address_) return Return::NotYet;
    const std::uint8_t before = address_;
    const int code = attach(device.get());
    if (code == 0) return Return::Back;
    address_ = before;
    const Io io = io_of_error(code);
    if (io == Io::Denied) return Return::Denied;
    return io == Io::Busy ? Return::Busy : Return::NotYet;
  }
  return Return::NotYet;
}

}  // namespace sureflash::transport
