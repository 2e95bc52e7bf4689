#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>

#include "sureflash/base/time.hpp"
#include "sureflash/sim/export/interfaces.hpp"
#include "sureflash/sim/usb/device.hpp"

namespace sureflash::sim {

/// A transfer that a program has submitted, and what has become of it.
struct Transfer {
  std::uint8_t endpoint = 0;  ///< with direction bit
  Bytes data;                 ///< OUT: what to send; IN: room
  /// OUT: when the last packet is full, an empty one follows.
  bool zero_packet = false;
  /// Final when `due` is reached; `actual` counts while the transfer is under way.
  Completion completion;
  /// Wall clock; nobody may see the result before.
  Duration due = kUnderWay;

  static constexpr Duration kUnderWay = Duration::max();
  bool is_in() const { return (endpoint & 0x80U) != 0; }
  /// IN: what has come so far.
  ByteView received() const {
    return ByteView(data).first(is_in() ? std::min(completion.actual, data.size()) : 0);
  }
};

/// What a host controller does with bulk and interrupt transfers: one queue for each endpoint, in
/// order, each with a turn in every round, so that an endpoint that NAKs holds up nobody else.
class EndpointQueues {
 public:
  /// How far the clock of the device may be seen: called after each turn. @returns wall clock.
  using Due = std::function<Duration()>;

  void submit(std::shared_ptr<Transfer> transfer, const EndpointInfo& endpoint);
  /// Takes back a transfer that is still under way. What has moved has moved. @returns whether it
  /// was.
  bool cancel(const Transfer& transfer);
  /// Forgets everything: transfers stay under way for ever.
  void clear() { queues_.clear(); }
  bool empty() const { return queues_.empty(); }

  /// One turn for each endpoint. @returns whether anything moved or ended.
  bool poll(UsbDevice& device, const Due& due);

 private:
  struct Queue {
    EndpointInfo endpoint;
    std::deque<std::shared_ptr<Transfer>> transfers;
    bool moving = false;    ///< the last turn moved something
    Duration not_before{};  ///< device time: interrupt endpoints are asked once per interval
  };

  static bool take_turn(Queue& queue, UsbDevice& device, const Due& due);

  std::map<std::uint8_t, Queue> queues_;  ///< none is empty
};

}  // namespace sureflash::sim
