#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sureflash/base/error.hpp"
#include "sureflash/sim/export/host_port.hpp"
#include "sureflash/sim/export/loop.hpp"

/// USB/IP, the network protocol of Linux' usbip: `usbip attach` gives a kernel the virtual device.
/// Source: Linux, Documentation/usb/usbip_protocol.rst; version 1.1.1 (0x0111).
namespace sureflash::sim {

/// What USB/IP clients can ask for.
struct UsbipDevice {
  std::string bus_id;  ///< "1-1"; at most 31 characters
  std::uint32_t device_number = 0;
  HostPort* port = nullptr;
  bool imported = false;
};

/// One client, without its socket: bytes in, bytes out. Whatever the bytes are, memory stays
/// bounded.
class UsbipSession {
 public:
  using Devices = std::map<std::string, UsbipDevice>;

  /// `devices` must outlive this.
  explicit UsbipSession(Devices& devices) : devices_(&devices) {}
  UsbipSession(const UsbipSession&) = delete;
  UsbipSession& operator=(const UsbipSession&) = delete;
  ~UsbipSession();

  /// Takes what the client sent. Does nothing once `finished`.
  void feed(ByteView bytes);
  /// Puts answers that are due into the output. @returns when (wall clock) the next one is.
  std::optional<Duration> tick();
  /// Bytes to send; the caller takes them out.
  Bytes& output() { return output_; }
  /// Nothing more will be read; to be closed when the output is sent.
  bool finished() const { return finished_; }
  /// The device this client has imported has left the bus.
  void device_left(const UsbipDevice& device);

 private:
  struct Urb {
    std::uint32_t sequence;
    std::shared_ptr<Transfer> transfer;
    bool short_not_ok = false;
    std::optional<int> error = {};  ///< errno; refused without asking the device
  };
  struct Command;

  /// Deals with one message at the start of the input. @returns its length; 0: not complete yet.
  std::size_t take_operation(ByteView input);
  std::size_t take_urb(ByteView input);
  void list_devices();
  void import(ByteView bus_id);
  void submit_control(const Command& command);
  void submit_endpoint(const Command& command);
  void refuse(std::uint32_t sequence);
  void answer(const Urb& urb);
  std::list<Urb>::iterator forget(std::list<Urb>::iterator urb);
  void unlink(ByteView header);
  void reject() { finished_ = true; }

  Devices* devices_;
  UsbipDevice* device_ = nullptr;
  Bytes input_;
  Bytes output_;
  std::list<Urb> pending_;
  std::size_t pending_bytes_ = 0;
  bool finished_ = false;
};

struct UsbipOptions {
  /// Anybody who can connect can use the devices: other addresses than loopback are the user's
  /// choice.
  std::string address = "127.0.0.1";
  std::uint16_t tcp_port = 3240;  ///< 0: any free one
};

/// Serves devices to USB/IP clients. Lives in a loop. A device that leaves the bus is unplugged for
/// the client, which has to attach again: the protocol has no way to announce a device.
class UsbipServer {
 public:
  /// Errors: Usage (address), DeviceBusy (the port is taken).
  static Result<std::unique_ptr<UsbipServer>> create(Loop& loop, const UsbipOptions& options);
  UsbipServer(const UsbipServer&) = delete;
  UsbipServer& operator=(const UsbipServer&) = delete;
  ~UsbipServer();

  /// `device` must outlive this. @returns its bus id: "1-1", "1-2", …
  std::string add(UsbDevice& device, Pace pace);
  HostPort& port(const std::string& bus_id) { return *devices_.at(bus_id).port; }
  std::uint16_t tcp_port() const { return tcp_port_; }

 private:
  struct Client {
    Client(Descriptor descriptor, UsbipSession::Devices& devices)
        : socket(std::move(descriptor)), session(devices) {}
    Descriptor socket;
    UsbipSession session;
    bool broken = false;
  };

  UsbipServer(Loop& loop, Descriptor listener, std::uint16_t tcp_port);
  Duration tick();
  void accept();
  void receive(Client& client);
  void send(Client& client);

  Loop* loop_;
  Descriptor listener_;
  std::uint16_t tcp_port_;
  int tick_ = -1;
  std::vector<std::unique_ptr<HostPort>> ports_;
  UsbipSession::Devices devices_;
  std::list<Client> clients_;
};

}  // namespace sureflash::sim
