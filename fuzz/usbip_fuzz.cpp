// A USB/IP client that sends anything: memory stays bounded, answers are whole, the server's device
// survives.

#include "fuzz.hpp"

#include "sureflash/sim/export/usbip.hpp"
#include "sureflash/sim/model/profiles.hpp"

namespace sureflash::sim {
namespace {

/// One device for all runs: enumerating it anew each time would be most of the work.
struct World {
  World() {
    device = *make_device("stm32f105,poll=0");
    port = std::make_unique<HostPort>(device->usb(), Pace::Fast, [this] { return wall += 1ms; });
    while (port->tick() != HostPort::Event::Arrived) {
    }
    devices["1-1"] = {"1-1", 2, port.get()};
  }
  Duration wall{};
  std::unique_ptr<VirtualDevice> device;
  std::unique_ptr<HostPort> port;
  UsbipSession::Devices devices;
};

/// More than any answer to what fits into one packet of the network.
constexpr std::size_t kOutputMax = 4 << 20;

}  // namespace
}  // namespace sureflash::sim

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sureflash;
  static sim::World world;
  // A device that was told to leave is plugged in again; one that has been imported is free again.
  for (int i = 0; world.port->identity() == nullptr && i < 10000; ++i) world.port->tick();
  fuzz::require(!world.devices["1-1"].imported, "a session gives its device back");
  sim::UsbipSession session(world.devices);
  // In two pieces: what is not complete has to wait.
  const ByteView input(data, size);
  session.feed(input.first(size / 2));
  session.feed(input.subspan(size / 2));
  session.tick();
  fuzz::require(session.output().size() <= sim::kOutputMax, "answers are bounded");
  return 0;
}
