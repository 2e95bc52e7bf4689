#include "commands.hpp"
#include "failure.hpp"
#include "interrupt.hpp"
#include "sim_device.hpp"
#include <fmt/format.h>

#include "sureflash/base/text.hpp"
#include "sureflash/sim/export/testbed.hpp"
#include "sureflash/sim/export/usbip.hpp"
#include "sureflash/sim/export/usbredir.hpp"

namespace sureflash::cli {
namespace {

/// Devices of `sim serve`: they live as long as the server.
using Devices = std::vector<std::unique_ptr<SimDevice>>;

Result<Devices> make_devices(const std::vector<std::string>& profiles) {
  Devices devices;
  for (const std::string& profile : profiles) {
    auto device = make_sim_device(profile);
    if (!device) return fail(std::move(device).error().named(profile));
    devices.push_back(*std::move(device));
  }
  return devices;
}

sim::Pace pace(const SimDevice& device) {
  return device.clock() == sim::ClockChoice::Real ? sim::Pace::Real : sim::Pace::Fast;
}

/// Serves until Ctrl-C, then keeps the chips and says how much they were used.
int serve_until_interrupted(sim::Loop& loop, const Devices& devices,
                            const std::vector<sim::HostPort*>& ports, Output& output) {
  constexpr Duration kLookForInterrupt = 100ms;
  while (interrupt_count() == 0) {
    loop.run_once(kLookForInterrupt);
    for (const auto& device : devices) {
      for (const std::string& note : device->take_notes()) output.note(note);
    }
  }
  for (const auto& device : devices) {
    if (auto saved = device->save(); !saved) return report(output, saved.error());
  }
  Json transfers = Json::array();
  Json seconds = Json::array();
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const Duration lived = devices[i]->usb().now();
    output.note(fmt::format("stopped after {} control transfers and {} of its own time",
                            ports[i]->control_transfers(), text(lived)));
    transfers.push_back(ports[i]->control_transfers());
    seconds.push_back(std::chrono::duration<double>(lived).count());
  }
  output.result("sim serve", {{"control_transfers", std::move(transfers)},
                              {"device_time_s", std::move(seconds)}});
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

}  // namespace

int sim_serve(const Options& options, Output& output) {
  auto devices = make_devices(options.profiles);
  if (!devices) return report(output, devices.error());
  if (!options.testbed.empty()) return serve_testbed(options, *devices, output);
  if (options.usbip) return serve_usbip(options, *devices, output);
  return serve_usbredir(options, *devices, output);
}

}  // namespace sureflash::cli
