// Goal: in a testbed a program with libusb sleeps while it waits, as it would on Linux' usbfs.
// Method: this program's ioctl() comes before the preloaded library's and counts.
#include <atomic>
#include <cstdarg>
#include <dlfcn.h>

#include "testbed_fixture.hpp"

#include "sureflash/transport/libusb/async.hpp"
#include "sureflash/transport/libusb/transport.hpp"

namespace {

std::atomic<int> ioctls = 0;

}  // namespace

extern "C" int ioctl(int descriptor, unsigned long request, ...) noexcept {
  ++ioctls;
  std::va_list arguments;
  va_start(arguments, request);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  static const auto next = reinterpret_cast<decltype(&::ioctl)>(::dlsym(RTLD_NEXT, "ioctl"));
  return next(descriptor, request, argument);
}

namespace sureflash::transport {
namespace {

using sim::DfuDevice;

/// For one transfer: submit it, reap it, see that there is no other one.
constexpr int kIoctlsOfATransfer = 3;
/// Release the interface, let a kernel driver have it.
constexpr int kIoctlsOfClosing = 2;

ControlTransfer get_status(Bytes& reply) {
  return {{0xA1, 3, 0, 0, 6}, {}, reply, 20s};
}

Task<Io> one_transfer() {
  Bytes status(6);
  const Answer answer = co_await step(get_status(status));
  co_return answer.io;
}

class IdleTest : public TestbedFixture {
 protected:
  void add_slow() {
    devices_.push_back(std::make_unique<DfuDevice>());
    devices_.back()->delay(proto::DfuRequest::GetStatus, 1s);
    add(*devices_.back(), sim::Pace::Real);
  }

  std::vector<std::unique_ptr<DfuDevice>> devices_;
};

TEST_F(IdleTest, ASecondOfWaitingTakesThreeIoctls) {
  add_slow();
  serve();
  auto transport = LibusbTransport::open({});
  ASSERT_TRUE(transport);
  Bytes status(6);
  ioctls = 0;
  EXPECT_EQ((*transport)->perform(get_status(status)).io, Io::Ok);
  EXPECT_EQ(ioctls, kIoctlsOfATransfer);
}

TEST_F(IdleTest, EightDevicesDoNotAskForOneAnother) {
  constexpr int kDevices = 8;
  for (int i = 0; i < kDevices; ++i) add_slow();
  serve();
  const auto driver = AsyncDriver::create();
  ASSERT_TRUE(driver);
  int done = 0;
  for (int i = 0; i < kDevices; ++i) {
    ASSERT_TRUE((*driver)->start<Io>({.port_path = "1-" + std::to_string(i + 1)}, one_transfer(),
                                     {},
                                     [&](const Result<Io>& io) { done += io && *io == Io::Ok; }));
  }
  ioctls = 0;
  (*driver)->run();
  EXPECT_EQ(done, kDevices);
  EXPECT_EQ(ioctls, kDevices * (kIoctlsOfATransfer + kIoctlsOfClosing));
}

}  // namespace
}  // namespace sureflash::transport
