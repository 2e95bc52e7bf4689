#include "surroundings.hpp"

#include "kernel_log.hpp"
#include <fmt/format.h>

#include "sureflash/transport/libusb/device.hpp"

namespace sureflash::cli {
namespace {

std::vector<std::string> usb_devices() {
  std::vector<std::string> lines;
  const auto devices = transport::list();
  if (!devices) return lines;
  for (const transport::DeviceInfo& d : *devices) {
    lines.push_back(fmt::format("{}: {:04x}:{:04x} \"{}\", serial {}", d.port_path, d.vendor_id,
                                d.product_id, d.product, d.serial.empty() ? "none" : d.serial));
  }
  return lines;
}

}  // namespace

update::Surroundings surroundings(const Error& error) {
  update::Surroundings around;
  if (error.code == Errc::NoDevice) around.kernel_log = kernel_log();
  if (error.code == Errc::SeveralDevices) around.devices = usb_devices();
  return around;
}

}  // namespace sureflash::cli
