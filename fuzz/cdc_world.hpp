#pragma once

#include <memory>

#include "fuzz.hpp"

#include "sureflash/sim/export/host_port.hpp"
#include "sureflash/sim/export_test/cdc_device.hpp"

namespace sureflash::fuzz {

/// A serial port, plugged in, that exports are fuzzed with.
struct CdcWorld {
  Duration wall{};
  sim::CdcDevice device;
  sim::HostPort port{device, sim::Pace::Fast,
                     [this] { return wall += std::chrono::milliseconds(1); }};
};

/// The one for this run, enumerated. A new one now and then: what the device has received is never
/// thrown away.
inline CdcWorld& next_world() {
  constexpr unsigned kRunsPerWorld = 500;
  static std::unique_ptr<CdcWorld> world;
  static unsigned runs = 0;
  if (runs++ % kRunsPerWorld == 0) world = std::make_unique<CdcWorld>();
  for (int i = 0; world->port.identity() == nullptr && i < 100'000; ++i) world->port.tick();
  require(world->port.identity() != nullptr, "the device is there again");
  return *world;
}

}  // namespace sureflash::fuzz
