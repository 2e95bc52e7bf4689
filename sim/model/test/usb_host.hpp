#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "sureflash/proto/dfu.hpp"
#include "sureflash/sim/model/profiles.hpp"

/// A host for tests: raw control transfers, written from the specifications, nothing shared with
/// the library.
namespace sureflash::sim {

inline std::unique_ptr<VirtualDevice> make(std::string_view spec) {
  auto device = make_device(spec);
  EXPECT_TRUE(device) << (device ? "" : message(device.error()));
  return device ? *std::move(device) : nullptr;
}

class Host {
 public:
  explicit Host(VirtualDevice& device) : usb_(&device.usb()) {}

  /// Waits for the device and does what every host does with a new one.
  bool enumerate(Duration limit = 20s) {
    const Duration end = usb_->now() + limit;
    while (!usb_->attached() && usb_->now() < end) usb_->advance_to(usb_->now() + 1ms);
    if (!usb_->attached()) return false;
    usb_->bus_reset();
    return out(0x00, 5, 1, 0).handshake == Handshake::Ack &&
           out(0x00, 9, 1, 0).handshake == Handshake::Ack;
  }

  Completion out(std::uint8_t type, std::uint8_t request, std::uint16_t value, std::uint16_t index,
                 const Bytes& bytes = {}) {
    return usb_->control({type, request, value, index, static_cast<std::uint16_t>(bytes.size())},
                         bytes, {}, timeout);
  }
  Completion in(std::uint8_t type, std::uint8_t request, std::uint16_t value, std::uint16_t index,
                std::uint16_t length) {
    data.assign(length, 0xEE);
    const Completion done = usb_->control({type, request, value, index, length}, {}, data, timeout);
    data.resize(std::min<std::size_t>(done.actual, length));
    return done;
  }

  Completion dnload(std::uint16_t block, const Bytes& bytes) {
    return out(0x21, 1, block, interface, bytes);
  }
  Completion upload(std::uint16_t block, std::uint16_t length) {
    return in(0xA1, 2, block, interface, length);
  }
  Completion clr_status() { return out(0x21, 4, 0, interface); }
  Completion abort() { return out(0x21, 6, 0, interface); }
  Completion detach(std::uint16_t timeout_ms) { return out(0x21, 0, timeout_ms, interface); }
  Completion get_status() {
    const Completion done = in(0xA1, 3, 0, interface, 6);
    if (data.size() == 6) {
      status = data[0];
      poll_ms = static_cast<std::uint32_t>(data[1] | data[2] << 8 | data[3] << 16);
      state = data[4];
    }
    return done;
  }

  /// "OK/dfuIDLE" as numbers: {bStatus, bState} of a GETSTATUS.
  std::pair<int, int> poll() {
    const Completion done = get_status();
    if (done.handshake != Handshake::Ack) return {-1, static_cast<int>(done.handshake)};
    return {status, state};
  }
  void wait(Duration duration) { usb_->advance_to(usb_->now() + duration); }

  /// DNLOAD, GETSTATUS, wait, GETSTATUS. @returns the last answer.
  std::pair<int, int> command(std::uint16_t block, const Bytes& bytes) {
    if (dnload(block, bytes).handshake != Handshake::Ack) return {-2, 0};
    const auto first = poll();
    if (first != std::pair{0, 4}) return first;
    wait(std::chrono::milliseconds(poll_ms));
    return poll();
  }
  std::pair<int, int> set_address(std::uint32_t address) {
    return command(0, with_address(0x21, address));
  }
  std::pair<int, int> erase(std::uint32_t address) {
    return command(0, with_address(0x41, address));
  }
  static Bytes with_address(std::uint8_t code, std::uint32_t address) {
    Bytes bytes{code};
    append_le32(bytes, address);
    return bytes;
  }

  std::string string(std::uint8_t index) {
    if (in(0x80, 6, static_cast<std::uint16_t>(0x0300 | index), 0x0409, 255).handshake !=
        Handshake::Ack) {
      return "(stall)";
    }
    std::string text;
    for (std::size_t i = 2; i + 1 < data.size(); i += 2) text += static_cast<char>(data[i]);
    return text;
  }

  UsbDevice& usb() { return *usb_; }

  Duration timeout = 5s;
  std::uint16_t interface = 0;
  Bytes data;
  int status = -1;
  std::uint32_t poll_ms = 0;
  int state = -1;

 private:
  UsbDevice* usb_;
};

constexpr std::pair<int, int> kDnloadIdle{0, 5};
constexpr std::pair<int, int> kErrTarget{1, 10};
constexpr std::pair<int, int> kErrVendor{11, 10};

/// A virtual device and a host that has enumerated it; the chip can be looked into.
struct DeviceTest : ::testing::Test {
  void open(std::string_view spec) {
    device.reset();
    device = make(spec);
    ASSERT_TRUE(device);
    host = std::make_unique<Host>(*device);
    ASSERT_TRUE(host->enumerate());
  }
  Bytes flash(std::uint32_t address, std::size_t size) {
    Bytes bytes(size);
    EXPECT_TRUE(device->chip().read(address, bytes));
    return bytes;
  }
  bool blank(std::uint32_t address, std::size_t size) {
    return std::ranges::all_of(flash(address, size), [](auto b) { return b == 0xFF; });
  }

  std::unique_ptr<VirtualDevice> device;
  std::unique_ptr<Host> host;
};

}  // namespace sureflash::sim
