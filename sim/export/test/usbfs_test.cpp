// Goal: ioctls on a node are answered as Linux' usbfs answers them, errors above all.
// Method: a node over a small DFU device, files as programs would open them, and this process' own
// memory as theirs; the clock is a variable. Expected errno values are those of
// drivers/usb/core/devio.c.
#include "sureflash/sim/export/usbfs.hpp"

#include <cerrno>

#include "own_memory.hpp"
#include <gtest/gtest.h>
#include <linux/usbdevice_fs.h>
#include <sys/ioctl.h>

#include "sureflash/sim/export_test/dfu_device.hpp"

namespace sureflash::sim {
namespace {

class UsbfsTest : public testing::Test {
 protected:
  UsbfsTest() : port_(device_, Pace::Real, [this] { return wall_; }) {
    while (port_.identity() == nullptr) pass(10ms);
    node_ = std::make_shared<UsbfsNode>(port_, std::uint8_t{2});
    first_ = std::make_unique<UsbfsFile>(node_);
    second_ = std::make_unique<UsbfsFile>(node_);
  }
  void pass(Duration duration) {
    wall_ += duration;
    port_.tick();
  }

  int call(UsbfsFile& file, unsigned long request, const void* argument) {
    const IoctlResult result = file.ioctl(static_cast<std::uint32_t>(request),
                                          reinterpret_cast<std::uintptr_t>(argument), memory_);
    return result.error;
  }
  int with_number(UsbfsFile& file, unsigned long request, unsigned number) {
    return call(file, request, &number);
  }

  /// A GETSTATUS URB with its buffer.
  struct Transfer {
    std::array<std::uint8_t, 14> buffer{0xA1, 3, 0, 0, 0, 0, 6, 0};
    usbdevfs_urb* urb() {
      auto* u = reinterpret_cast<usbdevfs_urb*>(storage.data());
      u->type = USBDEVFS_URB_TYPE_CONTROL;
      u->buffer = buffer.data();
      if (u->buffer_length == 0) u->buffer_length = sizeof buffer;
      return u;
    }
    alignas(usbdevfs_urb) std::array<std::uint8_t, sizeof(usbdevfs_urb)> storage{};
  };

  DfuDevice device_;
  Duration wall_{};
  HostPort port_;
  std::shared_ptr<UsbfsNode> node_;
  std::unique_ptr<UsbfsFile> first_, second_;
  OwnMemory memory_;
};

TEST_F(UsbfsTest, SecondClaimIsBusyUntilTheFirstIsGivenUp) {
  EXPECT_EQ(with_number(*first_, USBDEVFS_CLAIMINTERFACE, 0), 0);
  EXPECT_EQ(with_number(*first_, USBDEVFS_CLAIMINTERFACE, 0), 0);
  EXPECT_EQ(with_number(*second_, USBDEVFS_CLAIMINTERFACE, 0), EBUSY);
  EXPECT_EQ(with_number(*second_, USBDEVFS_RELEASEINTERFACE, 0), EINVAL);
  EXPECT_EQ(with_number(*first_, USBDEVFS_RELEASEINTERFACE, 0), 0);
  EXPECT_EQ(with_number(*second_, USBDEVFS_CLAIMINTERFACE, 0), 0);
}

TEST_F(UsbfsTest, ClosingGivesUpClaims) {
  EXPECT_EQ(with_number(*first_, USBDEVFS_CLAIMINTERFACE, 0), 0);
  first_.reset();
  EXPECT_EQ(with_number(*second_, USBDEVFS_CLAIMINTERFACE, 0), 0);
}

TEST_F(UsbfsTest, ClaimOfAnInterfaceThatIsNotThere) {
  EXPECT_EQ(with_number(*first_, USBDEVFS_CLAIMINTERFACE, 1), ENOENT);
  EXPECT_EQ(with_number(*first_, USBDEVFS_CLAIMINTERFACE, 64), EINVAL);
}

TEST_F(UsbfsTest, ATransferClaimsItsInterfaceByItself) {
  Transfer transfer;
  EXPECT_EQ(call(*first_, USBDEVFS_SUBMITURB, transfer.urb()), 0);
  EXPECT_EQ(with_number(*second_, USBDEVFS_CLAIMINTERFACE, 0), EBUSY);
  Transfer other;
  EXPECT_EQ(call(*second_, USBDEVFS_SUBMITURB, other.urb()), EBUSY);
  Transfer wrong;
  wrong.buffer[4] = 3;
  EXPECT_EQ(call(*first_, USBDEVFS_SUBMITURB, wrong.urb()), ENOENT);
}

TEST_F(UsbfsTest, AnswerIsSeenWhenTheWallClockIsThere) {
  Transfer transfer;
  void* reaped = nullptr;
  EXPECT_EQ(call(*first_, USBDEVFS_SUBMITURB, transfer.urb()), 0);
  EXPECT_EQ(call(*first_, USBDEVFS_REAPURBNDELAY, &reaped), EAGAIN) << "the bus takes its time";
  pass(1ms);
  EXPECT_EQ(call(*first_, USBDEVFS_REAPURBNDELAY, &reaped), 0);
  EXPECT_EQ(reaped, transfer.urb());
  EXPECT_EQ(transfer.urb()->status, 0);
  EXPECT_EQ(transfer.urb()->actual_length, 6);
  EXPECT_EQ(transfer.buffer[8 + 4], 2) << "dfuIDLE";
  EXPECT_EQ(call(*first_, USBDEVFS_REAPURBNDELAY, &reaped), EAGAIN);
}

TEST_F(UsbfsTest, StallIsBrokenPipe) {
  Transfer transfer;
  transfer.buffer[1] = 4;  // CLRSTATUS outside dfuERROR, as IN: the device stalls
  EXPECT_EQ(call(*first_, USBDEVFS_SUBMITURB, transfer.urb()), 0);
  pass(1ms);
  void* reaped = nullptr;
  EXPECT_EQ(call(*first_, USBDEVFS_REAPURBNDELAY, &reaped), 0);
  EXPECT_EQ(transfer.urb()->status, -EPIPE);
}

TEST_F(UsbfsTest, DiscardedTransferIsReapedWithENOENT) {
  device_.delay(proto::DfuRequest::GetStatus, 1min);
  Transfer transfer;
  void* reaped = nullptr;
  EXPECT_EQ(call(*first_, USBDEVFS_DISCARDURB, transfer.urb()), EINVAL) << "not submitted";
  EXPECT_EQ(call(*first_, USBDEVFS_SUBMITURB, transfer.urb()), 0);
  EXPECT_EQ(call(*second_, USBDEVFS_DISCARDURB, transfer.urb()), EINVAL) << "somebody else's";
  pass(300ms);
  EXPECT_EQ(call(*first_, USBDEVFS_REAPURBNDELAY, &reaped), EAGAIN);
  EXPECT_EQ(call(*first_, USBDEVFS_DISCARDURB, transfer.urb()), 0);
  EXPECT_EQ(call(*first_, USBDEVFS_REAPURBNDELAY, &reaped), 0);
  EXPECT_EQ(transfer.urb()->status, -ENOENT);
  EXPECT_EQ(transfer.urb()->actual_length, 0);
}

TEST_F(UsbfsTest, LengthsAreChecked) {
  Transfer transfer;
  transfer.urb()->buffer_length = 7;
  EXPECT_EQ(call(*first_, USBDEVFS_SUBMITURB, transfer.urb()), EINVAL)
      << "no room for a setup packet";
  transfer.urb()->buffer_length = 13;
  EXPECT_EQ(call(*first_, USBDEVFS_SUBMITURB, transfer.urb()), EINVAL) << "wLength 6 does not fit";
  transfer.urb()->buffer_length = -1;
  EXPECT_EQ(call(*first_, USBDEVFS_SUBMITURB, transfer.urb()), EINVAL);
  Bytes data(8192);
  usbdevfs_ctrltransfer sync{0xA1, 2, 2, 0, 4097, 0, data.data()};
  EXPECT_EQ(call(*first_, USBDEVFS_CONTROL, &sync), EINVAL) << "more than a page";
  sync.wLength = 6;
  sync.bRequest = 3;
  EXPECT_EQ(call(*first_, USBDEVFS_CONTROL, &sync), 0);
  sync.data = nullptr;
  EXPECT_EQ(call(*first_, USBDEVFS_CONTROL, &sync), EFAULT);
}

TEST_F(UsbfsTest, UnpluggedDeviceSaysSoAndGivesBackWhatWasSubmitted) {
  Transfer transfer;
  EXPECT_EQ(call(*first_, USBDEVFS_SUBMITURB, transfer.urb()), 0);
  port_.set_vbus(false);
  EXPECT_EQ(port_.tick(), HostPort::Event::Left);
  node_->unplug();
  void* reaped = nullptr;
  EXPECT_EQ(call(*first_, USBDEVFS_SUBMITURB, transfer.urb()), ENODEV);
  EXPECT_EQ(with_number(*first_, USBDEVFS_CLAIMINTERFACE, 0), ENODEV);
  EXPECT_EQ(call(*first_, USBDEVFS_RESET, nullptr), ENODEV);
  EXPECT_EQ(call(*first_, USBDEVFS_REAPURBNDELAY, &reaped), 0)
      << "USBDEVFS_CAP_REAP_AFTER_DISCONNECT";
  EXPECT_EQ(transfer.urb()->status, -ESHUTDOWN);
  EXPECT_EQ(call(*first_, USBDEVFS_REAPURBNDELAY, &reaped), ENODEV);
}

TEST_F(UsbfsTest, SetInterfaceKnowsTheDescriptors) {
  usbdevfs_setinterface choice{0, 1};
  EXPECT_EQ(call(*first_, USBDEVFS_SETINTERFACE, &choice), EINVAL) << "no such alternate setting";
  choice = {0, 0};
  EXPECT_EQ(call(*first_, USBDEVFS_SETINTERFACE, &choice), 0);
  EXPECT_EQ(call(*second_, USBDEVFS_SETINTERFACE, &choice), EBUSY);
}

TEST_F(UsbfsTest, ResetOfADeviceInUseElsewhereIsRefused) {
  EXPECT_EQ(with_number(*second_, USBDEVFS_CLAIMINTERFACE, 0), 0);
  EXPECT_EQ(call(*first_, USBDEVFS_RESET, nullptr), EACCES);
  EXPECT_EQ(call(*second_, USBDEVFS_RESET, nullptr), 0);
  EXPECT_EQ(with_number(*first_, USBDEVFS_CLAIMINTERFACE, 0), 0)
      << "a reset unbinds usbfs: the claim is lost";
}

TEST_F(UsbfsTest, DriverQuestions) {
  usbdevfs_getdriver driver{};
  EXPECT_EQ(call(*first_, USBDEVFS_GETDRIVER, &driver), ENODATA);
  EXPECT_EQ(with_number(*first_, USBDEVFS_CLAIMINTERFACE, 0), 0);
  EXPECT_EQ(call(*first_, USBDEVFS_GETDRIVER, &driver), 0);
  EXPECT_STREQ(driver.driver, "usbfs");
  EXPECT_EQ(call(*first_, 0x12345678, nullptr), ENOTTY);
}

}  // namespace
}  // namespace sureflash::sim
