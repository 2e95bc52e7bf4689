// Goal: the libusb transport lists, opens, drives and follows devices, and names what is in the
// way. Method: real libusb on a testbed that this program serves itself from another thread (see
// preload.cpp); the devices are small strict DFU devices, looked at directly afterwards.
#include "sureflash/transport/libusb/transport.hpp"

#include <cstdlib>
#include <filesystem>
#include <unistd.h>

#include "testbed_fixture.hpp"
#include <gmock/gmock.h>
#include <sys/wait.h>

namespace sureflash::transport {
namespace {

using sim::DfuDevice;
using testing::HasSubstr;

class LibusbTransportTest : public TestbedFixture {
 protected:
  /// DFU_GETSTATUS and the like, on interface 0.
  static Answer request(Transport& transport, std::uint8_t type, proto::DfuRequest request,
                        ByteSpan in = {}, ByteView out = {}, Duration timeout = 20s) {
    const auto length = static_cast<std::uint16_t>(in.size() + out.size());
    return transport.perform(ControlTransfer{
        {type, static_cast<std::uint8_t>(request), 0, 0, length}, out, in, timeout});
  }
};

TEST_F(LibusbTransportTest, ListTellsWhatADeviceIs) {
  DfuDevice device({.layouts = {"@Internal Flash  /0x08000000/64*001Kg",
                                "@Option Bytes  /0x1FFFF800/01*016 e"}});
  DfuDevice application({.run_time = true, .serial = "A"});
  add(device);
  add(application);
  serve();
  const auto found = list();
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 2U);
  const DeviceInfo& rom = found->front();
  EXPECT_EQ(rom.port_path, "1-1");
  EXPECT_EQ(rom.node, "/dev/bus/usb/001/002");
  EXPECT_EQ(rom.vendor_id, 0x0483);
  EXPECT_EQ(rom.product_id, 0xDF11);
  EXPECT_EQ(rom.bcd_device, 0x2200);
  EXPECT_EQ(rom.serial, "357938513431");
  EXPECT_EQ(rom.product, "STM32  BOOTLOADER");
  EXPECT_EQ(rom.access, Io::Ok);
  EXPECT_FALSE(rom.run_time());
  ASSERT_EQ(rom.interfaces.size(), 1U);
  ASSERT_EQ(rom.interfaces[0].alt_settings.size(), 2U);
  EXPECT_EQ(rom.interfaces[0].alt_settings[1].name, "@Option Bytes  /0x1FFFF800/01*016 e");
  EXPECT_TRUE((*found)[1].run_time());
  EXPECT_EQ((*found)[1].product_id, 0x5740);
}

TEST_F(LibusbTransportTest, OpenWantsExactlyOneThatFits) {
  DfuDevice first({.serial = "111111111111"});
  DfuDevice second({.serial = "222222222222"});
  add(first);
  add(second);
  serve();
  const auto several = LibusbTransport::open({});
  ASSERT_FALSE(several);
  EXPECT_EQ(several.error().code, Errc::SeveralDevices);
  EXPECT_EQ(several.error().detail, "at ports 1-1, 1-2");
  const auto none = LibusbTransport::open({.product_id = 0x1234});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::NoDevice);
  const auto by_serial = LibusbTransport::open({.serial = "222222222222"});
  ASSERT_TRUE(by_serial) << message(by_serial.error());
  EXPECT_EQ((*by_serial)->info().port_path, "1-2");
  const auto by_port = LibusbTransport::open({.port_path = "1-1"});
  ASSERT_TRUE(by_port);
  EXPECT_EQ((*by_port)->info().serial, "111111111111");
}

TEST_F(LibusbTransportTest, SecondProgramIsToldWhoHoldsTheDevice) {
  DfuDevice device;
  add(device);
  serve();
  // A child of ours opens it and waits: somebody else, for /proc.
  int ready[2], finish[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(finish), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::close(finish[1]);
    const auto mine = LibusbTransport::open({});
    char byte = mine ? 'y' : 'n';
    [[maybe_unused]] auto done = ::write(ready[1], &byte, 1);
    done = ::read(finish[0], &byte, 1);
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_EQ(byte, 'y');
  const auto second = LibusbTransport::open({});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::DeviceBusy);
  EXPECT_THAT(second.error().detail, HasSubstr("(pid " + std::to_string(child) + ")"));
  ::close(finish[1]);
  ::waitpid(child, nullptr, 0);
  for (const int fd : {ready[0], ready[1], finish[0]}) ::close(fd);
  EXPECT_TRUE(LibusbTransport::open({})) << "free again";
}

TEST_F(LibusbTransportTest, AnswersOfTheDeviceArriveAsTheyAre) {
  DfuDevice device;
  add(device);
  serve();
  auto transport = LibusbTransport::open({});
  ASSERT_TRUE(transport) << message(transport.error());
  Bytes status(6);
  const Answer ok = request(**transport, 0xA1, proto::DfuRequest::GetStatus, status);
  EXPECT_EQ(ok.io, Io::Ok);
  EXPECT_EQ(ok.actual, 6U);
  EXPECT_EQ(status, (Bytes{0, 0, 0, 0, 2, 0}));
  const Answer stall = request(**transport, 0x21, proto::DfuRequest::ClrStatus);
  EXPECT_EQ(stall.io, Io::Stall);
  EXPECT_EQ((*transport)->perform(SelectAltSetting{0, 0}).io, Io::Ok);
  EXPECT_EQ((*transport)->perform(SelectAltSetting{0, 5}).io, Io::Unsupported);
}

TEST_F(LibusbTransportTest, TimeoutIsTheStepsOwn) {
  DfuDevice device;
  device.delay(proto::DfuRequest::GetStatus, 1h);
  add(device, sim::Pace::Real);
  serve();
  auto transport = LibusbTransport::open({});
  ASSERT_TRUE(transport);
  Bytes status(6);
  EXPECT_EQ(request(**transport, 0xA1, proto::DfuRequest::GetStatus, status, {}, 50ms).io,
            Io::Timeout);
}

TEST_F(LibusbTransportTest, UnpluggedDeviceIsDisconnectedAndFoundAgainAtItsPort) {
  DfuDevice device;
  add(device);
  serve();
  auto transport = LibusbTransport::open({});
  ASSERT_TRUE(transport);
  const auto plug = [&](bool on) {
    const std::scoped_lock lock(loop_.mutex());
    testbed_->port("1-1").set_vbus(on);
    loop_.wake();
  };
  Bytes status(6);
  plug(false);
  Answer answer;
  do {  // until the hub driver has noticed
    answer = request(**transport, 0xA1, proto::DfuRequest::GetStatus, status);
  } while (answer.io == Io::Ok);
  EXPECT_EQ(answer.io, Io::Disconnected);
  EXPECT_EQ((*transport)->perform(AwaitReturn{50ms}).io, Io::Timeout);
  plug(true);
  EXPECT_EQ((*transport)->perform(AwaitReturn{20s}).io, Io::Ok);
  EXPECT_EQ(request(**transport, 0xA1, proto::DfuRequest::GetStatus, status).io, Io::Ok);
}

TEST_F(LibusbTransportTest, RunTimeDeviceIsDetachedAndFoundInDfuMode) {
  DfuDevice device({.run_time = true});
  DfuDevice bystander;
  add(device);
  add(bystander);
  serve();
  auto transport = LibusbTransport::open({.product_id = 0x5740});
  ASSERT_TRUE(transport) << message(transport.error());
  EXPECT_EQ(request(**transport, 0x21, proto::DfuRequest::Detach).io, Io::Ok);
  EXPECT_EQ((*transport)->perform(AwaitReturn{20s}).io, Io::Ok);
  Bytes descriptor(18);
  EXPECT_EQ((*transport)->perform(ControlTransfer{{0x80, 6, 0x0100, 0, 18}, {}, descriptor, 5s}).io,
            Io::Ok);
  EXPECT_EQ(load_le16(descriptor, 10), 0xDF11);
}

TEST_F(LibusbTransportTest, BusResetKeepsTheDevice) {
  DfuDevice device;
  add(device);
  serve();
  auto transport = LibusbTransport::open({});
  ASSERT_TRUE(transport);
  EXPECT_EQ((*transport)->perform(BusReset{}).io, Io::Ok);
  Bytes status(6);
  EXPECT_EQ(request(**transport, 0xA1, proto::DfuRequest::GetStatus, status).io, Io::Ok);
}

TEST(Choose, DeniedDeviceIsNamedByItsNode) {
  DeviceInfo device;
  device.node = "/dev/bus/usb/003/007";
  device.access = Io::Denied;
  const auto result = choose({device}, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::PermissionDenied);
  EXPECT_EQ(result.error().where.name, "/dev/bus/usb/003/007");
  const auto by_serial = choose({device}, {.serial = "X"});
  ASSERT_FALSE(by_serial);
  EXPECT_EQ(by_serial.error().code, Errc::PermissionDenied) << "its serial number cannot be read";
}

}  // namespace
}  // namespace sureflash::transport
