#include "usb_host.hpp"

#include <algorithm>

#include "sureflash/base/text.hpp"

namespace sureflash::sim {
namespace {

using proto::DescriptorType;
using proto::Setup;
using proto::StandardRequest;

/// USB 2.0, 8.4 and 7.1.18: SYNC, PID, address and CRC of a token, PID and CRC of a data packet,
/// handshake, EOPs and two turnarounds, in bits.
constexpr std::size_t kTokenBits = 8 + 8 + 16 + 3 + 7, kDataBits = 8 + 8 + 16 + 3 + 7,
                      kHandshakeBits = 8 + 8 + 3;
constexpr std::size_t kBitsPerSecond = 12'000'000;
/// A controller asks again at once, but for what lies between in its schedule.
constexpr Duration kNakPause = 10us;
/// Between two transfers the controller interrupts its host, and software thinks.
constexpr Duration kTurnaround = 100us;
/// USB 2.0, 10.2.6: three errors end a transfer.
constexpr unsigned kErrorsMax = 3;
/// USB 2.0, 7.1.7.5.
constexpr Duration kResetSignalling = 50ms;
constexpr std::uint8_t kPacketSizeDefault = 64;
constexpr Duration kQuestionTimeout = 500ms;
constexpr std::size_t kConfigurationMax = 4096;

std::array<std::uint8_t, 8> bytes_of(const Setup& setup) {
  std::array<std::uint8_t, 8> bytes{setup.bmRequestType, setup.bRequest};
  store_le16(bytes, 2, setup.wValue);
  store_le16(bytes, 4, setup.wIndex);
  store_le16(bytes, 6, setup.wLength);
  return bytes;
}

Setup get_descriptor(DescriptorType type, std::uint16_t length) {
  return {proto::kStandardInDevice, static_cast<std::uint8_t>(StandardRequest::GetDescriptor),
          static_cast<std::uint16_t>(static_cast<unsigned>(type) << 8), 0, length};
}

}  // namespace

UsbHost::UsbHost(UsbSocket& socket, World world) : socket_(socket), world_(std::move(world)) {}

void UsbHost::bus_reset() {
  s_ = {.attachment = world_.attach_count(), .packet_size0 = std::nullopt};
  if (!socket_.pulled_up()) {
    world_.pass(world_.now() + kResetSignalling);
    return;
  }
  socket_.begin_bus_reset();
  world_.pass(world_.now() + kResetSignalling);
  socket_.end_bus_reset();
  s_.was_reset = world_.attach_count() == s_.attachment;
}

UsbHost::Transfer UsbHost::begin(Duration timeout) {
  // No host controller talks to a device that it has not reset.
  if (!s_.was_reset || s_.attachment != world_.attach_count()) bus_reset();
  if (socket_.suspended()) socket_.resume();
  world_.pass(world_.now() + kTurnaround);
  return {.limit = world_.now() + timeout, .attachment = world_.attach_count(), .ended = {}};
}

bool UsbHost::gone(const Transfer& transfer) const {
  return !socket_.pulled_up() || world_.attach_count() != transfer.attachment;
}

void UsbHost::wire(std::size_t bits) {
  const auto ns = static_cast<Duration::rep>(bits * 1'000'000'000 / kBitsPerSecond);
  world_.pass(world_.now() + Duration(ns));
}

/// After one transaction: whether the transfer goes on. NAK and no answer lead to a repetition.
bool UsbHost::proceed(Transfer& transfer, PacketReply reply) {
  switch (reply) {
    case PacketReply::Ack:
      transfer.errors = 0;
      break;
    case PacketReply::Stall:
      transfer.ended = Handshake::Stall;
      return false;
    case PacketReply::Nak:
      transfer.errors = 0;
      world_.pass(world_.now() + kNakPause);
      break;
    case PacketReply::None:
      if (++transfer.errors < kErrorsMax) break;
      transfer.ended = Handshake::Gone;
      return false;
  }
  if (gone(transfer)) {
    transfer.ended = Handshake::Gone;
  } else if (world_.now() >= transfer.limit) {
    transfer.ended = Handshake::Timeout;
  }
  return !transfer.ended;
}

bool UsbHost::send_setup(Transfer& transfer, const Setup& setup) {
  for (;;) {
    wire(kTokenBits + kDataBits + 8 * 8);
    const PacketReply reply = socket_.setup(s_.address, bytes_of(setup));
    wire(kHandshakeBits);
    if (reply == PacketReply::Ack) return proceed(transfer, reply);
    if (!proceed(transfer, reply)) return false;
  }
}

/// One OUT packet, until it is acknowledged.
bool UsbHost::send(Transfer& transfer, std::uint8_t endpoint, bool& data1, ByteView packet) {
  for (;;) {
    wire(kTokenBits + kDataBits + 8 * packet.size());
    const PacketReply reply = socket_.out(s_.address, endpoint, data1, packet);
    wire(kHandshakeBits);
    if (reply == PacketReply::Ack) {
      data1 = !data1;
      // The last thing a device does before it leaves may be to take this packet.
      return true;
    }
    if (!proceed(transfer, reply)) return false;
  }
}

/// One IN packet. @returns its length.
std::optional<std::size_t> UsbHost::receive(Transfer& transfer, std::uint8_t endpoint, bool& data1,
                                            ByteSpan space) {
  for (;;) {
    wire(kTokenBits);
    const InPacket packet = socket_.in(s_.address, endpoint);
    const bool data = packet.reply == PacketReply::Ack;
    wire(kHandshakeBits + (data ? kDataBits + 8 * packet.data.size() : 0));
    if (packet.reply == PacketReply::Ack && packet.data1 == data1) {
      if (packet.data.size() > space.size()) {
        world_.misuse("endpoint " + decimal(endpoint) + " sends " + decimal(packet.data.size()) +
                      " bytes where the host expects at most " + decimal(space.size()) +
                      " (babble)");
        transfer.ended = Handshake::Gone;
        return std::nullopt;
      }
      std::ranges::copy(packet.data, space.begin());
      data1 = !data1;
      transfer.errors = 0;
      return packet.data.size();
    }
    // The other toggle is a repetition: acknowledged and thrown away (USB 2.0, 8.6.4).
    if (!proceed(transfer, packet.reply)) return std::nullopt;
  }
}

Completion UsbHost::failed(const Transfer& transfer, std::size_t actual) const {
  return {transfer.ended.value_or(Handshake::Gone), actual};
}

Completion UsbHost::control(const Setup& setup, ByteView out, ByteSpan in, Duration timeout) {
  Transfer transfer = begin(timeout);
  if (gone(transfer)) return {Handshake::Gone, 0};
  const std::size_t given = setup.is_in() ? in.size() : out.size();
  if (given != setup.wLength) return {Handshake::Stall, 0};
  if (!s_.packet_size0) find_packet_size(timeout);
  transfer.limit = world_.now() + timeout;
  const Completion done = run_control(setup, out, in, transfer);
  if (done.handshake == Handshake::Ack) {
    learn(setup, setup.is_in() ? ByteView(in).first(done.actual) : out);
  }
  return done;
}

Completion UsbHost::run_control(const Setup& setup, ByteView out, ByteSpan in, Transfer& transfer) {
  if (!send_setup(transfer, setup)) return failed(transfer, 0);
  const std::size_t packet_size = s_.packet_size0.value_or(kPacketSizeDefault);
  std::size_t actual = 0;
  bool data1 = true;
  if (setup.is_in() && setup.wLength != 0) {
    for (bool more = true; more;) {
      const std::size_t room = std::min(packet_size, in.size() - actual);
      const auto count = receive(transfer, 0, data1, in.subspan(actual, room));
      if (!count) return failed(transfer, actual);
      actual += *count;
      more = *count == packet_size && actual < in.size();
      if (more && gone(transfer)) return {Handshake::Gone, actual};
    }
    bool status = true;
    if (!send(transfer, 0, status, {})) return failed(transfer, actual);
    return {Handshake::Ack, actual};
  }
  while (actual < out.size()) {
    const std::size_t count = std::min(packet_size, out.size() - actual);
    if (!send(transfer, 0, data1, out.subspan(actual, count))) return failed(transfer, actual);
    actual += count;
  }
  bool status = true;
  std::array<std::uint8_t, 64> nothing{};
  if (!receive(transfer, 0, status, ByteSpan(nothing).first(0))) return failed(transfer, actual);
  return {Handshake::Ack, actual};
}

/// The first question of every host: 8 bytes of the device descriptor hold bMaxPacketSize0.
void UsbHost::find_packet_size(Duration timeout) {
  s_.packet_size0 = kPacketSizeDefault;
  std::array<std::uint8_t, 8> head{};
  Transfer transfer = begin(std::min(timeout, kQuestionTimeout));
  const Completion done =
      run_control(get_descriptor(DescriptorType::Device, 8), {}, head, transfer);
  if (done.handshake != Handshake::Ack || done.actual != 8) return;
  const std::uint8_t size = head[7];
  if (size == 8 || size == 16 || size == 32 || size == 64) s_.packet_size0 = size;
}

void UsbHost::find_endpoints(Duration timeout) {
  s_.knows_endpoints = true;
  Bytes head(proto::kConfigurationDescriptorLength);
  const auto length = static_cast<std::uint16_t>(head.size());
  const auto first =
      control(get_descriptor(DescriptorType::Configuration, length), {}, head, timeout);
  if (first.handshake != Handshake::Ack || first.actual != head.size()) return;
  Bytes all(std::min<std::size_t>(load_le16(head, 2), kConfigurationMax));
  const auto total = static_cast<std::uint16_t>(all.size());
  (void)control(get_descriptor(DescriptorType::Configuration, total), {}, all, timeout);
}

/// What passes by tells the host about the device.
void UsbHost::learn(const Setup& setup, ByteView data) {
  const auto request = static_cast<StandardRequest>(setup.bRequest);
  if ((setup.bmRequestType & 0x60) != 0) return;
  if (request == StandardRequest::SetAddress) {
    s_.address = static_cast<std::uint8_t>(setup.wValue & 0x7F);
  } else if (request == StandardRequest::SetConfiguration ||
             request == StandardRequest::SetInterface) {
    clear_toggles();
  } else if (request == StandardRequest::ClearFeature && (setup.bmRequestType & 0x1F) == 2) {
    const unsigned n = setup.wIndex & 15U;
    ((setup.wIndex & 0x80) != 0 ? s_.in_data1 : s_.out_data1)[n] = false;
  } else if (request == StandardRequest::GetDescriptor &&
             setup.wValue >> 8 == static_cast<unsigned>(DescriptorType::Configuration)) {
    learn_configuration(data);
  }
}

void UsbHost::learn_configuration(ByteView data) {
  constexpr std::size_t kEndpointDescriptorLength = 7;
  std::size_t i = 0;
  while (i + 2 <= data.size() && data[i] >= 2 && i + data[i] <= data.size()) {
    if (data[i + 1] == static_cast<std::uint8_t>(DescriptorType::Endpoint) &&
        data[i] >= kEndpointDescriptorLength) {
      const std::uint8_t address = data[i + 2];
      const auto size = static_cast<std::uint16_t>(load_le16(data, i + 4) & 0x7FF);
      ((address & 0x80) != 0 ? s_.in_size : s_.out_size)[address & 15U] = size;
      s_.knows_endpoints = true;
    }
    i += data[i];
  }
}

void UsbHost::clear_toggles() {
  s_.in_data1.fill(false);
  s_.out_data1.fill(false);
}

Completion UsbHost::endpoint_out(std::uint8_t endpoint, ByteView data, Duration timeout) {
  Transfer transfer = begin(timeout);
  if (gone(transfer)) return {Handshake::Gone, 0};
  if (!s_.knows_endpoints) find_endpoints(timeout);
  const std::uint8_t n = endpoint & 15U;
  if (n == 0 || s_.out_size[n] == 0) return {Handshake::Stall, 0};
  transfer.limit = world_.now() + timeout;
  std::size_t actual = 0;
  do {
    const std::size_t count = std::min<std::size_t>(s_.out_size[n], data.size() - actual);
    if (!send(transfer, n, s_.out_data1[n], data.subspan(actual, count))) {
      return failed(transfer, actual);
    }
    actual += count;
  } while (actual < data.size());
  return {Handshake::Ack, actual};
}

Completion UsbHost::endpoint_in(std::uint8_t endpoint, ByteSpan data, Duration timeout) {
  Transfer transfer = begin(timeout);
  if (gone(transfer)) return {Handshake::Gone, 0};
  if (!s_.knows_endpoints) find_endpoints(timeout);
  const std::uint8_t n = endpoint & 15U;
  if (n == 0 || s_.in_size[n] == 0) return {Handshake::Stall, 0};
  transfer.limit = world_.now() + timeout;
  std::size_t actual = 0;
  for (;;) {
    const std::size_t room = std::min<std::size_t>(s_.in_size[n], data.size() - actual);
    const auto count = receive(transfer, n, s_.in_data1[n], data.subspan(actual, room));
    if (!count) return failed(transfer, actual);
    actual += *count;
    if (*count < s_.in_size[n] || actual == data.size()) return {Handshake::Ack, actual};
  }
}

}  // namespace sureflash::sim
