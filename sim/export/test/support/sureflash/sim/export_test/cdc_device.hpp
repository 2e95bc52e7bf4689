#pragma once

#include <array>
#include <deque>
#include <string>

#include "sureflash/sim/usb/device.hpp"

namespace sureflash::sim {

/// A serial port (CDC ACM, 0483:5740) that sends back what it receives: bulk OUT 1, bulk IN 1,
/// interrupt IN 2, as ST's example has them. It takes and gives whole packets of 64 bytes and NAKs
/// when it has nothing, or no room. For tests of exports: its endpoints can be made to misbehave.
class CdcDevice final : public UsbDevice {
 public:
  static constexpr std::size_t kPacket = 64;
  static constexpr std::uint8_t kOut = 0x01, kIn = 0x81, kNotify = 0x82;

  Duration now() const override { return now_; }
  void advance_to(Duration time) override { now_ = std::max(now_, time); }
  bool attached() const override { return vbus_; }
  std::uint32_t attach_count() const override { return attach_count_; }
  Completion control(const proto::Setup& setup, ByteView out, ByteSpan in,
                     Duration timeout) override;
  Completion endpoint_out(std::uint8_t endpoint, ByteView data, Duration timeout) override;
  Completion endpoint_in(std::uint8_t endpoint, ByteSpan data, Duration timeout) override;
  void bus_reset() override { configured_ = false; }
  void set_vbus(bool on) override;

  /// Packets that wait to be read, each ends with what it holds.
  std::deque<Bytes>& to_host() { return to_host_; }
  /// Packets received, the empty ones too, as they came.
  const std::deque<Bytes>& received() const { return received_; }
  /// What the interrupt endpoint has to say; empty: it NAKs.
  std::deque<Bytes>& notifications() { return notifications_; }
  /// The endpoint (with direction bit) stalls until its halt is cleared.
  void halt(std::uint8_t address) { halted_[index(address)] = true; }
  bool halted(std::uint8_t address) const { return halted_[index(address)]; }
  void accept(bool yes) { accepts_ = yes; }  ///< false: OUT packets are NAKed
  void echo(bool yes) { echoes_ = yes; }
  /// How often the interrupt endpoint was asked.
  unsigned notify_polls() const { return notify_polls_; }

 private:
  static std::size_t index(std::uint8_t address) {
    return (address & 0x0FU) | (address & 0x80U) >> 3;
  }
  bool time_is_over(Duration limit);

  Duration now_{};
  bool vbus_ = true;
  std::uint32_t attach_count_ = 1;
  bool configured_ = false;
  bool accepts_ = true;
  bool echoes_ = true;
  std::array<bool, 32> halted_{};
  std::deque<Bytes> to_host_;
  std::deque<Bytes> received_;
  std::deque<Bytes> notifications_;
  unsigned notify_polls_ = 0;
};

}  // namespace sureflash::sim
