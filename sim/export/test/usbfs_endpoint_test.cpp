// Goal: bulk and interrupt URBs on a node are answered as Linux' usbfs answers them.
// Method: a node over a serial port that echoes, files as programs would open them, a clock under
// control. Expected errno values are those of drivers/usb/core/devio.c.
#include <cerrno>

#include "own_memory.hpp"
#include <gtest/gtest.h>
#include <linux/usbdevice_fs.h>
#include <sys/ioctl.h>

#include "sureflash/sim/export_test/cdc_device.hpp"

namespace sureflash::sim {
namespace {

/// An URB with its buffer.
struct ProgramUrb {
  ProgramUrb(unsigned char type, unsigned char endpoint, std::size_t length) : buffer(length) {
    urb().type = type;
    urb().endpoint = endpoint;
    urb().buffer = buffer.data();
    urb().buffer_length = static_cast<int>(length);
  }
  usbdevfs_urb& urb() { return *reinterpret_cast<usbdevfs_urb*>(storage.data()); }
  Bytes received() { return {buffer.begin(), buffer.begin() + urb().actual_length}; }

  Bytes buffer;
  alignas(usbdevfs_urb) std::array<std::uint8_t, sizeof(usbdevfs_urb)> storage{};
};

class UsbfsEndpointTest : public testing::Test {
 protected:
  UsbfsEndpointTest() : port_(device_, Pace::Real, [this] { return wall_; }) {
    while (port_.identity() == nullptr) pass(10ms);
    node_ = std::make_shared<UsbfsNode>(port_, std::uint8_t{2});
    first_ = std::make_unique<UsbfsFile>(node_);
    second_ = std::make_unique<UsbfsFile>(node_);
  }
  void pass(Duration duration) {
    for (const Duration end = wall_ + duration; wall_ < end; wall_ += 1ms) port_.tick();
  }
  IoctlResult ask(UsbfsFile& file, unsigned long request, const void* argument) {
    return file.ioctl(static_cast<std::uint32_t>(request),
                      reinterpret_cast<std::uintptr_t>(argument), memory_);
  }
  int call(UsbfsFile& file, unsigned long request, const void* argument) {
    return ask(file, request, argument).error;
  }
  int submit(ProgramUrb& urb) { return call(*first_, USBDEVFS_SUBMITURB, &urb.urb()); }
  int with_number(UsbfsFile& file, unsigned long request, unsigned number) {
    return call(file, request, &number);
  }
  /// The URB that is reaped now, or nullptr.
  usbdevfs_urb* reap() {
    void* reaped = nullptr;
    if (call(*first_, USBDEVFS_REAPURBNDELAY, &reaped) != 0) return nullptr;
    return static_cast<usbdevfs_urb*>(reaped);
  }

  CdcDevice device_;
  Duration wall_{};
  HostPort port_;
  std::shared_ptr<UsbfsNode> node_;
  std::unique_ptr<UsbfsFile> first_, second_;
  OwnMemory memory_;
};

constexpr unsigned char kBulk = USBDEVFS_URB_TYPE_BULK;
constexpr unsigned char kInterrupt = USBDEVFS_URB_TYPE_INTERRUPT;

TEST_F(UsbfsEndpointTest, BulkOutAndInWithControlBetween) {
  ProgramUrb in(kBulk, 0x81, 512);
  ASSERT_EQ(submit(in), 0);
  pass(20ms);
  EXPECT_EQ(reap(), nullptr) << "the device NAKs";
  Bytes line_coding(7);
  usbdevfs_ctrltransfer control{0xA1, 0x21, 0, 0, 7, 1000, line_coding.data()};
  EXPECT_EQ(ask(*first_, USBDEVFS_CONTROL, &control).value, 7);
  ProgramUrb out(kBulk, 0x01, 100);
  std::fill(out.buffer.begin(), out.buffer.end(), std::uint8_t{0x5A});
  ASSERT_EQ(submit(out), 0);
  pass(20ms);
  EXPECT_EQ(reap(), &out.urb());
  EXPECT_EQ(out.urb().actual_length, 100);
  EXPECT_EQ(reap(), &in.urb());
  EXPECT_EQ(in.urb().status, 0);
  EXPECT_EQ(in.received(), out.buffer);
}

TEST_F(UsbfsEndpointTest, UrbsOfAnEndpointComeBackInOrder) {
  std::vector<std::unique_ptr<ProgramUrb>> urbs;
  for (int i = 0; i < 5; ++i) {
    urbs.push_back(std::make_unique<ProgramUrb>(kBulk, std::uint8_t{0x81}, 64U));
    ASSERT_EQ(submit(*urbs.back()), 0);
  }
  for (std::uint8_t i = 0; i < 5; ++i) device_.to_host().push_back({i});
  pass(20ms);
  for (std::uint8_t i = 0; i < 5; ++i) {
    EXPECT_EQ(reap(), &urbs[i]->urb());
    EXPECT_EQ(urbs[i]->received(), Bytes{i});
  }
}

TEST_F(UsbfsEndpointTest, DiscardedUrbKeepsWhatHasCome) {
  device_.to_host() = {Bytes(64, 7)};
  ProgramUrb in(kBulk, 0x81, 512);
  ASSERT_EQ(submit(in), 0);
  pass(20ms);
  EXPECT_EQ(reap(), nullptr);
  EXPECT_EQ(call(*first_, USBDEVFS_DISCARDURB, &in.urb()), 0);
  EXPECT_EQ(reap(), &in.urb());
  EXPECT_EQ(in.urb().status, -ENOENT);
  EXPECT_EQ(in.received(), Bytes(64, 7)) << "libusb's timeouts rely on it";
  device_.to_host() = {Bytes{1}};
  pass(20ms);
  EXPECT_EQ(device_.to_host().size(), 1U);
}

TEST_F(UsbfsEndpointTest, ShortPacketIsAnErrorOnlyIfAskedFor) {
  device_.to_host() = {Bytes(3, 9), Bytes(3, 9)};
  ProgramUrb in(kBulk, 0x81, 64);
  in.urb().flags = USBDEVFS_URB_SHORT_NOT_OK;
  ASSERT_EQ(submit(in), 0);
  pass(5ms);
  ASSERT_EQ(reap(), &in.urb());
  EXPECT_EQ(in.urb().status, -EREMOTEIO);
  EXPECT_EQ(in.urb().actual_length, 3);
}

TEST_F(UsbfsEndpointTest, ZeroPacketFlagAndEmptyTransfer) {
  ProgramUrb full(kBulk, 0x01, 128);
  full.urb().flags = USBDEVFS_URB_ZERO_PACKET;
  ASSERT_EQ(submit(full), 0);
  ProgramUrb empty(kBulk, 0x01, 0);
  ASSERT_EQ(submit(empty), 0);
  pass(10ms);
  EXPECT_EQ(reap(), &full.urb());
  EXPECT_EQ(reap(), &empty.urb());
  EXPECT_EQ(device_.received().size(), 4U) << "64, 64, 0 and 0 bytes";
}

TEST_F(UsbfsEndpointTest, StallIsBrokenPipeUntilClearHalt) {
  device_.halt(0x81);
  ProgramUrb in(kBulk, 0x81, 64);
  ASSERT_EQ(submit(in), 0);
  pass(5ms);
  ASSERT_EQ(reap(), &in.urb());
  EXPECT_EQ(in.urb().status, -EPIPE);
  EXPECT_EQ(with_number(*first_, USBDEVFS_CLEAR_HALT, 0x84), ENOENT);
  EXPECT_EQ(with_number(*first_, USBDEVFS_CLEAR_HALT, 0x181), EINVAL);
  EXPECT_EQ(with_number(*first_, USBDEVFS_CLEAR_HALT, 0x81), 0);
  EXPECT_FALSE(device_.halted(0x81));
  EXPECT_EQ(with_number(*first_, USBDEVFS_RESETEP, 0x81), 0);
  device_.to_host() = {Bytes{1}};
  ASSERT_EQ(submit(in), 0);
  pass(5ms);
  ASSERT_EQ(reap(), &in.urb());
  EXPECT_EQ(in.urb().status, 0);
}

TEST_F(UsbfsEndpointTest, EndpointsBelongToInterfaces) {
  EXPECT_EQ(with_number(*second_, USBDEVFS_CLAIMINTERFACE, 1), 0);
  ProgramUrb in(kBulk, 0x81, 64);
  EXPECT_EQ(submit(in), EBUSY) << "somebody else has claimed interface 1";
  EXPECT_EQ(with_number(*first_, USBDEVFS_CLEAR_HALT, 0x81), EBUSY);
  EXPECT_EQ(with_number(*second_, USBDEVFS_RELEASEINTERFACE, 1), 0);
  EXPECT_EQ(submit(in), 0) << "claims by itself, as the kernel does";
  EXPECT_EQ(with_number(*second_, USBDEVFS_CLAIMINTERFACE, 1), EBUSY);
}

TEST_F(UsbfsEndpointTest, WrongEndpointTypeFlagOrLength) {
  EXPECT_EQ(
      [&] {
        ProgramUrb u(kBulk, 0x83, 64);
        return submit(u);
      }(),
      ENOENT);
  EXPECT_EQ(
      [&] {
        ProgramUrb u(kBulk, 0x11, 64);
        return submit(u);
      }(),
      EINVAL);
  EXPECT_EQ(
      [&] {
        ProgramUrb u(kInterrupt, 0x81, 64);
        return submit(u);
      }(),
      EINVAL);
  EXPECT_EQ(
      [&] {
        ProgramUrb u(USBDEVFS_URB_TYPE_ISO, 0x81, 64);
        return submit(u);
      }(),
      EINVAL);
  EXPECT_EQ(
      [&] {
        ProgramUrb u(USBDEVFS_URB_TYPE_CONTROL, 0x81, 64);
        return submit(u);
      }(),
      EINVAL);
  ProgramUrb flags(kBulk, 0x81, 64);
  flags.urb().flags = 0x8000;
  EXPECT_EQ(submit(flags), EINVAL);
  ProgramUrb oversize(kBulk, 0x81, 64);
  oversize.urb().buffer_length = 0x7FFFFFFF;
  EXPECT_EQ(submit(oversize), EINVAL) << "USBFS_XFER_MAX";
  ProgramUrb nothing(kBulk, 0x81, 64);
  nothing.urb().buffer = nullptr;
  EXPECT_EQ(submit(nothing), EINVAL);
}

TEST_F(UsbfsEndpointTest, MoreThanUsbfsMemoryIsRefusedUntilSomeIsFree) {
  ProgramUrb first(kBulk, 0x81, 10 << 20), second(kBulk, 0x81, 10 << 20);
  EXPECT_EQ(submit(first), 0);
  EXPECT_EQ(submit(second), ENOMEM) << "usbfs_memory_mb is 16";
  EXPECT_EQ(call(*first_, USBDEVFS_DISCARDURB, &first.urb()), 0);
  EXPECT_EQ(reap(), &first.urb());
  EXPECT_EQ(submit(second), 0);
  first_ = std::make_unique<UsbfsFile>(node_);
  EXPECT_EQ(submit(first), 0) << "closing gives memory back";
}

TEST_F(UsbfsEndpointTest, InterruptUrbAlsoAsBulkOne) {
  for (const unsigned char type : {kInterrupt, kBulk}) {
    ProgramUrb notify(type, 0x82, 8);
    ASSERT_EQ(submit(notify), 0);
    device_.notifications() = {Bytes{1, 2, 3}};
    pass(40ms);
    ASSERT_EQ(reap(), &notify.urb());
    EXPECT_EQ(notify.received(), (Bytes{1, 2, 3}));
  }
}

TEST_F(UsbfsEndpointTest, ReleasingOrSelectingTakesBackWhatIsUnderWay) {
  ProgramUrb in(kBulk, 0x81, 64);
  ASSERT_EQ(submit(in), 0);
  EXPECT_EQ(with_number(*first_, USBDEVFS_RELEASEINTERFACE, 1), 0);
  ASSERT_EQ(reap(), &in.urb());
  EXPECT_EQ(in.urb().status, -ENOENT);
  ASSERT_EQ(submit(in), 0);
  usbdevfs_setinterface choice{1, 0};
  EXPECT_EQ(call(*first_, USBDEVFS_SETINTERFACE, &choice), 0);
  ASSERT_EQ(reap(), &in.urb());
  EXPECT_EQ(in.urb().status, -ENOENT);
}

TEST_F(UsbfsEndpointTest, ResetTakesBackUrbsAndClaims) {
  ProgramUrb in(kBulk, 0x81, 64);
  ASSERT_EQ(submit(in), 0);
  EXPECT_EQ(call(*first_, USBDEVFS_RESET, nullptr), 0);
  ASSERT_EQ(reap(), &in.urb());
  EXPECT_EQ(in.urb().status, -ENOENT);
  EXPECT_EQ(with_number(*second_, USBDEVFS_CLAIMINTERFACE, 1), 0);
}

TEST_F(UsbfsEndpointTest, ClosingTakesBackWhatIsUnderWay) {
  ProgramUrb in(kBulk, 0x81, 64);
  ASSERT_EQ(submit(in), 0);
  first_.reset();
  device_.to_host() = {Bytes{1}};
  pass(20ms);
  EXPECT_EQ(device_.to_host().size(), 1U);
}

TEST_F(UsbfsEndpointTest, UnpluggedWhileWaiting) {
  device_.to_host() = {Bytes(64, 3)};
  ProgramUrb in(kBulk, 0x81, 128);
  ASSERT_EQ(submit(in), 0);
  pass(5ms);
  port_.set_vbus(false);
  ASSERT_EQ(port_.tick(), HostPort::Event::Left);
  node_->unplug();
  ASSERT_EQ(reap(), &in.urb());
  EXPECT_EQ(in.urb().status, -ESHUTDOWN);
  EXPECT_EQ(in.received(), Bytes(64, 3));
  EXPECT_EQ(submit(in), ENODEV);
}

TEST_F(UsbfsEndpointTest, BulkIoctlBlocksUntilDataOrTimeout) {
  Bytes data(64);
  usbdevfs_bulktransfer call_in{0x81, 64, 50, data.data()};
  EXPECT_TRUE(ask(*first_, USBDEVFS_BULK, &call_in).blocks);
  pass(20ms);
  EXPECT_TRUE(ask(*first_, USBDEVFS_BULK, &call_in).blocks);
  device_.to_host() = {Bytes{5, 6}};
  pass(10ms);
  const IoctlResult done = ask(*first_, USBDEVFS_BULK, &call_in);
  EXPECT_FALSE(done.blocks);
  EXPECT_EQ(done.value, 2);
  EXPECT_EQ(data[1], 6);
  EXPECT_TRUE(ask(*first_, USBDEVFS_BULK, &call_in).blocks);
  pass(60ms);
  EXPECT_EQ(call(*first_, USBDEVFS_BULK, &call_in), ETIMEDOUT);
  usbdevfs_bulktransfer call_out{0x01, 2, 0, data.data()};
  EXPECT_TRUE(ask(*first_, USBDEVFS_BULK, &call_out).blocks);
  pass(5ms);
  EXPECT_EQ(ask(*first_, USBDEVFS_BULK, &call_out).value, 2);
  EXPECT_EQ(device_.received().back(), (Bytes{5, 6}));
}

}  // namespace
}  // namespace sureflash::sim
