// Goal: poll(), read() and write() of a node in a testbed answer as those of usbfs do
// (drivers/usb/core/devio.c). Method: this program has the preloaded library itself (preload.cpp)
// and uses the node with plain system calls, without libusb.
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <linux/usbdevice_fs.h>
#include <sys/ioctl.h>

#include "sureflash/sim/export_test/dfu_device.hpp"
#include "sureflash/sim/export_test/testbed_fixture.hpp"

namespace sureflash::sim {
namespace {

/// A GETSTATUS URB with its buffer.
class StatusUrb {
 public:
  StatusUrb() {
    urb()->type = USBDEVFS_URB_TYPE_CONTROL;
    urb()->buffer = buffer_.data();
    urb()->buffer_length = sizeof buffer_;
  }
  /// A struct with an open array at its end.
  usbdevfs_urb* urb() { return reinterpret_cast<usbdevfs_urb*>(storage_.data()); }

 private:
  std::array<std::uint8_t, 14> buffer_{0xA1, 3, 0, 0, 0, 0, 6, 0};
  alignas(usbdevfs_urb) std::array<std::uint8_t, sizeof(usbdevfs_urb)> storage_{};
};

class NodeTest : public TestbedFixture {
 protected:
  void SetUp() override {
    TestbedFixture::SetUp();
    ::setenv("UMOCKDEV_DIR", (folder_ / "t").c_str(), 1);
  }
  void start(Pace pace) {
    add(device_, pace);
    serve();
  }

  static Descriptor open_node(int flags = O_RDWR) {
    Descriptor node(::open("/dev/bus/usb/001/002", flags));
    EXPECT_TRUE(node) << errno;
    return node;
  }
  static bool writable(const Descriptor& node, int timeout_ms = 0) {
    pollfd entry{node.get(), POLLOUT, 0};
    return ::poll(&entry, 1, timeout_ms) == 1 && (entry.revents & POLLOUT) != 0;
  }
  static int submit(const Descriptor& node, StatusUrb& urb) {
    return ::ioctl(node.get(), USBDEVFS_SUBMITURB, urb.urb()) == 0 ? 0 : errno;
  }
  static int reap(const Descriptor& node) {
    void* done = nullptr;
    return ::ioctl(node.get(), USBDEVFS_REAPURBNDELAY, &done) == 0 ? 0 : errno;
  }

  DfuDevice device_;
};

TEST_F(NodeTest, IsWritableWhenATransferCanBeReaped) {
  start(Pace::Fast);
  const Descriptor node = open_node();
  EXPECT_FALSE(writable(node));
  for (int i = 0; i < 100; ++i) {
    StatusUrb first;
    StatusUrb second;
    ASSERT_EQ(submit(node, first), 0);
    ASSERT_TRUE(writable(node)) << "carried out at once";
    ASSERT_EQ(submit(node, second), 0);
    ASSERT_EQ(reap(node), 0);
    ASSERT_TRUE(writable(node)) << "there is another one";
    ASSERT_EQ(reap(node), 0);
    ASSERT_FALSE(writable(node));
    ASSERT_EQ(reap(node), EAGAIN);
  }
}

TEST_F(NodeTest, IsNotWritableUntilTheDeviceHasAnswered) {
  device_.delay(proto::DfuRequest::GetStatus, 1s);
  start(Pace::Real);
  const Descriptor node = open_node();
  StatusUrb status;
  const Duration began = monotonic_clock();
  ASSERT_EQ(submit(node, status), 0);
  EXPECT_FALSE(writable(node));
  EXPECT_EQ(reap(node), EAGAIN) << "and that at once:";
  EXPECT_LT(monotonic_clock() - began, 1s);
  EXPECT_TRUE(writable(node, 20'000));
  EXPECT_GE(monotonic_clock() - began, 1s);
  EXPECT_EQ(reap(node), 0);
  EXPECT_FALSE(writable(node));
}

TEST_F(NodeTest, ATransferTakenBackCanBeReaped) {
  device_.delay(proto::DfuRequest::GetStatus, 1h);
  start(Pace::Real);
  const Descriptor node = open_node();
  StatusUrb status;
  ASSERT_EQ(submit(node, status), 0);
  EXPECT_FALSE(writable(node));
  ASSERT_EQ(::ioctl(node.get(), USBDEVFS_DISCARDURB, status.urb()), 0);
  EXPECT_TRUE(writable(node));
  EXPECT_EQ(reap(node), 0);
  EXPECT_EQ(status.urb()->status, -ENOENT);
  EXPECT_FALSE(writable(node));
}

TEST_F(NodeTest, IsWritableForEverWhenTheDeviceIsGone) {
  start(Pace::Fast);
  const Descriptor node = open_node();
  EXPECT_FALSE(writable(node));
  {
    const std::scoped_lock lock(loop_.mutex());
    testbed_->port("1-1").set_vbus(false);
  }
  loop_.wake();
  EXPECT_TRUE(writable(node, 20'000));
  EXPECT_EQ(reap(node), ENODEV);
  EXPECT_TRUE(writable(node));
}

TEST_F(NodeTest, WhoWaitsIsWokenWhenTheServerEnds) {
  start(Pace::Fast);
  const Descriptor node = open_node();
  EXPECT_FALSE(writable(node));
  thread_.reset();
  testbed_.reset();
  EXPECT_TRUE(writable(node));
}

TEST_F(NodeTest, OpenFilesOfOneNodeAreWokenTogether) {
  start(Pace::Fast);
  const Descriptor idle = open_node();
  {
    const Descriptor busy = open_node();
    StatusUrb status;
    ASSERT_EQ(submit(busy, status), 0);
    EXPECT_TRUE(writable(busy));
    // usbfs would not say so; see NodeQueue.
    EXPECT_TRUE(writable(idle));
    EXPECT_EQ(reap(idle), EAGAIN);
    ASSERT_EQ(reap(busy), 0);
    EXPECT_FALSE(writable(idle));
    ASSERT_EQ(submit(busy, status), 0);
  }
  EXPECT_TRUE(eventually([&] { return !writable(idle); })) << "closed without reaping";
}

TEST_F(NodeTest, ReadsAsItsDescriptors) {
  start(Pace::Fast);
  const Descriptor node = open_node(O_RDONLY);
  EXPECT_EQ(::lseek(node.get(), 0, SEEK_SET), 0) << "libusb_wrap_sys_device() wants it";
  const Bytes expected = testbed_->port("1-1").identity()->descriptors();
  Bytes bytes(expected.size() + 10);
  ASSERT_EQ(::read(node.get(), bytes.data(), 18), 18);
  const auto rest = static_cast<ssize_t>(expected.size() - 18);
  ASSERT_EQ(::read(node.get(), bytes.data() + 18, bytes.size() - 18), rest);
  bytes.resize(expected.size());
  EXPECT_EQ(bytes, expected);
  EXPECT_EQ(::read(node.get(), bytes.data(), 1), 0);
}

TEST_F(NodeTest, CannotBeWritten) {
  start(Pace::Fast);
  const Descriptor node = open_node();
  EXPECT_EQ(::write(node.get(), "x", 1), -1);
  EXPECT_EQ(errno, EINVAL);
}

}  // namespace
}  // namespace sureflash::sim
