#include "sureflash/sim/export_test/cdc_device.hpp"

#include <algorithm>

namespace sureflash::sim {
namespace {

/// A transaction of 64 bytes at full speed, and a token that is NAKed.
constexpr Duration kTransaction = 53us;
constexpr Duration kNak = 5us;

const Bytes& device_descriptor() {
  static const Bytes bytes{18,   1,    0x00, 0x02, 2,    0, 0, 64, 0x83,
                           0x04, 0x40, 0x57, 0x00, 0x02, 1, 2, 3,  1};
  return bytes;
}

/// As in ST's USB device library, usbd_cdc.c.
const Bytes& configuration() {
  static const Bytes bytes{
      9, 2,    67,   0,    2,    1,  0,  0xC0, 50,  // configuration
      9, 4,    0,    0,    1,    2,  2,  1,    0,   // interface 0: communication
      5, 0x24, 0,    0x10, 0x01,                    // header
      5, 0x24, 1,    0,    1,                       // call management
      4, 0x24, 2,    2,                             // abstract control
      5, 0x24, 6,    0,    1,                       // union
      7, 5,    0x82, 3,    8,    0,  16,            // interrupt IN, every 16 ms
      9, 4,    1,    0,    2,    10, 0,  0,    0,   // interface 1: data
      7, 5,    0x01, 2,    64,   0,  0,             // bulk OUT
      7, 5,    0x81, 2,    64,   0,  0,             // bulk IN
  };
  return bytes;
}

Bytes string(std::uint8_t index) {
  if (index == 0) return {4, 3, 0x09, 0x04};
  const std::array<std::string, 4> texts{"", "STMicroelectronics", "STM32 Virtual ComPort", "CDC1"};
  if (index >= texts.size()) return {};
  Bytes d{static_cast<std::uint8_t>(2 + 2 * texts[index].size()), 3};
  for (const char c : texts[index]) append_le16(d, static_cast<std::uint8_t>(c));
  return d;
}

Completion reply(ByteSpan in, ByteView data) {
  const std::size_t size = std::min(in.size(), data.size());
  std::copy_n(data.begin(), size, in.begin());
  return {Handshake::Ack, size};
}

Completion descriptor(const proto::Setup& setup, ByteSpan in) {
  switch (static_cast<proto::DescriptorType>(setup.wValue >> 8)) {
    case proto::DescriptorType::Device:
      return reply(in, device_descriptor());
    case proto::DescriptorType::Configuration:
      return reply(in, configuration());
    case proto::DescriptorType::String: {
      const Bytes text = string(static_cast<std::uint8_t>(setup.wValue));
      return text.empty() ? Completion{Handshake::Stall, 0} : reply(in, text);
    }
    default:
      return {Handshake::Stall, 0};
  }
}

}  // namespace

void CdcDevice::set_vbus(bool on) {
  if (on && !vbus_) ++attach_count_;
  vbus_ = on;
}

Completion CdcDevice::control(const proto::Setup& setup, ByteView, ByteSpan in, Duration) {
  if (!attached()) return {Handshake::Gone, 0};
  advance_to(now_ + BusTiming{}.transfer(setup.wLength));
  if ((setup.bmRequestType & 0x60) == 0x20) {
    // SET_LINE_CODING, GET_LINE_CODING, SET_CONTROL_LINE_STATE (CDC PSTN 1.2, table 13).
    if (setup.bRequest == 0x21) return reply(in, Bytes{0x00, 0xC2, 0x01, 0x00, 0, 0, 8});
    return setup.bRequest == 0x20 || setup.bRequest == 0x22
               ? Completion{Handshake::Ack, setup.wLength}
               : Completion{Handshake::Stall, 0};
  }
  using enum proto::StandardRequest;
  switch (static_cast<proto::StandardRequest>(setup.bRequest)) {
    case GetDescriptor:
      return descriptor(setup, in);
    case SetConfiguration:
      configured_ = setup.wValue != 0;
      halted_ = {};
      return {};
    case ClearFeature:
      if (setup.bmRequestType != proto::kStandardOutEndpoint) return {Handshake::Stall, 0};
      halted_[index(static_cast<std::uint8_t>(setup.wIndex))] = false;
      return {};
    case SetAddress:
    case SetInterface:
      return {};
    case GetStatus:
      return reply(in, Bytes{0, 0});
    default:
      return {Handshake::Stall, 0};
  }
}

/// One NAK. @returns whether it was the last that the host waits for.
bool CdcDevice::time_is_over(Duration limit) {
  advance_to(now_ + kNak);
  return now_ >= limit;
}

Completion CdcDevice::endpoint_out(std::uint8_t endpoint, ByteView data, Duration timeout) {
  if (!attached()) return {Handshake::Gone, 0};
  const Duration limit = now_ + timeout;
  std::size_t moved = 0;
  do {
    if (!configured_ || endpoint != kOut || halted(kOut)) return {Handshake::Stall, moved};
    if (!accepts_) {
      advance_to(limit);
      return {Handshake::Timeout, moved};
    }
    const ByteView packet = data.subspan(moved, std::min(kPacket, data.size() - moved));
    received_.emplace_back(packet.begin(), packet.end());
    if (echoes_ && !packet.empty()) to_host_.push_back(received_.back());
    moved += packet.size();
    advance_to(now_ + kTransaction);
    if (moved < data.size() && now_ >= limit) return {Handshake::Timeout, moved};
  } while (moved < data.size());
  return {Handshake::Ack, moved};
}

Completion CdcDevice::endpoint_in(std::uint8_t endpoint, ByteSpan data, Duration timeout) {
  if (!attached()) return {Handshake::Gone, 0};
  const auto address = static_cast<std::uint8_t>(endpoint | 0x80);
  if (address == kNotify) ++notify_polls_;
  auto& source = address == kNotify ? notifications_ : to_host_;
  const std::size_t packet_size = address == kNotify ? 8 : kPacket;
  const Duration limit = now_ + timeout;
  std::size_t moved = 0;
  while (moved < data.size()) {
    if (!configured_ || (address != kIn && address != kNotify) || halted(address)) {
      return {Handshake::Stall, moved};
    }
    if (source.empty()) {
      if (time_is_over(limit)) return {Handshake::Timeout, moved};
      continue;
    }
    const Bytes packet = source.front();
    source.pop_front();
    std::copy_n(packet.begin(), std::min(packet.size(), data.size() - moved),
                data.begin() + static_cast<std::ptrdiff_t>(moved));
    moved += packet.size();
    advance_to(now_ + kTransaction);
    if (packet.size() < packet_size) break;
    if (moved < data.size() && now_ >= limit) return {Handshake::Timeout, moved};
  }
  return {Handshake::Ack, moved};
}

}  // namespace sureflash::sim
