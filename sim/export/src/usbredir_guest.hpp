#pragma once

#include <array>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <usbredirparser.h>

#include "sureflash/sim/export/descriptor.hpp"
#include "sureflash/sim/export/host_port.hpp"
#include "sureflash/sim/export/loop.hpp"

namespace sureflash::sim {

/// A connected QEMU: usbredir's "usb-host" side, as usbredirproto.h and usb-redirection-protocol.md
/// describe it. Streams, isochronous endpoints and buffered bulk input are not offered; a guest
/// that asks for them is lost.
class UsbredirGuest {
 public:
  UsbredirGuest(Loop& loop, HostPort& port, Descriptor socket);
  UsbredirGuest(const UsbredirGuest&) = delete;
  UsbredirGuest& operator=(const UsbredirGuest&) = delete;
  ~UsbredirGuest();

  bool broken() const { return broken_; }
  void device_arrived();
  void device_left();
  /// Sends what is due. @returns how long until the next answer is.
  Duration tick();

 private:
  /// A transfer that the guest waits for.
  struct Pending {
    std::uint64_t id;
    std::shared_ptr<Transfer> transfer;
    /// Sends the answer, with a status of usbredir and what the transfer has moved.
    std::function<void(std::uint8_t status, const Transfer& transfer)> answer;
  };
  /// An interrupt endpoint that the guest wants to hear of all the time.
  struct Receiving {
    std::shared_ptr<Transfer> transfer;
    std::uint64_t next_id = 0;
  };

  static UsbredirGuest& self(void* priv) { return *static_cast<UsbredirGuest*>(priv); }
  void set_callbacks();
  void set_io_callbacks();
  void set_device_callbacks();
  void set_data_callbacks();
  void set_unsupported_callbacks();

  void give_up() { broken_ = true; }
  void refuse_data(std::uint8_t* data);
  int moved(ssize_t count, bool zero_is_end);
  void receive();
  void flush();
  void connect_if_possible();
  void send_infos();
  void set_configuration(std::uint64_t id, std::uint8_t value);
  void tell_configuration(std::uint64_t id, std::uint8_t status);
  void set_alt_setting(std::uint64_t id, std::uint8_t interface, std::uint8_t alt);
  void tell_alt_setting(std::uint64_t id, std::uint8_t interface);
  void reset();

  // usbredir_transfers.cpp
  void control(std::uint64_t id, usb_redir_control_packet_header header, ByteView out);
  void bulk(std::uint64_t id, usb_redir_bulk_packet_header header, ByteView out);
  void interrupt_out(std::uint64_t id, usb_redir_interrupt_packet_header header, ByteView out);
  void start_receiving(std::uint64_t id, std::uint8_t endpoint);
  void stop_receiving(std::uint64_t id, std::uint8_t endpoint);
  void receive_again(std::uint8_t endpoint, Receiving& receiving);
  bool pass_on(std::uint8_t endpoint, Receiving& receiving);
  void tell_receiving(std::uint64_t id, std::uint8_t endpoint, std::uint8_t status);
  bool has_endpoint(std::uint8_t address, TransferType type) const;
  bool room_for(std::size_t bytes) const;
  void cancel(std::uint64_t id);
  void forget_transfers();
  Duration answer_what_is_due();

  Loop* loop_;
  HostPort* port_;
  Descriptor socket_;
  usbredirparser* parser_ = nullptr;
  std::list<Pending> pending_;
  std::map<std::uint8_t, Receiving> receiving_;  ///< by address
  std::array<std::uint8_t, 256> alt_settings_{};
  bool greeted_ = false;
  bool wants_connect_ = false;
  bool connected_ = false;
  bool awaiting_ack_ = false;
  bool broken_ = false;
};

/// The status with which usbredir reports the end of a transfer.
std::uint8_t usbredir_status(Handshake handshake);

}  // namespace sureflash::sim
