#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>

#include "sureflash/base/address_range.hpp"
#include "sureflash/base/bytes.hpp"
#include "sureflash/base/time.hpp"
#include "sureflash/proto/usb.hpp"

/// What a coroutine of the core may ask of the world, and what it is told. The core never does I/O:
/// a driver (`transport`, or JavaScript) carries the steps out. Steps are plain values; spans point
/// into the asking coroutine's memory and stay valid until it is answered.
namespace sureflash {

/// One transfer on endpoint 0. setup.wLength is the size of `out` or `in`.
struct ControlTransfer {
  proto::Setup setup;
  ByteView out;  ///< data stage to the device, else empty
  ByteSpan in;   ///< data stage from the device, else empty
  Duration timeout{};
};

/// Let time pass.
struct Wait {
  Duration duration{};
};

/// SET_INTERFACE, through the operating system, which must know of it.
struct SelectAltSetting {
  std::uint8_t interface_number = 0;
  std::uint8_t alt_setting = 0;
};

/// Reset the port the device is on. The device may come back as another one.
struct BusReset {};

/// Wait until a device is on the same port again, after it left (or if it never leaves: Timeout).
/// From then on transfers go to the new one; its descriptors must be read anew.
struct AwaitReturn {
  Duration timeout{};
};

/// What the job is doing, for people. `done` never falls within one activity.
struct Progress {
  enum class Activity : std::uint8_t { Reading, Erasing, Writing, Verifying, Leaving, Waiting };
  Activity activity = Activity::Reading;
  std::uint64_t done = 0;   ///< bytes
  std::uint64_t total = 0;  ///< bytes
  AddressRange at{};        ///< what is worked on now
};

using Step = std::variant<ControlTransfer, Wait, SelectAltSetting, BusReset, AwaitReturn, Progress>;

/// How a step ended.
enum class Io : std::uint8_t {
  Ok,
  Stall,         ///< the device refused: STALL handshake
  Timeout,       ///< no answer within the step's limit
  Disconnected,  ///< the device is not on the bus any more
  Denied,        ///< the operating system refuses
  Busy,          ///< another program or driver holds the device
  Unsupported,   ///< the driver cannot do this step
  Stopped,       ///< the user wants to stop at once
  Failed,        ///< anything else; see os
};

struct Answer {
  Io io = Io::Ok;
  /// Bytes moved in the data stage.
  std::size_t actual = 0;
  /// Time at which the step was complete, since the session began.
  Duration time{};
  /// errno or libusb code, when the operating system gave one.
  std::optional<int> os{};
  /// Answer to Progress: the user asks to stop at the next safe point.
  bool stop_requested = false;
};

}  // namespace sureflash
