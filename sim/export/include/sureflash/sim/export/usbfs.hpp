#pragma once

#include <cstdint>
#include <expected>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "sureflash/sim/export/host_port.hpp"

/// The rules of Linux' /dev/bus/usb files (drivers/usb/core/devio.c), without any transport: what
/// each ioctl of a program answers. Control, bulk and interrupt transfers; no isochronous ones.
namespace sureflash::sim {

/// The memory of the program whose ioctl is answered. false: no such memory (EFAULT).
class ClientMemory {
 public:
  virtual ~ClientMemory() = default;
  virtual bool read(std::uint64_t address, ByteSpan to) = 0;
  virtual bool write(std::uint64_t address, ByteView from) = 0;
};

/// What an ioctl returns: `value` if `error` (an errno) is 0. The program may not see it before
/// `due`.
struct IoctlResult {
  long value = 0;
  int error = 0;
  Duration due{};
  /// The ioctl blocks: it is to be asked again, with the same argument, until it does not.
  bool blocks = false;
};

class UsbfsFile;

/// One device as long as it keeps its device number. Open files share it and survive its
/// unplugging.
class UsbfsNode {
 public:
  /// Precondition: port.identity() is not nullptr.
  UsbfsNode(HostPort& port, std::uint8_t device_number);

  /// The device is gone; from now on programs get ENODEV.
  void unplug();
  std::uint8_t device_number() const { return device_number_; }

 private:
  friend class UsbfsFile;

  bool has_interface(unsigned number) const;
  /// The interface that has an endpoint of this address in any alternate setting.
  std::optional<unsigned> interface_of(std::uint8_t endpoint) const;
  bool has_alt_setting(unsigned number, unsigned alt) const;
  /// 0, or the errno with which the kernel refuses.
  int claim(const UsbfsFile& file, unsigned number);

  HostPort* port_;  ///< nullptr: unplugged
  Duration unplugged_at_{};
  std::uint8_t device_number_;
  std::uint8_t configuration_value_;
  Speed speed_;
  std::vector<InterfaceInfo> interfaces_;
  std::map<unsigned, const UsbfsFile*> claims_;
  std::size_t urb_memory_ = 0;  ///< bytes of all buffers under way
};

/// What one open() of the node holds.
class UsbfsFile {
 public:
  explicit UsbfsFile(std::shared_ptr<UsbfsNode> node) : node_(std::move(node)) {}
  UsbfsFile(const UsbfsFile&) = delete;
  UsbfsFile& operator=(const UsbfsFile&) = delete;
  /// Closing gives up claims and transfers.
  ~UsbfsFile();

  IoctlResult ioctl(std::uint32_t request, std::uint64_t argument, ClientMemory& memory);
  /// read(): the descriptors. `size` bytes at most, from where the last one ended.
  IoctlResult read(std::uint64_t address, std::size_t size, ClientMemory& memory);
  /// Whether poll() says POLLOUT: REAPURBNDELAY has something to tell.
  bool ready() const;
  /// When (wall clock) the next submitted transfer can be reaped; nullopt: none is submitted.
  std::optional<Duration> next_due() const;

 private:
  struct Urb {
    std::uint64_t address;       ///< of the program's struct usbdevfs_urb
    std::uint64_t data_address;  ///< where IN data goes
    std::shared_ptr<Transfer> transfer;
    std::optional<unsigned> interface;  ///< whose endpoint; none: endpoint 0
    bool short_not_ok = false;
    bool taken_back = false;
    std::size_t memory = 0;
  };
  struct ProgramUrb;

  IoctlResult submit(std::uint64_t argument, ClientMemory& memory);
  IoctlResult submit_control(const ProgramUrb& urb, ClientMemory& memory);
  IoctlResult submit_endpoint(const ProgramUrb& urb, ClientMemory& memory);
  IoctlResult reap(std::uint64_t argument, ClientMemory& memory);
  IoctlResult give_back(const Urb& urb, std::uint64_t argument, ClientMemory& memory);
  IoctlResult discard(std::uint64_t address);
  IoctlResult bulk(std::uint64_t argument, ClientMemory& memory);
  int start_bulk(unsigned address, std::size_t length, std::uint64_t buffer, ClientMemory& memory);
  void take_back(Urb& urb);
  void take_back_all(unsigned interface);
  IoctlResult clear_halt(std::uint64_t argument, ClientMemory& memory);
  IoctlResult reset_endpoint(std::uint64_t argument, ClientMemory& memory);
  /// The endpoint in the selected alternate setting, if this file may use it; else an errno. Claims
  /// the interface as the kernel does.
  std::expected<const EndpointInfo*, int> use_endpoint(unsigned address);
  IoctlResult control(std::uint64_t argument, ClientMemory& memory);
  IoctlResult set_interface(std::uint64_t argument, ClientMemory& memory);
  IoctlResult set_configuration(std::uint64_t argument, ClientMemory& memory);
  IoctlResult claim(std::uint64_t argument, ClientMemory& memory);
  IoctlResult release(std::uint64_t argument, ClientMemory& memory);
  IoctlResult driver_name(std::uint64_t argument, ClientMemory& memory);
  IoctlResult driver_ioctl(std::uint64_t argument, ClientMemory& memory);
  IoctlResult connect_info(std::uint64_t argument, ClientMemory& memory);
  IoctlResult capabilities(std::uint64_t argument, ClientMemory& memory);
  IoctlResult reset();
  /// May this file send `setup`? 0 or errno. Claims the interface as the kernel does.
  int check_recipient(const proto::Setup& setup);

  std::shared_ptr<UsbfsNode> node_;
  std::size_t position_ = 0;  ///< of read()
  std::list<Urb> urbs_;
  /// The transfer of a USBDEVFS_BULK that blocks, and when its time is over (wall clock).
  std::shared_ptr<Transfer> blocking_;
  Duration give_up_at_{};
};

}  // namespace sureflash::sim
