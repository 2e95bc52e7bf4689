#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "usb.hpp"

#include "sureflash/sim/model/profiles.hpp"
#include "sureflash/transport/driver.hpp"

namespace sureflash::cli {

/// The devices of a run: virtual ones in this process, or those of this machine.
struct Fleet {
  /// Before the driver, which refers to them.
  std::vector<std::unique_ptr<sim::VirtualDevice>> virtual_devices;
  std::unique_ptr<transport::Driver> driver;
  /// Those that --all and --watch look at.
  PortFilter fits;
  /// Without --all and --watch: where each --device is.
  std::vector<std::string> ports;

  /// Keeps the chips of virtual devices in their files. Errors: FileUnwritable.
  Result<void> save() const;
};

/// Errors: Usage (virtual and real ones together, or with different clocks), those of make_device,
/// of usb_ports and of usb_port_filter.
Result<Fleet> open_fleet(const std::vector<std::string>& devices, bool all);

/// Which ports have a unit that was not seen before. A unit is seen once, until it is unplugged;
/// one that comes back because its new program was started is no new unit.
class Arrivals {
 public:
  struct Changes {
    std::vector<std::string> arrived;
    std::vector<std::string> unplugged;
    /// Came back right after its program was started: taken for the same unit, once.
    std::vector<std::string> came_back;
  };

  /// Compares with the last look.
  Changes look(const std::vector<transport::OccupiedPort>& now, Duration time);
  /// The unit at `port` is worked on: it may leave and come back.
  void begin(const std::string& port) { ports_[port].busy = true; }
  /// It is over. `started`: its program was, and the unit leaves and may come back.
  void end(const std::string& port, bool started, Duration time);

 private:
  struct Port {
    std::optional<std::uint32_t> attachment;
    bool busy = false;
    std::optional<Duration> started_at;
  };

  std::map<std::string, Port> ports_;
};

}  // namespace sureflash::cli
