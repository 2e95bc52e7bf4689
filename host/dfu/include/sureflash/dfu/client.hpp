#pragma once

#include <cstdint>

#include "sureflash/base/task.hpp"

/// The requests of DFU 1.1 and the sequences the specification builds from them. Sans-I/O.
namespace sureflash::dfu {

/// Maps how a step ended to an error: Stalled, TimedOut, Disconnected, PermissionDenied,
/// DeviceBusy, Unsupported, Interrupted, TransferFailed. `what` names the request for people.
Result<void> check(const Answer& answer, std::string_view what);

/// Decodes the reply to DFU_GETSTATUS.
/// @param[in] reply  Bytes as received. Fewer than 6: ResponseTooShort. Extra bytes are ignored.
/// Source: DFU 1.1, 6.1.2.
Result<proto::StatusReply> parse_status(ByteView reply);

/// The time limits of one session. All bounds, none an expectation.
struct Limits {
  /// One control transfer. Longer than the longest page operation, because a device may NAK while
  /// its CPU works on flash (dfuse.md: F4 needs 4 s for a sector).
  Duration transfer = 5s;
  /// One operation that is not said to be long: from DNLOAD to the end of dfuDNBUSY.
  Duration operation = 10s;
};

/// One DFU interface of the device the driver has open. Holds no device state but its number.
class Client {
 public:
  explicit Client(std::uint8_t interface_number, Limits limits = {})
      : interface_number_(interface_number), limits_(limits) {}

  const Limits& limits() const { return limits_; }
  std::uint8_t interface_number() const { return interface_number_; }

  // The seven requests. Source: DFU 1.1, 3 and table 3.2.

  Task<> detach(std::uint16_t timeout_ms);
  /// `timeout`: zero means limits().transfer.
  Task<> dnload(std::uint16_t wBlockNum, ByteView data, Duration timeout = {});
  /// Returns the number of bytes the device sent; fewer than asked for end an upload.
  Task<std::size_t> upload(std::uint16_t wBlockNum, ByteSpan data);
  Task<proto::StatusReply> get_status(Duration timeout = {});
  Task<> clear_status();
  Task<proto::DfuState> get_state();
  Task<> abort();

  /// The standard request GET_STATUS to the device, which no state of DFU forbids: how long its
  /// answer takes shows whether the device is there for its bus. Source: USB 2.0, 9.4.5.
  Task<> ping(Duration timeout);

  /// Brings the device to dfuIDLE from every state. A busy device gets limits().operation to
  /// finish. CLRSTATUS is sent only in dfuERROR, in states no specification names (ST's middleware
  /// has a state 15), and to a device that hangs in dfuDNBUSY; others get ABORT. Errors: NoIdle
  /// after `kIdleAttempts`, and those of the wire. Source: DFU 1.1, A.1; ST deviations: AN3156,
  /// usbd_dfu.c.
  Task<> to_idle();

  /// Polls until the device is not busy (dfuDNBUSY, dfuMANIFEST and their -SYNC states) any more,
  /// honouring bwPollTimeout before each poll but the first. `operation_limit` bounds the whole. A
  /// GETSTATUS that is stalled is sent again, kStalledPolls times: L4 ROMs announce too little and
  /// stall what comes then (dfuse.md 5.2).
  /// Errors: StuckBusy. Returns the first reply that is not busy, whatever it says.
  Task<proto::StatusReply> poll_while_busy(proto::StatusReply last, Duration operation_limit);

  /// Downloads a whole firmware in the manner of plain DFU 1.1: blocks from 0 (wrapping at 65535),
  /// zero-length DNLOAD, manifestation. Returns the last reply; a device that is not manifestation
  /// tolerant waits for a reset then. Errors: DeviceReportsError, UnexpectedState, StuckBusy.
  /// Source: DFU 1.1, 6.1.
  Task<proto::StatusReply> download(ByteView firmware, std::uint16_t transfer_size);
  /// Uploads until the device sends a short block or `size_max` is reached.
  /// Source: DFU 1.1, 6.2.
  Task<Bytes> upload_all(std::uint16_t transfer_size, std::size_t size_max);

  static constexpr int kIdleAttempts = 8;
  static constexpr int kStalledPolls = 3;

 private:
  proto::Setup setup(std::uint8_t bmRequestType, proto::DfuRequest request, std::uint16_t wValue,
                     std::size_t wLength) const;
  Task<proto::StatusReply> poll_again(Duration timeout, Duration waited);
  Task<> out(proto::DfuRequest request, std::uint16_t wValue, ByteView data, std::string_view what,
             Duration timeout);

  std::uint8_t interface_number_;
  Limits limits_;
};

/// Ends with DeviceReportsError if the device is in dfuERROR, or reports a status other than OK.
Result<void> check_status(const proto::StatusReply& reply);

/// States in which the device is working and wants to be polled.
bool is_busy(proto::DfuState state);

}  // namespace sureflash::dfu
