// Goal: unmodified programs see and use a virtual device through the testbed, as they would a real
// one. Method: a small strict DFU device in a testbed of its own; dfu-util as Debian ships it is
// started as a child process. What it prints and what is in the device's memory afterwards is
// compared.
#include "sureflash/sim/export/testbed.hpp"

#include <gmock/gmock.h>

#include "sureflash/sim/export_test/dfu_device.hpp"
#include "sureflash/sim/export_test/testbed_fixture.hpp"

namespace sureflash::sim {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

using TestbedTest = TestbedFixture;

TEST_F(TestbedTest, SelfTestKnowsTheInstalledPreloadLibrary) {
  DfuDevice device;
  add(device);
  const auto result = testbed_->self_test();
  EXPECT_TRUE(result) << message(result.error());
}

TEST_F(TestbedTest, DfuUtilListsTheDevice) {
  DfuDevice device({.layouts = {"@Internal Flash  /0x08000000/64*001Kg",
                                "@Option Bytes  /0x1FFFF800/01*016 e"}});
  add(device);
  serve();
  const Outcome list = run("dfu-util -l");
  EXPECT_EQ(list.status, 0) << list.output;
  EXPECT_THAT(
      list.output,
      HasSubstr("Found DFU: [0483:df11] ver=2200, devnum=2, cfg=1, intf=0, path=\"1-1\", "
                "alt=1, name=\"@Option Bytes  /0x1FFFF800/01*016 e\", serial=\"357938513431\""));
}

TEST_F(TestbedTest, DfuUtilDownloadsAndUploadsTheSame) {
  DfuDevice device;
  add(device);
  serve();
  const Bytes image = write_image("in.bin", 64 * 1024);
  const Outcome down = run("dfu-util -a 0 -s 0x08000000 -D in.bin");
  EXPECT_EQ(down.status, 0) << down.output;
  EXPECT_EQ(device.memory(), image);
  const Outcome up = run("dfu-util -a 0 -s 0x08000000:65536 -U out.bin");
  EXPECT_EQ(up.status, 0) << up.output;
  EXPECT_EQ(run("cmp in.bin out.bin").status, 0);
}

TEST_F(TestbedTest, DfuUtilFollowsADeviceThroughDetachAndLeave) {
  DfuDevice device({.run_time = true});
  add(device);
  serve();
  const Bytes image = write_image("in.bin", 4096);
  const Outcome down =
      run("dfu-util -d 0483:5740,0483:df11 -E 2 -a 0 -s 0x08000000:leave -D in.bin");
  EXPECT_EQ(down.status, 0) << down.output;
  EXPECT_TRUE(std::equal(image.begin(), image.end(), device.memory().begin()));
  EXPECT_TRUE(eventually([&] { return !device.in_dfu_mode(); }));
}

TEST_F(TestbedTest, RealPaceMakesProgramsWait) {
  DfuDevice device;
  device.delay(proto::DfuRequest::GetStatus, 30ms);
  add(device, Pace::Real);
  serve();
  const Duration began = monotonic_clock();
  const Outcome down = run("dfu-util -a 0 -s 0x08000000 -U out.bin");
  EXPECT_EQ(down.status, 0) << down.output;
  // The first GETSTATUS alone: a lower bound holds on however busy a machine.
  EXPECT_GE(monotonic_clock() - began, 30ms);
}

TEST_F(TestbedTest, AnUnansweredTransferTimesOutInTheProgram) {
  DfuDevice device;
  device.delay(proto::DfuRequest::GetStatus, 1h);
  add(device, Pace::Real);
  serve();
  const Outcome down = run("dfu-util -a 0 -s 0x08000000 -U out.bin");
  EXPECT_NE(down.status, 0);
  EXPECT_THAT(down.output, HasSubstr("TIMEOUT")) << "libusb discards after dfu-util's 5 s";
}

TEST_F(TestbedTest, SeveralDevicesAreToldApart) {
  DfuDevice first({.serial = "111111111111"});
  DfuDevice second({.serial = "222222222222"});
  add(first);
  add(second);
  serve();
  const Bytes image = write_image("in.bin", 2048);
  const Outcome down = run("dfu-util -S 222222222222 -a 0 -s 0x08000000 -D in.bin");
  EXPECT_EQ(down.status, 0) << down.output;
  EXPECT_TRUE(std::equal(image.begin(), image.end(), second.memory().begin()));
  EXPECT_EQ(first.memory(), Bytes(64 * 1024, 0xFF));
  EXPECT_THAT(run("dfu-util -p 1-1 -l").output, HasSubstr("111111111111"));
}

TEST_F(TestbedTest, UnpluggedDeviceIsNotListed) {
  DfuDevice device;
  add(device);
  serve();
  {
    const std::scoped_lock lock(loop_.mutex());
    testbed_->port("1-1").set_vbus(false);
  }
  loop_.wake();
  EXPECT_TRUE(eventually([&] { return testbed_->device_number("1-1") == 0; }));
  EXPECT_THAT(run("dfu-util -l").output, testing::Not(HasSubstr("Found DFU")));
}

TEST(TestbedPath, TooLongForASocketIsSaidAtOnce) {
  Loop loop;
  const auto testbed = Testbed::create(loop, "/tmp/" + std::string(90, 'x'));
  ASSERT_FALSE(testbed);
  EXPECT_EQ(testbed.error().code, Errc::FileUnwritable);
  EXPECT_THAT(testbed.error().detail, HasSubstr("too long"));
  EXPECT_FALSE(fs::exists("/tmp/" + std::string(90, 'x')));
}

}  // namespace
}  // namespace sureflash::sim
