#pragma once

#include <filesystem>
#include <list>
#include <memory>

#include "sureflash/base/error.hpp"
#include "sureflash/sim/export/host_port.hpp"
#include "sureflash/sim/export/loop.hpp"

/// usbredir, the protocol by which QEMU gives a guest a USB device from elsewhere:
///
///     qemu-system-x86_64 … -device qemu-xhci,id=x
///       -chardev socket,id=r,path=SOCKET -device usb-redir,chardev=r,bus=x.0
namespace sureflash::sim {

class UsbredirGuest;

/// Serves one device to one QEMU at a time. Lives in a loop. The guest sees unplugging, plugging
/// and re-enumeration as such.
class UsbredirServer {
 public:
  /// Listens at a Unix socket; `device` must outlive this. Errors: FileUnwritable.
  static Result<std::unique_ptr<UsbredirServer>> create(Loop& loop, std::filesystem::path socket,
                                                        UsbDevice& device, Pace pace);
  UsbredirServer(const UsbredirServer&) = delete;
  UsbredirServer& operator=(const UsbredirServer&) = delete;
  ~UsbredirServer();

  HostPort& port() { return port_; }

 private:
  UsbredirServer(Loop& loop, std::filesystem::path path, Descriptor listener, UsbDevice& device,
                 Pace pace);
  Duration tick();
  void accept();

  Loop* loop_;
  std::filesystem::path path_;
  Descriptor listener_;
  HostPort port_;
  int tick_ = -1;
  std::unique_ptr<UsbredirGuest> guest_;
};

}  // namespace sureflash::sim
