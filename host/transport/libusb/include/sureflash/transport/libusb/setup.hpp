#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sureflash/base/error.hpp"
#include "sureflash/transport/libusb/device.hpp"

/// Permission to use DFU devices without root on Linux: a udev rule that gives the device to
/// whoever sits at the machine (uaccess, systemd-logind).
namespace sureflash::transport {

/// Elsewhere there is nothing to set up: macOS lets everybody use USB, Windows wants the driver
/// WinUSB on the device.
#ifdef __linux__
inline constexpr bool kHasUdev = true;
#else
inline constexpr bool kHasUdev = false;
#endif

/// Must sort before 73-seat-late.rules, which acts on the tag.
inline constexpr const char* kUdevRuleName = "70-sureflash.rules";
inline constexpr const char* kUdevRuleFolder = "/etc/udev/rules.d";

/// The rule file: every device with a DFU interface, in DFU mode or at run time, and ST's
/// bootloader.
std::string udev_rule_text();

/// Whether the file in `folder` says what `udev_rule_text` says.
bool udev_rule_installed(const std::filesystem::path& folder = kUdevRuleFolder);

/// Writes the rule file, whole or not at all. Errors: PermissionDenied (not root), FileUnwritable.
Result<void> install_udev_rule(const std::filesystem::path& folder = kUdevRuleFolder);

/// The commands after which udev uses the rule, for devices plugged in already as well. To be run
/// as root.
std::vector<std::vector<std::string>> udev_reload_commands();

/// Whether this process may open the device's node for reading and writing.
/// Errors: PermissionDenied (detail: owner and mode), NoDevice.
Result<void> verify_access(const DeviceInfo& device);

}  // namespace sureflash::transport
