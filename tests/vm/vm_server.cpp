// Serves the virtual devices of the full stack test: one by usbredir, which QEMU plugs into its
// guest, and one by USB/IP, which the guest attaches; and by both a serial port that echoes, at
// SOCKET.serial and as 1-2. Usage: vm_server REDIR-SPEC SOCKET USBIP-SPEC TCP-PORT; ends with
// SIGTERM.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "sureflash/sim/export/usbip.hpp"
#include "sureflash/sim/export/usbredir.hpp"
#include "sureflash/sim/export_test/cdc_device.hpp"
#include "sureflash/sim/model/profiles.hpp"

namespace {

using namespace sureflash;

sim::Loop* running_loop = nullptr;

template <class T>
T or_exit(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "error: %s\n", message(result.error()).c_str());
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: vm_server REDIR-SPEC SOCKET USBIP-SPEC TCP-PORT\n");
    return 2;
  }
  const auto redirected = or_exit(sim::make_device(argv[1]));
  const auto remote = or_exit(sim::make_device(argv[3]));
  sim::CdcDevice redirected_serial, remote_serial;
  sim::Loop loop;
  const auto usbredir =
      or_exit(sim::UsbredirServer::create(loop, argv[2], redirected->usb(), sim::Pace::Real));
  const auto usbredir_serial = or_exit(sim::UsbredirServer::create(
      loop, std::string(argv[2]) + ".serial", redirected_serial, sim::Pace::Real));
  sim::UsbipOptions options;
  options.tcp_port = static_cast<std::uint16_t>(std::atoi(argv[4]));
  const auto usbip = or_exit(sim::UsbipServer::create(loop, options));
  usbip->add(remote->usb(), sim::Pace::Real);
  usbip->add(remote_serial, sim::Pace::Real);
  running_loop = &loop;
  std::signal(SIGTERM, [](int) { running_loop->stop(); });
  std::printf("serving\n");
  std::fflush(stdout);
  loop.run();
  return 0;
}
