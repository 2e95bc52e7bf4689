// Transfers of a guest: control, bulk and interrupt.
#include <algorithm>

#include "usbredir_guest.hpp"

namespace sureflash::sim {
namespace {

constexpr Duration kIdleTick = 5ms;
constexpr Duration kForever = 10min;
constexpr std::size_t kPendingMax = 64;
/// No driver sends more in one transfer; all transfers of a guest together.
constexpr std::size_t kTransferMax = 1 << 20;
constexpr std::size_t kPendingBytesMax = 4 << 20;

}  // namespace

std::uint8_t usbredir_status(Handshake handshake) {
  switch (handshake) {
    case Handshake::Ack:
      return usb_redir_success;
    case Handshake::Stall:
      return usb_redir_stall;
    case Handshake::Timeout:
      return usb_redir_timeout;
    case Handshake::Gone:
      return usb_redir_ioerror;
    case Handshake::Babble:
      return usb_redir_babble;
  }
  return usb_redir_ioerror;
}

bool UsbredirGuest::has_endpoint(std::uint8_t address, TransferType type) const {
  const EndpointInfo* endpoint = port_->endpoint(address);
  return endpoint != nullptr && endpoint->type == type;
}

bool UsbredirGuest::room_for(std::size_t bytes) const {
  std::size_t all = bytes;
  for (const Pending& pending : pending_) all += pending.transfer->data.size();
  return bytes <= kTransferMax && all <= kPendingBytesMax && pending_.size() < kPendingMax;
}

void UsbredirGuest::control(std::uint64_t id, usb_redir_control_packet_header header,
                            ByteView out) {
  const proto::Setup setup{header.requesttype, header.request, header.value, header.index,
                           header.length};
  const std::size_t expected = setup.is_in() ? 0 : setup.wLength;
  if (out.size() != expected || !room_for(setup.wLength)) return give_up();
  auto transfer = std::make_shared<Transfer>();
  transfer->endpoint = setup.is_in() ? 0x80 : 0;
  transfer->data.resize(setup.is_in() ? setup.wLength : 0);
  const auto done = port_->control(setup, out, transfer->data, kForever);
  transfer->completion = done.completion;
  transfer->completion.actual = std::min<std::size_t>(done.completion.actual, setup.wLength);
  transfer->due = done.due;
  auto answer = [this, id, header](std::uint8_t status, const Transfer& t) mutable {
    header.status = status;
    header.length = static_cast<std::uint16_t>(t.completion.actual);
    Bytes in(t.received().begin(), t.received().end());
    ::usbredirparser_send_control_packet(parser_, id, &header, in.data(),
                                         static_cast<int>(in.size()));
  };
  pending_.push_back({id, std::move(transfer), answer});
}

void UsbredirGuest::bulk(std::uint64_t id, usb_redir_bulk_packet_header header, ByteView out) {
  const std::size_t length = static_cast<std::size_t>(header.length_high) << 16 | header.length;
  const bool is_in = (header.endpoint & 0x80) != 0;
  if (out.size() != (is_in ? 0 : length) || !room_for(length)) return give_up();
  auto answer = [this, id, header](std::uint8_t status, const Transfer& t) mutable {
    header.status = status;
    header.length = static_cast<std::uint16_t>(t.completion.actual);
    header.length_high = static_cast<std::uint16_t>(t.completion.actual >> 16);
    Bytes in(t.received().begin(), t.received().end());
    ::usbredirparser_send_bulk_packet(parser_, id, &header, in.data(), static_cast<int>(in.size()));
  };
  auto transfer = std::make_shared<Transfer>();
  transfer->endpoint = header.endpoint;
  if (!has_endpoint(header.endpoint, TransferType::Bulk)) {
    return answer(usb_redir_inval, *transfer);
  }
  transfer->data.assign(out.begin(), out.end());
  transfer->data.resize(length);
  port_->submit(transfer);
  pending_.push_back({id, std::move(transfer), answer});
}

void UsbredirGuest::interrupt_out(std::uint64_t id, usb_redir_interrupt_packet_header header,
                                  ByteView out) {
  const bool is_in = (header.endpoint & 0x80) != 0;
  if (is_in || out.size() != header.length || !room_for(out.size())) return give_up();
  auto answer = [this, id, header](std::uint8_t status, const Transfer& t) mutable {
    header.status = status;
    header.length = static_cast<std::uint16_t>(t.completion.actual);
    ::usbredirparser_send_interrupt_packet(parser_, id, &header, nullptr, 0);
  };
  auto transfer = std::make_shared<Transfer>();
  transfer->endpoint = header.endpoint;
  if (!has_endpoint(header.endpoint, TransferType::Interrupt)) {
    return answer(usb_redir_inval, *transfer);
  }
  transfer->data.assign(out.begin(), out.end());
  port_->submit(transfer);
  pending_.push_back({id, std::move(transfer), answer});
}

void UsbredirGuest::tell_receiving(std::uint64_t id, std::uint8_t endpoint, std::uint8_t status) {
  usb_redir_interrupt_receiving_status_header header{status, endpoint};
  ::usbredirparser_send_interrupt_receiving_status(parser_, id, &header);
}

void UsbredirGuest::start_receiving(std::uint64_t id, std::uint8_t endpoint) {
  const bool good = (endpoint & 0x80) != 0 && has_endpoint(endpoint, TransferType::Interrupt);
  tell_receiving(id, endpoint, good ? usb_redir_success : usb_redir_inval);
  if (good && !receiving_.contains(endpoint)) receive_again(endpoint, receiving_[endpoint]);
}

void UsbredirGuest::stop_receiving(std::uint64_t id, std::uint8_t endpoint) {
  if (const auto it = receiving_.find(endpoint); it != receiving_.end()) {
    port_->cancel(*it->second.transfer);
    receiving_.erase(it);
  }
  tell_receiving(id, endpoint, usb_redir_success);
}

void UsbredirGuest::receive_again(std::uint8_t endpoint, Receiving& receiving) {
  receiving.transfer = std::make_shared<Transfer>();
  receiving.transfer->endpoint = endpoint;
  receiving.transfer->data.resize(port_->endpoint(endpoint)->max_packet_size);
  port_->submit(receiving.transfer);
}

/// Hands a finished packet to the guest. @returns false: the endpoint has stopped.
bool UsbredirGuest::pass_on(std::uint8_t endpoint, Receiving& receiving) {
  const Transfer& transfer = *receiving.transfer;
  const std::uint8_t status = usbredir_status(transfer.completion.handshake);
  if (status == usb_redir_success) {
    Bytes in(transfer.received().begin(), transfer.received().end());
    usb_redir_interrupt_packet_header header{endpoint, status,
                                             static_cast<std::uint16_t>(in.size())};
    ::usbredirparser_send_interrupt_packet(parser_, receiving.next_id++, &header, in.data(),
                                           static_cast<int>(in.size()));
  }
  if (status == usb_redir_success && has_endpoint(endpoint, TransferType::Interrupt)) {
    receive_again(endpoint, receiving);
    return true;
  }
  constexpr std::uint8_t kNotThereAnyMore = usb_redir_ioerror;
  tell_receiving(0, endpoint, status == usb_redir_success ? kNotThereAnyMore : status);
  return false;
}

void UsbredirGuest::cancel(std::uint64_t id) {
  const auto it = std::ranges::find(pending_, id, &Pending::id);
  if (it == pending_.end()) return;
  const Pending pending = std::move(*it);
  pending_.erase(it);
  port_->cancel(*pending.transfer);
  // Like usbredirhost: what has moved is not told.
  pending.transfer->completion.actual = 0;
  pending.answer(usb_redir_cancelled, *pending.transfer);
}

void UsbredirGuest::forget_transfers() {
  for (const Pending& pending : pending_) port_->cancel(*pending.transfer);
  for (const auto& [endpoint, receiving] : receiving_) port_->cancel(*receiving.transfer);
  pending_.clear();
  receiving_.clear();
}

Duration UsbredirGuest::answer_what_is_due() {
  const Duration now = port_->wall();
  Duration sleep = kIdleTick;
  for (auto it = pending_.begin(); it != pending_.end();) {
    if (it->transfer->due > now) {
      sleep = std::min(sleep, it->transfer->due - now);
      ++it;
      continue;
    }
    it->answer(usbredir_status(it->transfer->completion.handshake), *it->transfer);
    it = pending_.erase(it);
  }
  for (auto it = receiving_.begin(); it != receiving_.end();) {
    const bool stopped = it->second.transfer->due <= now && !pass_on(it->first, it->second);
    it = stopped ? receiving_.erase(it) : std::next(it);
  }
  return sleep;
}

}  // namespace sureflash::sim
