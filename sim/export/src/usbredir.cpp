#include "sureflash/sim/export/usbredir.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <poll.h>
#include <usbredirparser.h>

#include <sys/socket.h>

#include "sureflash/sim/export/unix_socket.hpp"

namespace sureflash::sim {
namespace {

constexpr Duration kIdleTick = 5ms;
constexpr Duration kForever = 10min;
constexpr std::size_t kPendingMax = 64;
/// A guest that does not read is given up.
constexpr std::uint64_t kOutputMax = 1 << 20;
/// "There is no such endpoint" (usb_redir_type_invalid).
constexpr std::uint8_t kNoEndpoint = 255;

std::uint8_t status_of(Handshake handshake) {
  switch (handshake) {
    case Handshake::Ack:
      return usb_redir_success;
    case Handshake::Stall:
      return usb_redir_stall;
    case Handshake::Timeout:
      return usb_redir_timeout;
    case Handshake::Gone:
      return usb_redir_ioerror;
  }
  return usb_redir_ioerror;
}

proto::Setup standard(std::uint8_t type, proto::StandardRequest request, std::uint16_t value,
                      std::uint16_t index) {
  return {type, static_cast<std::uint8_t>(request), value, index, 0};
}

usb_redir_interface_info_header interface_info(const Identity& identity) {
  usb_redir_interface_info_header info{};
  const ByteView c = identity.configuration;
  for (std::size_t at = 0; at + 2 <= c.size() && c[at] >= 2 && info.interface_count < 32;
       at += c[at]) {
    const bool interface = c[at + 1] == static_cast<std::uint8_t>(proto::DescriptorType::Interface);
    if (!interface || at + proto::kInterfaceDescriptorLength > c.size() || c[at + 3] != 0) continue;
    const std::uint32_t i = info.interface_count;
    info.interface[i] = c[at + 2];
    info.interface_class[i] = c[at + 5];
    info.interface_subclass[i] = c[at + 6];
    info.interface_protocol[i] = c[at + 7];
    info.interface_count = i + 1;
  }
  return info;
}

usb_redir_ep_info_header endpoint_info(const Identity& identity) {
  usb_redir_ep_info_header info{};
  std::fill(std::begin(info.type), std::end(info.type), kNoEndpoint);
  for (const int control : {0, 16}) {
    info.type[control] = usb_redir_type_control;
    info.max_packet_size[control] = identity.device_descriptor[7];
  }
  return info;
}

}  // namespace

/// A connected QEMU.
class UsbredirServer::Guest {
 public:
  Guest(UsbredirServer& server, Descriptor socket) : server_(&server), socket_(std::move(socket)) {
    parser_ = ::usbredirparser_create();
    parser_->priv = this;
    set_callbacks();
    std::array<std::uint32_t, USB_REDIR_CAPS_SIZE> caps{};
    // QEMU's xHCI refuses a host without 32-bit bulk lengths.
    for (const int cap : {usb_redir_cap_connect_device_version, usb_redir_cap_device_disconnect_ack,
                          usb_redir_cap_ep_info_max_packet_size, usb_redir_cap_64bits_ids,
                          usb_redir_cap_32bits_bulk_length}) {
      ::usbredirparser_caps_set_cap(caps.data(), cap);
    }
    ::usbredirparser_init(parser_, "sureflash", caps.data(), USB_REDIR_CAPS_SIZE,
                          usbredirparser_fl_usb_host);
    server_->loop_->watch(socket_.get(), POLLIN, [this](short) { receive(); });
  }
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  ~Guest() {
    server_->loop_->unwatch(socket_.get());
    ::usbredirparser_destroy(parser_);
  }

  bool broken() const { return broken_; }

  void device_arrived() {
    wants_connect_ = true;
    connect_if_possible();
  }

  void device_left() {
    wants_connect_ = false;
    pending_.clear();
    if (!connected_) return;
    connected_ = false;
    awaiting_ack_ =
        ::usbredirparser_peer_has_cap(parser_, usb_redir_cap_device_disconnect_ack) != 0;
    ::usbredirparser_send_device_disconnect(parser_);
  }

  /// Sends what is due. @returns how long until the next answer is.
  Duration tick() {
    const Duration now = server_->port_.wall();
    Duration sleep = kIdleTick;
    for (auto it = pending_.begin(); it != pending_.end();) {
      if (it->due > now) {
        sleep = std::min(sleep, it->due - now);
        ++it;
        continue;
      }
      it->send();
      it = pending_.erase(it);
    }
    flush();
    return sleep;
  }

 private:
  /// An answer that the guest may not see yet.
  struct Pending {
    std::uint64_t id;
    Duration due;
    std::function<void()> send;
    /// Answer with this header when the guest takes a control transfer back.
    std::optional<usb_redir_control_packet_header> control;
  };

  static Guest& self(void* priv) { return *static_cast<Guest*>(priv); }

  /// The parser calls whatever the peer asks for without looking: no callback may be missing.
  void set_callbacks() {
    set_io_callbacks();
    set_device_callbacks();
    set_unsupported_callbacks();
  }

  void set_io_callbacks() {
    parser_->log_func = [](void*, int, const char*) {};
    parser_->read_func = [](void* priv, std::uint8_t* data, int count) {
      return self(priv).moved(
          ::recv(self(priv).socket_.get(), data, static_cast<std::size_t>(count), 0), true);
    };
    parser_->write_func = [](void* priv, std::uint8_t* data, int count) {
      return self(priv).moved(
          ::send(self(priv).socket_.get(), data, static_cast<std::size_t>(count), MSG_NOSIGNAL),
          false);
    };
    parser_->hello_func = [](void* priv, usb_redir_hello_header*) {
      self(priv).greeted_ = true;
      self(priv).connect_if_possible();
    };
    parser_->device_disconnect_ack_func = [](void* priv) {
      self(priv).awaiting_ack_ = false;
      self(priv).connect_if_possible();
    };
  }

  void set_device_callbacks() {
    parser_->reset_func = [](void* priv) { self(priv).server_->port_.reset(); };
    parser_->set_configuration_func = [](void* priv, std::uint64_t id,
                                         usb_redir_set_configuration_header* header) {
      self(priv).set_configuration(id, header->configuration);
    };
    parser_->get_configuration_func = [](void* priv, std::uint64_t id) {
      self(priv).tell_configuration(id, usb_redir_success);
    };
    parser_->set_alt_setting_func = [](void* priv, std::uint64_t id,
                                       usb_redir_set_alt_setting_header* header) {
      self(priv).set_alt_setting(id, header->interface, header->alt);
    };
    parser_->get_alt_setting_func = [](void* priv, std::uint64_t id,
                                       usb_redir_get_alt_setting_header* header) {
      self(priv).tell_alt_setting(id, header->interface);
    };
    parser_->control_packet_func = [](void* priv, std::uint64_t id,
                                      usb_redir_control_packet_header* header, std::uint8_t* data,
                                      int length) {
      self(priv).control(id, *header, {data, static_cast<std::size_t>(length)});
      ::usbredirparser_free_packet_data(self(priv).parser_, data);
    };
    parser_->cancel_data_packet_func = [](void* priv, std::uint64_t id) { self(priv).cancel(id); };
  }

  /// Streams and endpoints that no device here has. A guest that asks for them is lost.
  void set_unsupported_callbacks() {
    parser_->start_iso_stream_func = [](void* p, std::uint64_t, auto*) { self(p).give_up(); };
    parser_->stop_iso_stream_func = [](void* p, std::uint64_t, auto*) { self(p).give_up(); };
    parser_->start_interrupt_receiving_func = [](void* p, std::uint64_t, auto*) {
      self(p).give_up();
    };
    parser_->stop_interrupt_receiving_func = [](void* p, std::uint64_t, auto*) {
      self(p).give_up();
    };
    parser_->alloc_bulk_streams_func = [](void* p, std::uint64_t, auto*) { self(p).give_up(); };
    parser_->free_bulk_streams_func = [](void* p, std::uint64_t, auto*) { self(p).give_up(); };
    parser_->start_bulk_receiving_func = [](void* p, std::uint64_t, auto*) { self(p).give_up(); };
    parser_->stop_bulk_receiving_func = [](void* p, std::uint64_t, auto*) { self(p).give_up(); };
    parser_->filter_reject_func = [](void* p) { self(p).give_up(); };
    parser_->filter_filter_func = [](void* p, usbredirfilter_rule* rules, int) {
      ::free(rules);
      self(p).give_up();
    };
    parser_->bulk_packet_func = [](void* p, std::uint64_t, auto*, std::uint8_t* data, int) {
      self(p).refuse_data(data);
    };
    parser_->iso_packet_func = [](void* p, std::uint64_t, auto*, std::uint8_t* data, int) {
      self(p).refuse_data(data);
    };
    parser_->interrupt_packet_func = [](void* p, std::uint64_t, auto*, std::uint8_t* data, int) {
      self(p).refuse_data(data);
    };
  }

  void give_up() { broken_ = true; }
  void refuse_data(std::uint8_t* data) {
    ::usbredirparser_free_packet_data(parser_, data);
    give_up();
  }

  /// The parser wants 0 for "would block" and -1 for the end.
  int moved(ssize_t count, bool zero_is_end) {
    if (count > 0) return static_cast<int>(count);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    if (count == 0 && !zero_is_end) return 0;
    broken_ = true;
    return -1;
  }

  void receive() {
    if (::usbredirparser_do_read(parser_) != 0) broken_ = true;
    flush();
  }

  void flush() {
    if (::usbredirparser_has_data_to_write(parser_) != 0 &&
        ::usbredirparser_do_write(parser_) != 0) {
      broken_ = true;
    }
    if (::usbredirparser_get_bufferered_output_size(parser_) > kOutputMax) broken_ = true;
    const bool more = ::usbredirparser_has_data_to_write(parser_) != 0;
    server_->loop_->set_events(socket_.get(), more ? POLLIN | POLLOUT : POLLIN);
  }

  void connect_if_possible() {
    if (!greeted_ || !wants_connect_ || connected_ || awaiting_ack_) return;
    const Identity& identity = *server_->port_.identity();
    send_infos(identity);
    const ByteView d = identity.device_descriptor;
    usb_redir_device_connect_header header{};
    header.speed = identity.speed == Speed::High ? usb_redir_speed_high : usb_redir_speed_full;
    header.device_class = d[4];
    header.device_subclass = d[5];
    header.device_protocol = d[6];
    header.vendor_id = identity.vendor_id();
    header.product_id = identity.product_id();
    header.device_version_bcd = identity.bcd_device();
    ::usbredirparser_send_device_connect(parser_, &header);
    connected_ = true;
  }

  void send_infos(const Identity& identity) {
    auto interfaces = interface_info(identity);
    auto endpoints = endpoint_info(identity);
    ::usbredirparser_send_interface_info(parser_, &interfaces);
    ::usbredirparser_send_ep_info(parser_, &endpoints);
  }

  void set_configuration(std::uint64_t id, std::uint8_t value) {
    HostPort& port = server_->port_;
    const auto done = port.control(
        standard(proto::kStandardOutDevice, proto::StandardRequest::SetConfiguration, value, 0), {},
        {}, kForever);
    if (port.identity() != nullptr) send_infos(*port.identity());
    tell_configuration(id, status_of(done.completion.handshake));
  }

  void tell_configuration(std::uint64_t id, std::uint8_t status) {
    const Identity* identity = server_->port_.identity();
    usb_redir_configuration_status_header header{};
    header.status = status;
    header.configuration = identity == nullptr ? std::uint8_t{0} : identity->configuration_value();
    ::usbredirparser_send_configuration_status(parser_, id, &header);
  }

  void set_alt_setting(std::uint64_t id, std::uint8_t interface, std::uint8_t alt) {
    const auto done =
        server_->port_.control(standard(proto::kStandardOutInterface,
                                        proto::StandardRequest::SetInterface, alt, interface),
                               {}, {}, kForever);
    alt_settings_[interface] = alt;
    usb_redir_alt_setting_status_header header{};
    header.status = status_of(done.completion.handshake);
    header.interface = interface;
    header.alt = alt;
    ::usbredirparser_send_alt_setting_status(parser_, id, &header);
  }

  void tell_alt_setting(std::uint64_t id, std::uint8_t interface) {
    usb_redir_alt_setting_status_header header{};
    header.interface = interface;
    header.alt = alt_settings_[interface];
    ::usbredirparser_send_alt_setting_status(parser_, id, &header);
  }

  void control(std::uint64_t id, usb_redir_control_packet_header header, ByteView out) {
    const proto::Setup setup{header.requesttype, header.request, header.value, header.index,
                             header.length};
    const std::size_t expected = setup.is_in() ? 0 : setup.wLength;
    if (out.size() != expected || pending_.size() >= kPendingMax) return give_up();
    Bytes in(setup.is_in() ? setup.wLength : 0);
    const auto done = server_->port_.control(setup, out, in, kForever);
    const std::size_t actual = std::min<std::size_t>(done.completion.actual, setup.wLength);
    in.resize(setup.is_in() ? actual : 0);
    header.status = status_of(done.completion.handshake);
    header.length = static_cast<std::uint16_t>(actual);
    const auto send = [this, id, header, in]() mutable {
      ::usbredirparser_send_control_packet(parser_, id, &header, in.data(),
                                           static_cast<int>(in.size()));
    };
    pending_.push_back({id, done.due, send, header});
  }

  void cancel(std::uint64_t id) {
    const auto it = std::find_if(pending_.begin(), pending_.end(),
                                 [&](const Pending& p) { return p.id == id; });
    if (it == pending_.end() || !it->control) return;
    auto header = *it->control;
    pending_.erase(it);
    header.status = usb_redir_cancelled;
    header.length = 0;
    ::usbredirparser_send_control_packet(parser_, id, &header, nullptr, 0);
  }

  UsbredirServer* server_;
  Descriptor socket_;
  usbredirparser* parser_ = nullptr;
  std::list<Pending> pending_;
  std::array<std::uint8_t, 256> alt_settings_{};
  bool greeted_ = false;
  bool wants_connect_ = false;
  bool connected_ = false;
  bool awaiting_ack_ = false;
  bool broken_ = false;
};

Result<std::unique_ptr<UsbredirServer>> UsbredirServer::create(Loop& loop,
                                                               std::filesystem::path socket,
                                                               UsbDevice& device, Pace pace) {
  TRY_ASSIGN(Descriptor listener, listen_at(socket));
  return std::unique_ptr<UsbredirServer>(
      new UsbredirServer(loop, std::move(socket), std::move(listener), device, pace));
}

UsbredirServer::UsbredirServer(Loop& loop, std::filesystem::path path, Descriptor listener,
                               UsbDevice& device, Pace pace)
    : loop_(&loop), path_(std::move(path)), listener_(std::move(listener)), port_(device, pace) {
  const std::scoped_lock lock(loop_->mutex());
  tick_ = loop_->add_tick([this] { return tick(); });
  loop_->watch(listener_.get(), POLLIN, [this](short) { accept(); });
}

UsbredirServer::~UsbredirServer() {
  const std::scoped_lock lock(loop_->mutex());
  loop_->remove_tick(tick_);
  loop_->unwatch(listener_.get());
  guest_.reset();
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

Duration UsbredirServer::tick() {
  const auto event = port_.tick();
  if (!guest_) return kIdleTick;
  if (event == HostPort::Event::Arrived) guest_->device_arrived();
  if (event == HostPort::Event::Left) guest_->device_left();
  const Duration sleep = guest_->tick();
  if (guest_->broken()) guest_.reset();
  return sleep;
}

void UsbredirServer::accept() {
  Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket || guest_) return;  // somebody else has the device
  guest_ = std::make_unique<Guest>(*this, std::move(socket));
  if (port_.identity() != nullptr) guest_->device_arrived();
}

}  // namespace sureflash::sim
