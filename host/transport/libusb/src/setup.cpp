#include "sureflash/transport/libusb/setup.hpp"

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>

#ifdef __linux__
#include <unistd.h>

#include <sys/stat.h>
#endif

namespace sureflash::transport {
namespace fs = std::filesystem;

std::string udev_rule_text() {
  return R"(# Lets whoever sits at this machine use USB devices that can be updated by DFU.
# Installed by sureflash; remove it and run: udevadm control --reload
ACTION=="remove", GOTO="sureflash_end"
SUBSYSTEM!="usb", GOTO="sureflash_end"
ENV{DEVTYPE}!="usb_device", GOTO="sureflash_end"
# Any device with an interface of class FE (application specific), subclass 01 (DFU).
ENV{ID_USB_INTERFACES}=="*:fe01??:*", TAG+="uaccess"
# The bootloader in the ROM of STM32.
ATTR{idVendor}=="0483", ATTR{idProduct}=="df11", TAG+="uaccess"
LABEL="sureflash_end"
)";
}

bool udev_rule_installed(const fs::path& folder) {
  std::ifstream file(folder / kUdevRuleName, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return file && text == udev_rule_text();
}

Result<void> install_udev_rule(const fs::path& folder) {
  const fs::path path = folder / kUdevRuleName;
  const fs::path temporary = folder / (std::string(kUdevRuleName) + ".new");
  errno = 0;
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  file << udev_rule_text();
  file.close();
  const int written = file.fail() ? errno : 0;
  std::error_code renamed;
  if (!file.fail()) fs::rename(temporary, path, renamed);
  if (!file.fail() && !renamed) return {};

  Error error(written == EACCES || written == EPERM ? Errc::PermissionDenied
                                                    : Errc::FileUnwritable);
  error.os = written != 0 ? written : renamed.value();
  error.where.name = path.string();
  std::error_code ignored;
  fs::remove(temporary, ignored);
  return fail(std::move(error));
}

std::vector<std::vector<std::string>> udev_reload_commands() {
  return {{"udevadm", "control", "--reload"},
          {"udevadm", "trigger", "--action=change", "--subsystem-match=usb"},
          {"udevadm", "settle"}};
}

Result<void> verify_access(const DeviceInfo& device) {
#ifdef __linux__
  if (::access(device.node.c_str(), R_OK | W_OK) == 0) return {};
  Error error(errno == ENOENT ? Errc::NoDevice : Errc::PermissionDenied);
  error.os = errno;
  error.where.name = device.node;
  struct stat status {};
  if (error.code == Errc::PermissionDenied && ::stat(device.node.c_str(), &status) == 0) {
    char text[80];
    std::snprintf(text, sizeof text, "owner %u, group %u, mode %04o; we are user %u", status.st_uid,
                  status.st_gid, status.st_mode & 07777U, ::geteuid());
    error.detail = text;
  }
  return fail(std::move(error));
#else
  if (device.access == Io::Ok) return {};
  return fail(Error(Errc::PermissionDenied).named(device.port_path));
#endif
}

}  // namespace sureflash::transport
