#include <cstdlib>

#include "commands.hpp"
#include "failure.hpp"
#include "files.hpp"
#include "interrupt.hpp"
#include "show.hpp"
#include <fmt/format.h>

#include "sureflash/sim/export/testbed.hpp"
#include "sureflash/sim/export/usbip.hpp"
#include "sureflash/sim/export/usbredir.hpp"
#include "sureflash/transport/libusb/setup.hpp"
#include "sureflash/transport/trace/explain.hpp"

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

/// Devices of `sim serve`: they live as long as the server.
using Devices = std::vector<std::unique_ptr<sim::VirtualDevice>>;

Result<Devices> make_devices(const std::vector<std::string>& profiles) {
  Devices devices;
  for (const std::string& profile : profiles) {
    const std::string_view spec = profile;
    auto device = sim::make_device(spec.starts_with("sim:") ? spec.substr(4) : spec);
    if (!device) return fail(std::move(device).error().named(profile));
    devices.push_back(*std::move(device));
  }
  return devices;
}

sim::Pace pace(const sim::VirtualDevice& device) {
  return device.clock() == sim::ClockChoice::Real ? sim::Pace::Real : sim::Pace::Fast;
}

/// Serves until Ctrl-C, then keeps the chips and says how much they were used.
int serve_until_interrupted(sim::Loop& loop, const Devices& devices,
                            const std::vector<sim::HostPort*>& ports, Output& output) {
  constexpr Duration kLookForInterrupt = 100ms;
  while (interrupt_count() == 0) loop.run_once(kLookForInterrupt);
  for (const auto& device : devices) {
    if (auto saved = device->save(); !saved) return report(output, saved.error());
  }
  Json transfers = Json::array();
  for (const sim::HostPort* port : ports) {
    output.note(fmt::format("stopped after {} control transfers", port->control_transfers()));
    transfers.push_back(port->control_transfers());
  }
  output.result("sim serve", {{"control_transfers", std::move(transfers)}});
  return 0;
}

int serve_testbed(const Options& options, const Devices& devices, Output& output) {
  sim::Loop loop;
  auto testbed = sim::Testbed::create(loop, options.testbed);
  if (!testbed) return report(output, testbed.error());
  std::vector<sim::HostPort*> ports;
  for (const auto& device : devices) {
    const std::string port = (*testbed)->add(device->usb(), pace(*device));
    ports.push_back(&(*testbed)->port(port));
    output.note(fmt::format("device on port {}", port));
  }
  Json variables = Json::array();
  for (const std::string& variable : (*testbed)->environment()) {
    output.line(variable);
    variables.push_back(variable);
  }
  output.event("serving", {{"environment", std::move(variables)}});
  output.flush();
  output.note("any program started with these variables sees the devices; Ctrl-C ends it");
  return serve_until_interrupted(loop, devices, ports, output);
}

int serve_usbip(const Options& options, const Devices& devices, Output& output) {
  sim::Loop loop;
  auto server =
      sim::UsbipServer::create(loop, {.address = options.listen_address,
                                      .tcp_port = static_cast<std::uint16_t>(options.tcp_port)});
  if (!server) return report(output, server.error());
  std::vector<sim::HostPort*> ports;
  for (const auto& device : devices) {
    const std::string bus_id = (*server)->add(device->usb(), pace(*device));
    ports.push_back(&(*server)->port(bus_id));
    output.line(fmt::format("usbip --tcp-port {} attach -r {} -b {}", (*server)->tcp_port(),
                            options.listen_address, bus_id));
  }
  output.event("serving", {{"address", options.listen_address}, {"port", (*server)->tcp_port()}});
  output.flush();
  output.note("run this as root, with the module vhci-hcd loaded; Ctrl-C ends it");
  return serve_until_interrupted(loop, devices, ports, output);
}

int serve_usbredir(const Options& options, const Devices& devices, Output& output) {
  if (devices.size() != 1) {
    return report(output, Error(Errc::Usage, "--usbredir serves one device"));
  }
  sim::Loop loop;
  auto server = sim::UsbredirServer::create(loop, options.usbredir, devices.front()->usb(),
                                            pace(*devices.front()));
  if (!server) return report(output, server.error());
  output.line(
      fmt::format("-device qemu-xhci,id=x -chardev socket,id=r,path={} "
                  "-device usb-redir,chardev=r,bus=x.0",
                  options.usbredir));
  output.event("serving", {{"socket", options.usbredir}});
  output.flush();
  output.note("give this to qemu-system; Ctrl-C ends it");
  return serve_until_interrupted(loop, devices, {&(*server)->port()}, output);
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

int list(const Options& options, Output& output) {
  if (options.device.empty()) return list_usb(output);
  int exit = 0;
  auto opened = open_target(options, output, exit, Mode::AsItIs);
  if (!opened) return exit;
  show_device(output, opened->device->label(), opened->target);
  output.result("list", {{"devices", Json::array({to_json(opened->target)})}});
  return 0;
}

int setup(const Options& options, Output& output) {
  const std::string path =
      fmt::format("{}/{}", transport::kUdevRuleFolder, transport::kUdevRuleName);
  if (options.dry_run) {
    output.line(fmt::format("# {}", path));
    output.line(transport::udev_rule_text());
    for (const auto& words : transport::udev_reload_commands()) output.line(joined(words));
    output.result("setup", {{"dry_run", true}, {"file", path}});
    return 0;
  }
  if (transport::udev_rule_installed()) {
    output.line(path + " is there already");
  } else {
    if (auto done = transport::install_udev_rule(); !done) return report(output, done.error());
    output.line(path + " written");
    reload_udev(output);
  }
  const int code = verify_setup(output);
  if (code == 0) output.result("setup", {{"file", path}});
  return code;
}

int trace_show(const Options& options, Output& output) {
  auto file = read_file(options.file);
  if (!file) return report(output, file.error());
  auto trace = transport::trace::parse({reinterpret_cast<const char*>(file->data()), file->size()});
  if (!trace) return report(output, trace.error());
  for (const std::string& comment : trace->comments) output.line("# " + comment);
  transport::trace::Explainer explainer;
  for (const transport::trace::Entry& entry : trace->entries) {
    const std::string text = explainer.explain(entry);
    const double seconds = std::chrono::duration<double>(entry.answer.time).count();
    output.line(fmt::format("{:>11.6f}  {}", seconds, text));
    output.event("step", {{"line", entry.line}, {"time_s", seconds}, {"text", text}});
  }
  output.result("trace show", {{"steps", trace->entries.size()}});
  return 0;
}

int sim_serve(const Options& options, Output& output) {
  auto devices = make_devices(options.profiles);
  if (!devices) return report(output, devices.error());
  if (!options.testbed.empty()) return serve_testbed(options, *devices, output);
  if (options.usbip) return serve_usbip(options, *devices, output);
  return serve_usbredir(options, *devices, output);
}

}  // namespace sureflash::cli
