#include "usbredir_guest.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <poll.h>

#include <sys/socket.h>

namespace sureflash::sim {
namespace {

constexpr Duration kForever = 10min;
/// A guest that does not read is given up.
constexpr std::uint64_t kOutputMax = 4 << 20;
/// "There is no such endpoint" (usb_redir_type_invalid).
constexpr std::uint8_t kNoEndpoint = 255;

proto::Setup standard(std::uint8_t type, proto::StandardRequest request, std::uint16_t value,
                      std::uint16_t index) {
  return {type, static_cast<std::uint8_t>(request), value, index, 0};
}

usb_redir_interface_info_header interface_info(const Identity& identity) {
  usb_redir_interface_info_header info{};
  for (const InterfaceInfo& interface : identity.interfaces) {
    if (interface.alt_setting != 0 || info.interface_count == 32) continue;
    const std::uint32_t i = info.interface_count++;
    info.interface[i] = interface.number;
    info.interface_class[i] = interface.interface_class;
    info.interface_subclass[i] = interface.subclass;
    info.interface_protocol[i] = interface.protocol;
  }
  return info;
}

/// Place of an endpoint in the arrays of usb_redir_ep_info.
std::size_t endpoint_index(std::uint8_t address) {
  return (address & 0x0FU) | (address & 0x80U) >> 3;
}

usb_redir_ep_info_header endpoint_info(const HostPort& port) {
  const Identity& identity = *port.identity();
  usb_redir_ep_info_header info{};
  std::fill(std::begin(info.type), std::end(info.type), kNoEndpoint);
  for (const int control : {0, 16}) {
    info.type[control] = usb_redir_type_control;
    info.max_packet_size[control] = identity.device_descriptor[7];
  }
  for (const InterfaceInfo& interface : identity.interfaces) {
    for (const EndpointInfo& e : interface.endpoints) {
      const std::size_t i = endpoint_index(e.address);
      const bool selected = port.endpoint(e.address) == &e;
      if (!selected || (e.address & 0x0F) == 0) continue;
      info.type[i] = static_cast<std::uint8_t>(e.type);
      info.interval[i] = e.interval;
      info.interface[i] = interface.number;
      info.max_packet_size[i] = e.max_packet_size;
    }
  }
  return info;
}

}  // namespace

UsbredirGuest::UsbredirGuest(Loop& loop, HostPort& port, Descriptor socket)
    : loop_(&loop), port_(&port), socket_(std::move(socket)), parser_(::usbredirparser_create()) {
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
  loop_->watch(socket_.get(), POLLIN, [this](short) { receive(); });
}

UsbredirGuest::~UsbredirGuest() {
  loop_->unwatch(socket_.get());
  forget_transfers();
  ::usbredirparser_destroy(parser_);
}

void UsbredirGuest::device_arrived() {
  wants_connect_ = true;
  connect_if_possible();
}

void UsbredirGuest::device_left() {
  wants_connect_ = false;
  forget_transfers();
  if (!connected_) return;
  connected_ = false;
  awaiting_ack_ = ::usbredirparser_peer_has_cap(parser_, usb_redir_cap_device_disconnect_ack) != 0;
  ::usbredirparser_send_device_disconnect(parser_);
}

Duration UsbredirGuest::tick() {
  const Duration sleep = answer_what_is_due();
  flush();
  return sleep;
}

/// The parser calls whatever the peer asks for without looking: no callback may be missing.
void UsbredirGuest::set_callbacks() {
  set_io_callbacks();
  set_device_callbacks();
  set_data_callbacks();
  set_unsupported_callbacks();
}

void UsbredirGuest::set_io_callbacks() {
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

void UsbredirGuest::set_device_callbacks() {
  parser_->reset_func = [](void* priv) { self(priv).reset(); };
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
  parser_->start_interrupt_receiving_func = [](void* priv, std::uint64_t id,
                                               usb_redir_start_interrupt_receiving_header* header) {
    self(priv).start_receiving(id, header->endpoint);
  };
  parser_->stop_interrupt_receiving_func = [](void* priv, std::uint64_t id,
                                              usb_redir_stop_interrupt_receiving_header* header) {
    self(priv).stop_receiving(id, header->endpoint);
  };
  parser_->cancel_data_packet_func = [](void* priv, std::uint64_t id) { self(priv).cancel(id); };
}

void UsbredirGuest::set_data_callbacks() {
  parser_->control_packet_func = [](void* priv, std::uint64_t id,
                                    usb_redir_control_packet_header* header, std::uint8_t* data,
                                    int length) {
    self(priv).control(id, *header, {data, static_cast<std::size_t>(length)});
    ::usbredirparser_free_packet_data(self(priv).parser_, data);
  };
  parser_->bulk_packet_func = [](void* priv, std::uint64_t id, usb_redir_bulk_packet_header* header,
                                 std::uint8_t* data, int length) {
    self(priv).bulk(id, *header, {data, static_cast<std::size_t>(length)});
    ::usbredirparser_free_packet_data(self(priv).parser_, data);
  };
  parser_->interrupt_packet_func = [](void* priv, std::uint64_t id,
                                      usb_redir_interrupt_packet_header* header, std::uint8_t* data,
                                      int length) {
    self(priv).interrupt_out(id, *header, {data, static_cast<std::size_t>(length)});
    ::usbredirparser_free_packet_data(self(priv).parser_, data);
  };
}

void UsbredirGuest::set_unsupported_callbacks() {
  parser_->start_iso_stream_func = [](void* p, std::uint64_t, auto*) { self(p).give_up(); };
  parser_->stop_iso_stream_func = [](void* p, std::uint64_t, auto*) { self(p).give_up(); };
  parser_->alloc_bulk_streams_func = [](void* p, std::uint64_t, auto*) { self(p).give_up(); };
  parser_->free_bulk_streams_func = [](void* p, std::uint64_t, auto*) { self(p).give_up(); };
  parser_->start_bulk_receiving_func = [](void* p, std::uint64_t, auto*) { self(p).give_up(); };
  parser_->stop_bulk_receiving_func = [](void* p, std::uint64_t, auto*) { self(p).give_up(); };
  parser_->filter_reject_func = [](void* p) { self(p).give_up(); };
  parser_->filter_filter_func = [](void* p, usbredirfilter_rule* rules, int) {
    ::free(rules);
    self(p).give_up();
  };
  parser_->iso_packet_func = [](void* p, std::uint64_t, auto*, std::uint8_t* data, int) {
    self(p).refuse_data(data);
  };
}

void UsbredirGuest::refuse_data(std::uint8_t* data) {
  ::usbredirparser_free_packet_data(parser_, data);
  give_up();
}

/// The parser wants 0 for "would block" and -1 for the end.
int UsbredirGuest::moved(ssize_t count, bool zero_is_end) {
  if (count > 0) return static_cast<int>(count);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (count == 0 && !zero_is_end) return 0;
  broken_ = true;
  return -1;
}

void UsbredirGuest::receive() {
  if (::usbredirparser_do_read(parser_) != 0) broken_ = true;
  flush();
}

void UsbredirGuest::flush() {
  if (::usbredirparser_has_data_to_write(parser_) != 0 && ::usbredirparser_do_write(parser_) != 0) {
    broken_ = true;
  }
  if (::usbredirparser_get_bufferered_output_size(parser_) > kOutputMax) broken_ = true;
  const bool more = ::usbredirparser_has_data_to_write(parser_) != 0;
  loop_->set_events(socket_.get(), more ? POLLIN | POLLOUT : POLLIN);
}

void UsbredirGuest::connect_if_possible() {
  if (!greeted_ || !wants_connect_ || connected_ || awaiting_ack_) return;
  const Identity& identity = *port_->identity();
  send_infos();
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

void UsbredirGuest::send_infos() {
  auto interfaces = interface_info(*port_->identity());
  auto endpoints = endpoint_info(*port_);
  ::usbredirparser_send_interface_info(parser_, &interfaces);
  ::usbredirparser_send_ep_info(parser_, &endpoints);
}

void UsbredirGuest::set_configuration(std::uint64_t id, std::uint8_t value) {
  const auto done = port_->control(
      standard(proto::kStandardOutDevice, proto::StandardRequest::SetConfiguration, value, 0), {},
      {}, kForever);
  if (port_->identity() != nullptr) send_infos();
  tell_configuration(id, usbredir_status(done.completion.handshake));
}

void UsbredirGuest::tell_configuration(std::uint64_t id, std::uint8_t status) {
  const Identity* identity = port_->identity();
  usb_redir_configuration_status_header header{};
  header.status = status;
  header.configuration = identity == nullptr ? std::uint8_t{0} : identity->configuration_value();
  ::usbredirparser_send_configuration_status(parser_, id, &header);
}

void UsbredirGuest::set_alt_setting(std::uint64_t id, std::uint8_t interface, std::uint8_t alt) {
  const auto done = port_->control(
      standard(proto::kStandardOutInterface, proto::StandardRequest::SetInterface, alt, interface),
      {}, {}, kForever);
  alt_settings_[interface] = alt;
  if (port_->identity() != nullptr) send_infos();
  usb_redir_alt_setting_status_header header{};
  header.status = usbredir_status(done.completion.handshake);
  header.interface = interface;
  header.alt = alt;
  ::usbredirparser_send_alt_setting_status(parser_, id, &header);
}

void UsbredirGuest::tell_alt_setting(std::uint64_t id, std::uint8_t interface) {
  usb_redir_alt_setting_status_header header{};
  header.interface = interface;
  header.alt = alt_settings_[interface];
  ::usbredirparser_send_alt_setting_status(parser_, id, &header);
}

/// QEMU has taken back what was under way before.
void UsbredirGuest::reset() {
  forget_transfers();
  port_->reset();
}

}  // namespace sureflash::sim
