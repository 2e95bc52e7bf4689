// Goal: a port enumerates, notices what happens on it, and keeps the device's clock from getting
// ahead. Method: a small DFU device and a wall clock that only the test moves.
#include "sureflash/sim/export/host_port.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "sureflash/sim/export_test/dfu_device.hpp"

namespace sureflash::sim {
namespace {

using Event = HostPort::Event;

class HostPortTest : public testing::Test {
 protected:
  /// Ticks every 5 ms until something happens.
  Event wait(HostPort& port, Duration limit = 30s) {
    for (const Duration end = wall_ + limit; wall_ < end; wall_ += 5ms) {
      if (const Event event = port.tick(); event != Event::None) return event;
    }
    return Event::None;
  }
  WallClock clock() {
    return [this] { return wall_; };
  }
  static HostPort::Done get_status(HostPort& port, ByteSpan reply) {
    return port.control({0xA1, 3, 0, 0, 6}, {}, reply, 1h);
  }

  Duration wall_ = 1000s;  // not the device's time
};

TEST_F(HostPortTest, DeviceArrivesWithWhatItSaysOfItself) {
  DfuDevice device;
  HostPort port(device, Pace::Real, clock());
  EXPECT_EQ(port.identity(), nullptr);
  ASSERT_EQ(wait(port), Event::Arrived);
  ASSERT_NE(port.identity(), nullptr);
  EXPECT_EQ(port.identity()->product_id(), 0xDF11);
  EXPECT_EQ(port.identity()->product, "STM32  BOOTLOADER");
  EXPECT_EQ(port.identity()->serial, "357938513431");
  EXPECT_EQ(port.identity()->configuration.size(), 27U);
}

TEST_F(HostPortTest, RealPaceNeverShowsTheFuture) {
  DfuDevice device;
  HostPort port(device, Pace::Real, clock());
  ASSERT_EQ(wait(port), Event::Arrived);
  device.delay(proto::DfuRequest::GetStatus, 3s);
  Bytes reply(6);
  const auto done = get_status(port, reply);
  EXPECT_GE(done.due, wall_ + 3s) << "nobody may see this answer yet";
  EXPECT_LE(done.due, wall_ + 3s + 10ms);
}

TEST_F(HostPortTest, FastPaceAnswersAtOnce) {
  DfuDevice device;
  HostPort port(device, Pace::Fast, clock());
  ASSERT_EQ(wait(port), Event::Arrived);
  device.delay(proto::DfuRequest::GetStatus, 3s);
  Bytes reply(6);
  EXPECT_LE(get_status(port, reply).due, wall_);
}

TEST_F(HostPortTest, IdleDeviceAgesWithTheWallClock) {
  DfuDevice device;
  HostPort port(device, Pace::Real, clock());
  ASSERT_EQ(wait(port), Event::Arrived);
  const Duration before = device.now();
  for (int i = 0; i < 100; ++i) {
    wall_ += 10ms;
    port.tick();
  }
  EXPECT_GE(device.now() - before, 990ms);
  EXPECT_LE(device.now() - before, 1s);
}

TEST_F(HostPortTest, SlowMachineMakesTheDeviceLateAndNeverEarly) {
  DfuDevice device;
  HostPort port(device, Pace::Real, clock());
  ASSERT_EQ(wait(port), Event::Arrived);
  const Duration before = device.now();
  wall_ += 10s;  // the loop did not run for so long
  port.tick();
  EXPECT_LE(device.now() - before, 100ms);
  Bytes reply(6);
  EXPECT_GE(get_status(port, reply).due, wall_ - 50ms);
}

TEST_F(HostPortTest, LeaveHappensWhenTheWallClockIsThere) {
  DfuDevice device({.run_time = true});
  HostPort port(device, Pace::Real, clock());
  ASSERT_EQ(wait(port), Event::Arrived);
  EXPECT_EQ(port.control({0x21, 0, 1000, 0, 0}, {}, {}, 1s).completion.handshake, Handshake::Ack);
  EXPECT_EQ(port.tick(), Event::None) << "5 ms to go";
  EXPECT_EQ(wait(port), Event::Left);
  EXPECT_EQ(port.identity(), nullptr);
  EXPECT_EQ(wait(port), Event::Arrived);
  EXPECT_EQ(port.identity()->product_id(), 0xDF11);
}

TEST_F(HostPortTest, WhatATransferBringsAboutInTheFutureHasNotHappenedYet) {
  DfuDevice device({.run_time = true});
  HostPort port(device, Pace::Real, clock());
  ASSERT_EQ(wait(port), Event::Arrived);
  port.control({0x21, 0, 1000, 0, 0}, {}, {}, 1s);
  device.delay(proto::DfuRequest::GetStatus, 1s);
  Bytes reply(6);
  get_status(port, reply);  // during which the device leaves
  const Duration asked = wall_;
  EXPECT_FALSE(device.attached());
  EXPECT_EQ(port.tick(), Event::None);
  EXPECT_EQ(wait(port), Event::Left);
  EXPECT_GE(wall_ - asked, 990ms);
}

TEST_F(HostPortTest, PulledCableIsSeenAtOnceEvenWhileTheDeviceIsAhead) {
  DfuDevice device;
  HostPort port(device, Pace::Real, clock());
  ASSERT_EQ(wait(port), Event::Arrived);
  device.delay(proto::DfuRequest::GetStatus, 1h);
  Bytes reply(6);
  get_status(port, reply);
  port.set_vbus(false);
  EXPECT_EQ(port.tick(), Event::Left);
  EXPECT_EQ(get_status(port, reply).completion.handshake, Handshake::Gone);
}

TEST_F(HostPortTest, ResetRestoresAlternateSettings) {
  DfuDevice device({.layouts = {"@A/0x08000000/1*1Kg", "@B/0x08000000/1*1Kg"}});
  HostPort port(device, Pace::Real, clock());
  ASSERT_EQ(wait(port), Event::Arrived);
  port.control({0x01, 11, 1, 0, 0}, {}, {}, 1s);
  EXPECT_EQ(device.alt_setting(), 1);
  EXPECT_EQ(port.reset().completion.handshake, Handshake::Ack);
  EXPECT_EQ(device.alt_setting(), 1) << "usb_reset_device() of Linux";
}

/// Stalls its device descriptor, however often it is asked.
class MuteDevice final : public UsbDevice {
 public:
  Duration now() const override { return now_; }
  void advance_to(Duration time) override { now_ = std::max(now_, time); }
  bool attached() const override { return true; }
  std::uint32_t attach_count() const override { return 1; }
  Completion control(const proto::Setup& setup, ByteView, ByteSpan, Duration) override {
    ++asked;
    return {setup.bRequest == 5 ? Handshake::Ack : Handshake::Stall, 0};
  }
  void bus_reset() override { ++resets; }
  void set_vbus(bool) override {}
  int asked = 0;
  int resets = 0;

 private:
  Duration now_{};
};

TEST_F(HostPortTest, DeviceThatDoesNotEnumerateIsGivenUp) {
  MuteDevice device;
  HostPort port(device, Pace::Real, clock());
  EXPECT_EQ(wait(port), Event::None);
  EXPECT_EQ(device.resets, 3);
}

}  // namespace
}  // namespace sureflash::sim
