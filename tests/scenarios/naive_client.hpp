#pragma once

#include <array>

#include "sureflash/base/bytes.hpp"
#include "sureflash/sim/usb/device.hpp"

namespace sureflash::scenarios {

/// A client as somebody writes it who has read DFU 1.1 and AN3156 and believes both: it sleeps
/// bwPollTimeout, asks for the status, takes dfuDNLOAD-IDLE for success and never reads back.
class NaiveClient {
 public:
  explicit NaiveClient(sim::UsbDevice& usb) : usb_(&usb) {
    usb.advance_to(usb.now() + 20s);
    out(0x00, 9, 1, {});   // SET_CONFIGURATION
    out(0x01, 11, 0, {});  // SET_INTERFACE, alternate setting 0
    if (status() && state_ == kError) clr_status();
  }

  bool clr_status() { return out(0x21, 4, 0, {}); }
  bool is_idle() { return status() && state_ == kIdle; }
  /// The functional descriptor on request, as dfu-util 0.5 and webdfu had it; 0: none.
  std::uint16_t transfer_size() {
    std::array<std::uint8_t, 9> d{};
    return in(0x81, 6, 0x2100, d) == d.size() ? load_le16(d, 5) : std::uint16_t{0};
  }

  /// AN3156: DNLOAD, GETSTATUS shows dfuDNBUSY, sleep, GETSTATUS shows dfuDNLOAD-IDLE.
  bool command(std::uint16_t block, const Bytes& data) {
    if (!out(0x21, 1, block, data) || !status() || state_ != kBusy) return false;
    for (int polls = 0; state_ == kBusy && polls < kPolls; ++polls) {
      usb_->advance_to(usb_->now() + poll_);
      if (!status()) return false;
    }
    return state_ == kDnloadIdle && status_ == 0;
  }
  bool set_address(std::uint32_t address) { return command(0, with_address(0x21, address)); }
  bool erase(std::uint32_t address) { return command(0, with_address(0x41, address)); }
  bool mass_erase() { return command(0, {0x41}); }
  bool write(std::uint32_t address, const Bytes& data) {
    return set_address(address) && command(2, data);
  }
  /// AN3156: the GETSTATUS after a zero-length DNLOAD shows dfuMANIFEST.
  bool leave() { return out(0x21, 1, 2, {}) && status() && state_ == kManifest; }
  /// AN3156: it shows dfuDNBUSY, then the device disconnects.
  bool read_unprotect() { return out(0x21, 1, 0, {0x92}) && status() && state_ == kBusy; }

 private:
  static constexpr std::uint8_t kIdle = 2;
  static constexpr std::uint8_t kBusy = 4;
  static constexpr std::uint8_t kDnloadIdle = 5;
  static constexpr std::uint8_t kManifest = 7;
  static constexpr std::uint8_t kError = 10;
  static constexpr int kPolls = 100;
  /// That of dfu-util.
  static constexpr Duration kTimeout = 5s;

  static Bytes with_address(std::uint8_t code, std::uint32_t address) {
    Bytes bytes{code};
    append_le32(bytes, address);
    return bytes;
  }
  bool out(std::uint8_t type, std::uint8_t request, std::uint16_t value, const Bytes& data) {
    const proto::Setup setup{type, request, value, 0, static_cast<std::uint16_t>(data.size())};
    return usb_->control(setup, data, {}, kTimeout).handshake == sim::Handshake::Ack;
  }
  std::size_t in(std::uint8_t type, std::uint8_t request, std::uint16_t value, ByteSpan data) {
    const proto::Setup setup{type, request, value, 0, static_cast<std::uint16_t>(data.size())};
    const auto done = usb_->control(setup, {}, data, kTimeout);
    return done.handshake == sim::Handshake::Ack ? done.actual : 0;
  }
  bool status() {
    std::array<std::uint8_t, 6> reply{};
    if (in(0xA1, 3, 0, reply) != reply.size()) return false;
    status_ = reply[0];
    poll_ = std::chrono::milliseconds(load_le16(reply, 1) | reply[3] << 16);
    state_ = reply[4];
    return true;
  }

  sim::UsbDevice* usb_;
  std::uint8_t status_ = 0;
  std::uint8_t state_ = 0;
  Duration poll_{};
};

}  // namespace sureflash::scenarios
