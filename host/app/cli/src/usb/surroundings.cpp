#include "surroundings.hpp"

#include <array>
#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "sureflash/transport/libusb/device.hpp"

namespace sureflash::cli {
namespace {

constexpr std::size_t kRecordsMax = 20'000;

/// One record is "priority,sequence,time,flags;text\n", then continuation lines.
/// Source: Linux, Documentation/ABI/testing/dev-kmsg.
std::vector<std::string> kernel_log() {
  std::vector<std::string> lines;
  const int file = ::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return lines;
  std::array<char, 8192> record{};
  for (std::size_t n = 0; n < kRecordsMax; ++n) {
    const ssize_t size = ::read(file, record.data(), record.size());
    if (size <= 0) break;
    std::string_view text(record.data(), static_cast<std::size_t>(size));
    text.remove_prefix(std::min(text.find(';') + 1, text.size()));
    lines.emplace_back(text.substr(0, text.find('\n')));
  }
  ::close(file);
  return lines;
}

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
