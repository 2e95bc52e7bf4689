#include "fleet.hpp"

#include <algorithm>

#include "sureflash/transport/virtual_driver.hpp"

namespace sureflash::cli {
namespace {

constexpr std::string_view kSimPrefix = "sim:";
/// Within this time a started program that speaks USB shows up.
constexpr Duration kStartup = 3s;

bool is_virtual(const std::string& device) {
  return device.starts_with(kSimPrefix);
}

Result<Fleet> open_virtual_fleet(const std::vector<std::string>& specs) {
  Fleet fleet;
  for (const std::string& spec : specs) {
    TRY_ASSIGN(auto device, sim::make_device(std::string_view(spec).substr(kSimPrefix.size())));
    fleet.virtual_devices.push_back(std::move(device));
  }
  const auto clock = fleet.virtual_devices.front()->clock();
  const bool alike = std::ranges::all_of(fleet.virtual_devices,
                                         [&](const auto& d) { return d->clock() == clock; });
  if (!alike) return fail(Errc::Usage, "virtual devices of one run have the same clock");
  auto driver = std::make_unique<transport::VirtualDriver>(
      clock == sim::ClockChoice::Real ? transport::Clock::Real : transport::Clock::Virtual);
  for (std::size_t i = 0; i < specs.size(); ++i) {
    fleet.ports.push_back("sim-" + std::to_string(i + 1));
    driver->plug(fleet.ports.back(), fleet.virtual_devices[i]->usb());
  }
  fleet.fits = [](const transport::OccupiedPort&) { return true; };
  fleet.driver = std::move(driver);
  return fleet;
}

}  // namespace

Result<void> Fleet::save() const {
  for (const auto& device : virtual_devices) TRY(device->save());
  return {};
}

Result<Fleet> open_fleet(const std::vector<std::string>& devices, bool all) {
  const auto virtual_ones = std::ranges::count_if(devices, is_virtual);
  if (virtual_ones != 0 && virtual_ones == std::ssize(devices)) return open_virtual_fleet(devices);
  if (virtual_ones != 0) return fail(Errc::Usage, "virtual and real devices do not mix");
  Fleet fleet;
  TRY_ASSIGN(fleet.fits, usb_port_filter(all ? devices : std::vector<std::string>{}));
  if (!all) {
    const std::vector<std::string> only{std::string()};
    TRY_ASSIGN(fleet.ports, usb_ports(devices.empty() ? only : devices));
  }
  TRY_ASSIGN(fleet.driver, open_usb_driver());
  return fleet;
}

Arrivals::Changes Arrivals::look(const std::vector<transport::OccupiedPort>& now, Duration time) {
  Changes changes;
  for (auto& [name, port] : ports_) {
    const bool there = std::ranges::find(now, name, &transport::OccupiedPort::name) != now.end();
    if (there || port.busy || !port.attachment) continue;
    port.attachment.reset();
    if (!port.started_at || time - *port.started_at > kStartup) changes.unplugged.push_back(name);
  }
  for (const transport::OccupiedPort& seen : now) {
    Port& port = ports_[seen.name];
    const bool is_other = port.attachment != seen.attachment;
    port.attachment = seen.attachment;
    if (port.busy || !is_other) continue;
    const auto started_at = std::exchange(port.started_at, std::nullopt);
    const bool same = started_at && time - *started_at <= kStartup;
    (same ? changes.came_back : changes.arrived).push_back(seen.name);
  }
  return changes;
}

void Arrivals::end(const std::string& port, bool started, Duration time) {
  ports_[port].busy = false;
  ports_[port].started_at = started ? std::optional(time) : std::nullopt;
}

}  // namespace sureflash::cli
