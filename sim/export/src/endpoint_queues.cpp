#include "sureflash/sim/export/endpoint_queues.hpp"

#include <algorithm>

namespace sureflash::sim {
namespace {

/// A turn of an endpoint in device time: a frame while bytes flow; otherwise long enough for a NAK,
/// and so short that waiting costs the device no time worth mentioning.
constexpr Duration kMovingTurn = 1ms;
constexpr Duration kWaitingTurn = 100us;

/// Full speed: bInterval in frames (USB 2.0, table 9-13).
Duration interval(const EndpointInfo& endpoint) {
  if (endpoint.type != TransferType::Interrupt) return Duration::zero();
  return 1ms * std::max<int>(endpoint.interval, 1);
}

Completion receive(Transfer& transfer, const EndpointInfo& endpoint, UsbDevice& device,
                   Duration turn) {
  const std::size_t packet = endpoint.max_packet_size;
  const std::size_t left = transfer.data.size() - transfer.completion.actual;
  // Whole packets, at least one: a device that sends more than was asked for babbles.
  Bytes room(std::max<std::size_t>((left + packet - 1) / packet, 1) * packet);
  Completion done = device.endpoint_in(transfer.endpoint & 0x0F, room, turn);
  const std::size_t got = std::min(done.actual, room.size());
  if (got > left) done.handshake = Handshake::Babble;
  done.actual = std::min(got, left);
  std::copy_n(room.begin(), done.actual,
              transfer.data.begin() + static_cast<std::ptrdiff_t>(transfer.completion.actual));
  return done;
}

Completion send(Transfer& transfer, const EndpointInfo& endpoint, UsbDevice& device,
                Duration turn) {
  const ByteView rest = ByteView(transfer.data).subspan(transfer.completion.actual);
  Completion done = device.endpoint_out(transfer.endpoint, rest, turn);
  done.actual = std::min(done.actual, rest.size());
  const bool full = !rest.empty() && transfer.data.size() % endpoint.max_packet_size == 0;
  if (done.handshake == Handshake::Ack && full && transfer.zero_packet) {
    // All is sent but the empty packet: the next turn has nothing else left.
    done.handshake = Handshake::Timeout;
  }
  return done;
}

}  // namespace

void EndpointQueues::submit(std::shared_ptr<Transfer> transfer, const EndpointInfo& endpoint) {
  Queue& queue = queues_[endpoint.address];
  queue.endpoint = endpoint;
  queue.transfers.push_back(std::move(transfer));
}

bool EndpointQueues::cancel(const Transfer& transfer) {
  const auto it = queues_.find(transfer.endpoint);
  if (it == queues_.end()) return false;
  const auto taken_back =
      std::erase_if(it->second.transfers, [&](const auto& t) { return t.get() == &transfer; });
  if (it->second.transfers.empty()) queues_.erase(it);
  return taken_back != 0;
}

bool EndpointQueues::take_turn(Queue& queue, UsbDevice& device, const Due& due) {
  if (device.now() < queue.not_before) return false;
  Transfer& transfer = *queue.transfers.front();
  const Duration turn = queue.moving ? kMovingTurn : kWaitingTurn;
  const Completion done = transfer.is_in() ? receive(transfer, queue.endpoint, device, turn)
                                           : send(transfer, queue.endpoint, device, turn);
  queue.not_before = device.now() + interval(queue.endpoint);
  transfer.completion.actual += done.actual;
  const Duration seen = due();
  if (done.handshake != Handshake::Timeout) {
    transfer.completion.handshake = done.handshake;
    transfer.due = seen;
    queue.transfers.pop_front();
  }
  queue.moving = done.handshake != Handshake::Timeout || done.actual != 0;
  return queue.moving;
}

bool EndpointQueues::poll(UsbDevice& device, const Due& due) {
  bool moved = false;
  for (auto& [address, queue] : queues_) moved = take_turn(queue, device, due) || moved;
  std::erase_if(queues_, [](const auto& entry) { return entry.second.transfers.empty(); });
  return moved;
}

}  // namespace sureflash::sim
