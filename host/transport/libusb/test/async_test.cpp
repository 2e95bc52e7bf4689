// Goal: many devices are served from one thread, each job with its own answers, timers and
// failures. Method: real libusb on a testbed served by another thread of this program (see
// preload.cpp).
#include "sureflash/transport/libusb/async.hpp"

#include <map>

#include "testbed_fixture.hpp"
#include <gmock/gmock.h>

namespace sureflash::transport {
namespace {

using sim::DfuDevice;

ControlTransfer get_status(Bytes& reply, Duration timeout = 20s) {
  return {{0xA1, 3, 0, 0, 6}, {}, reply, timeout};
}

/// Writes `seed` bytes over the first page, as a job would.
Task<std::size_t> write_page(std::uint8_t value) {
  Bytes status(6);
  const Bytes page(1024, value);
  co_await step(Progress{});
  const Answer sent = co_await step(ControlTransfer{{0x21, 1, 2, 0, 1024}, page, {}, 20s});
  if (sent.io != Io::Ok) co_return fail(Errc::TransferFailed);
  for (int i = 0; i < 2; ++i) {
    const Answer answer = co_await step(get_status(status));
    if (answer.io != Io::Ok) co_return fail(Errc::TransferFailed);
    co_await step(Wait{1ms});
  }
  co_return status[4];
}

Task<Io> first_answer(Duration timeout) {
  Bytes status(6);
  const Answer answer = co_await step(get_status(status, timeout));
  co_return answer.io;
}

Task<Io> wait_for(Duration duration) {
  const Answer answer = co_await step(Wait{duration});
  co_return answer.io;
}

Task<Io> await_return(Duration timeout) {
  const Answer answer = co_await step(AwaitReturn{timeout});
  co_return answer.io;
}

Task<Io> detach_and_return() {
  Bytes status(6);
  co_await step(ControlTransfer{{0x21, 0, 1000, 0, 0}, {}, {}, 20s});
  const Answer back = co_await step(AwaitReturn{20s});
  if (back.io != Io::Ok) co_return back.io;
  const Answer answer = co_await step(get_status(status));
  co_return status[4] == 2 ? answer.io : Io::Failed;
}

class AsyncDriverTest : public TestbedFixture {
 protected:
  std::unique_ptr<AsyncDriver> start() {
    serve();
    auto driver = AsyncDriver::create();
    EXPECT_TRUE(driver);
    return std::move(*driver);
  }
};

TEST_F(AsyncDriverTest, EightDevicesInOneThread) {
  constexpr std::size_t kDevices = 8;
  std::vector<std::unique_ptr<DfuDevice>> devices;
  for (std::size_t i = 0; i < kDevices; ++i) {
    devices.push_back(std::make_unique<DfuDevice>());
    add(*devices.back());
  }
  const auto driver = start();
  std::map<std::size_t, std::size_t> states;
  for (std::size_t i = 0; i < kDevices; ++i) {
    const auto started = driver->start<std::size_t>(
        {.port_path = "1-" + std::to_string(i + 1)}, write_page(static_cast<std::uint8_t>(i + 1)),
        {}, [&states, i](Result<std::size_t> result) { states[i] = result.value_or(99); });
    ASSERT_TRUE(started) << message(started.error());
  }
  driver->run();
  for (std::size_t i = 0; i < kDevices; ++i) {
    EXPECT_EQ(states[i], 5U) << "dfuDNLOAD-IDLE";
    EXPECT_EQ(devices[i]->memory()[0], i + 1);
    EXPECT_EQ(devices[i]->memory()[1023], i + 1);
  }
}

TEST_F(AsyncDriverTest, SlowDeviceDoesNotHoldUpAnother) {
  DfuDevice slow, quick;
  slow.delay(proto::DfuRequest::GetStatus, 1h);
  add(slow, sim::Pace::Real);
  add(quick, sim::Pace::Real);
  const auto driver = start();
  std::vector<std::pair<char, Io>> order;
  ASSERT_TRUE(driver->start<Io>({.port_path = "1-1"}, first_answer(1h), {},
                                [&](Result<Io> io) { order.emplace_back('s', *io); }));
  ASSERT_TRUE(driver->start<Io>({.port_path = "1-2"}, first_answer(1h), {}, [&](Result<Io> io) {
    order.emplace_back('q', *io);
    const std::scoped_lock lock(loop_.mutex());
    testbed_->port("1-1").set_vbus(false);
  }));
  driver->run();
  EXPECT_THAT(order,
              testing::ElementsAre(std::pair('q', Io::Ok), std::pair('s', Io::Disconnected)));
}

TEST_F(AsyncDriverTest, DevicesAreFollowedByTheirPorts) {
  DfuDevice first({.run_time = true}), second({.run_time = true});
  add(first);
  add(second);
  const auto driver = start();
  int back = 0;
  for (const char* port : {"1-1", "1-2"}) {
    ASSERT_TRUE(driver->start<Io>({.port_path = port}, detach_and_return(), {},
                                  [&](Result<Io> io) { back += *io == Io::Ok ? 1 : 0; }));
  }
  driver->run();
  EXPECT_EQ(back, 2);
}

TEST_F(AsyncDriverTest, DeviceThatComesBackElsewhereIsNotOurs) {
  DfuDevice ours({.run_time = true}), other({.run_time = true});
  add(ours);
  add(other);
  const auto driver = start();
  std::optional<Io> io;
  ASSERT_TRUE(driver->start<Io>({.port_path = "1-1"}, await_return(1s), {},
                                [&](Result<Io> result) { io = *result; }));
  ASSERT_TRUE(
      driver->start<Io>({.port_path = "1-2"}, detach_and_return(), {}, [](Result<Io> result) {
        EXPECT_EQ(*result, Io::Ok) << "the other one goes and comes back meanwhile";
      }));
  driver->run();
  EXPECT_EQ(io, Io::Timeout);
}

TEST_F(AsyncDriverTest, ATimeoutIsTheJobsOwn) {
  DfuDevice silent, quick;
  silent.delay(proto::DfuRequest::GetStatus, 1h);
  add(silent, sim::Pace::Real);
  add(quick, sim::Pace::Real);
  const auto driver = start();
  std::map<std::string, Io> ended;
  ASSERT_TRUE(driver->start<Io>({.port_path = "1-1"}, first_answer(300ms), {},
                                [&](Result<Io> io) { ended["silent"] = *io; }));
  ASSERT_TRUE(driver->start<Io>({.port_path = "1-2"}, first_answer(20s), {},
                                [&](Result<Io> io) { ended["quick"] = *io; }));
  driver->run();
  EXPECT_EQ(ended["silent"], Io::Timeout);
  EXPECT_EQ(ended["quick"], Io::Ok);
}

TEST_F(AsyncDriverTest, OneOfManyIsUnpluggedAndTheOthersFinish) {
  DfuDevice leaves, stays;
  leaves.delay(proto::DfuRequest::GetStatus, 1h);
  add(leaves, sim::Pace::Real);
  add(stays);
  const auto driver = start();
  std::optional<Io> gone;
  std::optional<std::size_t> state;
  ASSERT_TRUE(driver->start<Io>({.port_path = "1-1"}, first_answer(1h), {},
                                [&](Result<Io> io) { gone = *io; }));
  ASSERT_TRUE(driver->start<std::size_t>({.port_path = "1-2"}, write_page(7), {},
                                         [&](Result<std::size_t> result) {
                                           state = result.value_or(99);
                                           const std::scoped_lock lock(loop_.mutex());
                                           testbed_->port("1-1").set_vbus(false);
                                         }));
  driver->run();
  EXPECT_EQ(gone, Io::Disconnected);
  EXPECT_EQ(state, 5U);
}

TEST_F(AsyncDriverTest, ADeviceThatIsPluggedInLaterIsListedAndDriven) {
  DfuDevice first, second;
  add(first);
  second.set_vbus(false);
  testbed_->add(second, sim::Pace::Fast);
  const auto driver = start();
  EXPECT_EQ(driver->list().size(), 1U);
  std::optional<Io> late;
  ASSERT_TRUE(driver->start<Io>({.port_path = "1-1"}, first_answer(20s), {}, [&](Result<Io>) {
    {
      const std::scoped_lock lock(loop_.mutex());
      testbed_->port("1-2").set_vbus(true);
    }
    ASSERT_TRUE(eventually([&] { return testbed_->device_number("1-2") != 0; }));
    ASSERT_TRUE(driver->start<Io>({.port_path = "1-2"}, first_answer(20s), {}, [&](Result<Io> io) {
      late = *io;
    })) << "from within a job's end";
  }));
  driver->run();
  EXPECT_EQ(late, Io::Ok);
}

TEST_F(AsyncDriverTest, StopAtOnceEndsWhatHangs) {
  DfuDevice first, second, third;
  first.delay(proto::DfuRequest::GetStatus, 1h);
  for (DfuDevice* device : {&first, &second, &third}) add(*device, sim::Pace::Real);
  const auto driver = start();
  int asked = 0;
  Observer observer;
  // Not before each step has begun.
  observer.stop_at_once = [&asked] { return ++asked > 6; };
  std::vector<Io> ended;
  const auto done = [&](Result<Io> io) { ended.push_back(*io); };
  ASSERT_TRUE(driver->start<Io>({.port_path = "1-1"}, first_answer(1h), observer, done));
  ASSERT_TRUE(driver->start<Io>({.port_path = "1-2"}, wait_for(1h), observer, done));
  ASSERT_TRUE(driver->start<Io>({.port_path = "1-3"}, await_return(1h), observer, done));
  driver->run();
  EXPECT_EQ(ended, std::vector<Io>(3, Io::Stopped));
}

TEST_F(AsyncDriverTest, DriverThatEndsTakesBackItsTransfers) {
  DfuDevice device;
  device.delay(proto::DfuRequest::GetStatus, 1h);
  add(device, sim::Pace::Real);
  auto driver = start();
  ASSERT_TRUE(driver->start<Io>({}, first_answer(1h), {}, [](Result<Io>) { FAIL(); }));
  driver.reset();
  EXPECT_TRUE(AsyncDriver::create()) << "and libusb can be used again";
}

TEST_F(AsyncDriverTest, StopAtOnceEndsAJobWithoutAnotherTransfer) {
  DfuDevice device;
  add(device);
  const auto driver = start();
  Observer observer;
  observer.stop_at_once = [] { return true; };
  Io io = Io::Ok;
  ASSERT_TRUE(driver->start<Io>({}, first_answer(20s), observer, [&](Result<Io> r) { io = *r; }));
  const unsigned before = device.transfers();
  driver->run();
  EXPECT_EQ(io, Io::Stopped);
  EXPECT_EQ(device.transfers(), before);
}

}  // namespace
}  // namespace sureflash::transport
