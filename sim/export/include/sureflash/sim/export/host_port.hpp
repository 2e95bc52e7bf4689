#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sureflash/base/bytes.hpp"
#include "sureflash/base/time.hpp"
#include "sureflash/sim/export/endpoint_queues.hpp"
#include "sureflash/sim/usb/device.hpp"

namespace sureflash::sim {

/// How the clock of an exported device goes.
enum class Pace : std::uint8_t {
  Fast,  ///< what the device takes time for is over at once; when nobody asks, time goes on as
         ///< outside
  Real,  ///< an answer is given when the wall clock has reached the device's clock
};

/// Monotonic time; tests bring their own.
using WallClock = std::function<Duration()>;
Duration monotonic_clock();

/// What enumeration found out.
struct Identity {
  Bytes device_descriptor;                    ///< 18 bytes
  Bytes configuration;                        ///< the first configuration, whole
  std::vector<InterfaceInfo> interfaces;      ///< what the configuration says
  std::string manufacturer, product, serial;  ///< UTF-8; empty: none, or the device did not tell
  Speed speed = Speed::Full;

  std::uint16_t vendor_id() const { return load_le16(device_descriptor, 8); }
  std::uint16_t product_id() const { return load_le16(device_descriptor, 10); }
  std::uint16_t bcd_device() const { return load_le16(device_descriptor, 12); }
  /// All of them, as sysfs `descriptors` and read() of a node show them.
  Bytes descriptors() const;
  std::uint8_t configuration_value() const { return configuration[5]; }
  std::uint8_t attributes() const { return configuration[7]; }
};

/// The port of a hub with a virtual device in it: does what hub driver and host controller do, and
/// ties the device's clock to the wall clock. The exports add how programs get at it.
class HostPort {
 public:
  enum class Event : std::uint8_t { None, Arrived, Left };

  /// A transfer that the device has dealt with. In real pace the device's clock may be ahead of the
  /// wall clock by now: nobody may see the result before `due` (wall clock).
  struct Done {
    Completion completion;
    Duration due{};
  };

  /// `device` must outlive this.
  HostPort(UsbDevice& device, Pace pace, WallClock wall = monotonic_clock);

  /// Lets device time pass up to now, sees what happened on the port, enumerates. Call it often.
  Event tick();
  /// The enumerated device, or nullptr.
  const Identity* identity() const { return visible_ ? &*identity_ : nullptr; }
  /// The wall clock.
  Duration wall() const { return wall_(); }
  /// Control transfers carried out for programs, enumeration not counted.
  std::uint64_t control_transfers() const { return control_transfers_; }

  /// One control transfer of the enumerated device. `timeout` is in device time.
  Done control(const proto::Setup& setup, ByteView out, ByteSpan in, Duration timeout);
  /// The endpoint (with direction bit) in the alternate settings that are selected, or nullptr.
  const EndpointInfo* endpoint(std::uint8_t address) const;
  /// Queues a bulk or interrupt transfer; `tick` carries it out, as long as the device takes.
  /// Precondition: the endpoint is there.
  void submit(std::shared_ptr<Transfer> transfer);
  /// Takes back a transfer that the device has not finished. It keeps what has moved.
  void cancel(const Transfer& transfer) { queues_.cancel(transfer); }
  /// When to call `tick` again: at once while bytes flow, each frame while an endpoint NAKs.
  Duration next_tick() const;
  /// What usb_reset_device() of Linux does: reset, address, compare descriptors, configuration and
  /// alternate settings as before. Gone: the device is not the one it was; it will be enumerated
  /// anew.
  Done reset();

  /// Plugs or unplugs the cable, at once.
  void set_vbus(bool on);

 private:
  bool lost() const;
  bool ahead_of_wall() const { return device_->now() > wall_() + offset_; }
  void forget_device();
  void note_selection(const proto::Setup& setup);
  void follow_wall();
  Duration due();
  Event look_for_device();
  bool enumerate();
  std::optional<Identity> read_identity();
  Bytes read_descriptor(proto::DescriptorType type, std::uint8_t index, std::uint16_t language,
                        std::uint16_t length);
  std::string read_string(std::uint8_t index, std::uint16_t language);
  Handshake address_device();
  Handshake configure(std::uint8_t value);
  Handshake plain_out(std::uint8_t type, proto::StandardRequest request, std::uint16_t value,
                      std::uint16_t index);
  template <class Transfer>
  Done carry_out(Transfer transfer);

  UsbDevice* device_;
  Pace pace_;
  WallClock wall_;
  /// Device time = wall clock + offset.
  Duration offset_;
  std::uint32_t attachment_ = 0;
  std::optional<Duration> debounced_at_;      ///< device time
  std::optional<std::uint32_t> given_up_on_;  ///< attachment that could not be enumerated
  std::optional<Identity> identity_;
  std::map<std::uint16_t, std::uint16_t> alt_settings_;  ///< by interface; as the host has set them
  EndpointQueues queues_;
  bool moving_ = false;  ///< the last round of the queues moved something
  std::uint64_t control_transfers_ = 0;
  bool visible_ = false;  ///< `identity_` has been announced
  bool changed_ = false;  ///< not the same device after a reset
  bool cable_changed_ = false;
};

}  // namespace sureflash::sim
