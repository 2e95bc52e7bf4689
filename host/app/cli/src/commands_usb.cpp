#include <cstdlib>

#include "commands.hpp"
#include "failure.hpp"
#include "usb.hpp"
#include <fmt/format.h>

#include "sureflash/transport/libusb/setup.hpp"

namespace sureflash::cli {
namespace {

std::string access_text(Io access) {
  switch (access) {
    case Io::Ok:
      return "";
    case Io::Denied:
      return "  no permission (`sureflash setup`)";
    case Io::Disconnected:
      return "  has just left";
    default:
      return "  cannot be opened";
  }
}

Json to_json(const transport::DeviceInfo& d) {
  return {{"port", d.port_path},
          {"vendor_id", d.vendor_id},
          {"product_id", d.product_id},
          {"bcd_device", d.bcd_device},
          {"mode", d.run_time() ? "run-time" : "dfu"},
          {"manufacturer", d.manufacturer},
          {"product", d.product},
          {"serial", d.serial},
          {"accessible", d.access == Io::Ok}};
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

/// Runs the commands that make udev use a new rule. They are fixed words: no quoting is needed.
void reload_udev(Output& output) {
  for (const auto& words : transport::udev_reload_commands()) {
    const std::string command = joined(words);
    if (std::system(command.c_str()) != 0) output.warning("failed: " + command);
  }
}

/// Whether the rule took: every device that is plugged in can be opened now.
int verify_setup(Output& output) {
  auto devices = transport::list();
  if (!devices) return report(output, devices.error());
  for (const transport::DeviceInfo& d : *devices) {
    auto access = transport::verify_access(d);
    if (!access) return report(output, access.error());
    output.line(fmt::format("{} can be opened ({})", d.node, d.port_path));
  }
  if (devices->empty()) output.line("no DFU device is plugged in, so nothing could be tried");
  return 0;
}

}  // namespace

Json usb_devices() {
  Json list = Json::array();
  const auto devices = transport::list();
  if (!devices) return list;
  for (const transport::DeviceInfo& d : *devices) {
    list.push_back({{"port", d.port_path},
                    {"vendor_id", d.vendor_id},
                    {"product_id", d.product_id},
                    {"product", d.product},
                    {"accessible", d.access == Io::Ok}});
  }
  return list;
}

int list_usb(Output& output) {
  auto devices = transport::list();
  if (!devices) return report(output, devices.error());
  if (devices->empty()) return report(output, Error(Errc::NoDevice).in(Stage::Open));
  Json rows = Json::array();
  for (const transport::DeviceInfo& d : *devices) {
    output.line(fmt::format("{:<9} {:04x}:{:04x}  {:<9} {}{}{}", d.port_path, d.vendor_id,
                            d.product_id, d.run_time() ? "run-time" : "DFU mode", d.product,
                            d.serial.empty() ? "" : ", serial " + d.serial, access_text(d.access)));
    rows.push_back(to_json(d));
  }
  output.result("list", {{"devices", std::move(rows)}});
  return 0;
}

int setup(const Options& options, Output& output) {
  if (!transport::kHasUdev) {
    return report(output, Error(Errc::Unsupported,
                                "udev rules are a thing of Linux; docs/usb.md says what else may "
                                "be in the way"));
  }
  const bool here = options.rules_folder.empty();
  const std::string folder = here ? transport::kUdevRuleFolder : options.rules_folder;
  const std::string path = fmt::format("{}/{}", folder, transport::kUdevRuleName);
  if (options.dry_run) {
    output.line(fmt::format("# {}", path));
    output.line(transport::udev_rule_text());
    for (const auto& words : transport::udev_reload_commands()) output.line(joined(words));
    output.result("setup", {{"dry_run", true}, {"file", path}});
    return 0;
  }
  if (transport::udev_rule_installed(folder)) {
    output.line(path + " is there already");
  } else {
    if (auto done = transport::install_udev_rule(folder); !done)
      return report(output, done.error());
    output.line(path + " written");
    if (here) reload_udev(output);
  }
  const int code = here ? verify_setup(output) : 0;
  if (code == 0) output.result("setup", {{"file", path}});
  return code;
}

}  // namespace sureflash::cli
