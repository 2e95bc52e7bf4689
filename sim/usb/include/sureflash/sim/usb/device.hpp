#pragma once

#include <cstdint>
#include <string>

#include "sureflash/base/bytes.hpp"
#include "sureflash/base/time.hpp"
#include "sureflash/proto/usb.hpp"

/// The one face of every virtual device: what a USB host controller can do to a device and see of
/// it. Protocol models, the instruction-level board, fault wrappers, exports and the in-process
/// transport all meet here and nowhere else.
namespace sureflash::sim {

/// How the device ended a transfer.
enum class Handshake : std::uint8_t {
  Ack,      ///< complete; `actual` bytes moved in the data stage
  Stall,    ///< STALL handshake
  Timeout,  ///< still NAKing when the time limit was over; the host gave up the transfer
  Gone,     ///< no answer at all: the device is not (or no longer) on the bus
  Babble,   ///< the device sent more than the host had asked for
};

struct Completion {
  Handshake handshake = Handshake::Ack;
  std::size_t actual = 0;

  friend bool operator==(const Completion&, const Completion&) = default;
};

enum class Speed : std::uint8_t { Full, High };

/// A device on a port. It has its own virtual clock: calls that take time on the bus or on the chip
/// advance it. A caller that wants real time sleeps until the wall clock has caught up with `now`.
/// Not thread-safe: one caller at a time.
class UsbDevice {
 public:
  virtual ~UsbDevice() = default;

  /// Virtual time since the world began.
  virtual Duration now() const = 0;
  /// Lets time pass up to `time` (never backwards): firmware runs, resets happen, the device may
  /// leave or join the bus.
  virtual void advance_to(Duration time) = 0;

  /// Whether the pull-up on D+ is on and VBUS is there: the host sees a device.
  virtual bool attached() const = 0;
  /// Counts attachments. A host that sees another number than before has lost its device, even if
  /// `attached` is true again, and must enumerate anew.
  virtual std::uint32_t attach_count() const = 0;
  virtual Speed speed() const { return Speed::Full; }

  /// One control transfer on endpoint 0, standard requests included (SET_ADDRESS too). `out` and
  /// `in` have setup.wLength bytes in the direction of the setup packet. Advances the clock by the
  /// bus time and for as long as the device NAKs, at most by `timeout` (then Handshake::Timeout).
  virtual Completion control(const proto::Setup& setup, ByteView out, ByteSpan in,
                             Duration timeout) = 0;
  /// One bulk or interrupt transfer, or the rest of one; `endpoint` without direction bit. It ends
  /// when all bytes have moved or, IN, with a short packet; OUT without data is a zero-length
  /// packet. At least one transaction is tried, however short `timeout` is. On Timeout `actual`
  /// bytes (whole packets) have moved and the host may go on with the rest: hosts wait for a NAKing
  /// endpoint in slices, so that others get their turn. Devices without endpoints stall.
  virtual Completion endpoint_out(std::uint8_t endpoint, ByteView data, Duration timeout);
  virtual Completion endpoint_in(std::uint8_t endpoint, ByteSpan data, Duration timeout);

  /// Reset signalling on the bus (SE0 for at least 10 ms).
  virtual void bus_reset() = 0;
  /// Plugs or unplugs the cable. Self-powered devices go on running without VBUS.
  virtual void set_vbus(bool on) = 0;
};

inline Completion UsbDevice::endpoint_out(std::uint8_t, ByteView, Duration) {
  return {Handshake::Stall, 0};
}
inline Completion UsbDevice::endpoint_in(std::uint8_t, ByteSpan, Duration) {
  return {Handshake::Stall, 0};
}

/// Time that transfers take on the wire, so that every model counts alike.
struct BusTiming {
  /// Setup and status stages, host turnaround included.
  Duration per_transfer = std::chrono::microseconds(200);
  /// Data stage of endpoint 0 at full speed: about 1 byte per microsecond (USB 2.0, table 5-3).
  Duration per_byte = std::chrono::nanoseconds(1000);

  /// At high speed at most 15.872 bytes per microsecond (USB 2.0, table 5-2); how much of that a
  /// ROM makes use of is not known, and what the host needs between transfers stays the same.
  static constexpr BusTiming at(Speed speed) {
    BusTiming timing;
    if (speed == Speed::High) timing.per_byte = std::chrono::nanoseconds(63);
    return timing;
  }

  constexpr Duration transfer(std::size_t bytes) const {
    return per_transfer + per_byte * static_cast<Duration::rep>(bytes);
  }
};

}  // namespace sureflash::sim
