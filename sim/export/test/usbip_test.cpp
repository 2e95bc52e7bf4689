// Goal: USB/IP clients get what Documentation/usb/usbip_protocol.rst promises, and no bytes of a
// client do harm. Method: sessions fed with hand-written packets, replies compared byte by byte; a
// clock under control for transfers that are taken back; random bytes; and Debian's own `usbip
// list` over a socket.
#include "sureflash/sim/export/usbip.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <random>

#include <gmock/gmock.h>

#include "sureflash/sim/export_test/cdc_device.hpp"
#include "sureflash/sim/export_test/dfu_device.hpp"

namespace sureflash::sim {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Bytes be(std::initializer_list<std::uint32_t> words) {
  Bytes bytes;
  for (const std::uint32_t w : words) {
    for (int shift = 24; shift >= 0; shift -= 8)
      bytes.push_back(static_cast<std::uint8_t>(w >> shift));
  }
  return bytes;
}

Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

Bytes import_request(std::string bus_id) {
  bus_id.resize(32, '\0');
  return be({0x01118003, 0}) + Bytes(bus_id.begin(), bus_id.end());
}

/// USBIP_CMD_SUBMIT of GETSTATUS: 6 bytes IN.
Bytes get_status(std::uint32_t sequence) {
  return be({1, sequence, 0x00010003, 1, 0, 0x200, 6, 0, 0xFFFFFFFF, 0}) +
         Bytes{0xA1, 3, 0, 0, 0, 0, 6, 0};
}

/// GET_STATUS of the device: 2 bytes IN.
Bytes get_device_status(std::uint32_t sequence) {
  return be({1, sequence, 0x00010003, 1, 0, 0, 2, 0, 0xFFFFFFFF, 0}) +
         Bytes{0x80, 0, 0, 0, 0, 0, 2, 0};
}

class UsbipSessionTest : public testing::Test {
 protected:
  UsbipSessionTest() : port_(device_, Pace::Real, [this] { return wall_; }) {
    while (port_.identity() == nullptr) pass(10ms);
    devices_["1-1"] = {"1-1", 3, &port_};
  }
  void pass(Duration duration) {
    wall_ += duration;
    port_.tick();
    session_.tick();
  }
  Bytes ask(const Bytes& request) {
    session_.feed(request);
    session_.tick();
    return std::exchange(session_.output(), {});
  }

  DfuDevice device_;
  Duration wall_{};
  HostPort port_;
  UsbipSession::Devices devices_;
  UsbipSession session_{devices_};
};

TEST_F(UsbipSessionTest, ListNamesTheDeviceAndItsInterface) {
  const Bytes reply = ask(be({0x01118005, 0}));
  ASSERT_EQ(reply.size(), 12U + 312 + 4);
  EXPECT_EQ(Bytes(reply.begin(), reply.begin() + 12), be({0x01110005, 0, 1}));
  EXPECT_STREQ(reinterpret_cast<const char*>(reply.data() + 12 + 256), "1-1");
  EXPECT_EQ(Bytes(reply.begin() + 12 + 288, reply.end()),
            be({1, 3, 2, 0x0483DF11, 0x22000000, 0x00010101, 0xFE010200}));
  EXPECT_TRUE(session_.finished());
}

TEST_F(UsbipSessionTest, ImportedDeviceIsNeitherListedNorImportedTwice) {
  EXPECT_EQ(ask(import_request("1-1")).size(), 8U + 312);
  UsbipSession second(devices_);
  second.feed(be({0x01118005, 0}));
  EXPECT_EQ(second.output(), be({0x01110005, 0, 0}));
  UsbipSession third(devices_);
  third.feed(import_request("1-1"));
  EXPECT_EQ(third.output(), be({0x01110003, 2}));
  EXPECT_TRUE(third.finished());
}

TEST_F(UsbipSessionTest, ImportOfAnUnknownDevice) {
  EXPECT_EQ(ask(import_request("9-9")), be({0x01110003, 4}));
}

TEST_F(UsbipSessionTest, TransferIsAnsweredWhenItIsDue) {
  ask(import_request("1-1"));
  EXPECT_EQ(ask(get_status(7)), Bytes{});
  pass(1ms);
  const Bytes data{0, 0, 0, 0, 2, 0};
  EXPECT_EQ(session_.output(), be({3, 7, 0, 0, 0, 0, 6, 0, 0xFFFFFFFF, 0, 0, 0}) + data);
}

TEST_F(UsbipSessionTest, StallIsBrokenPipe) {
  ask(import_request("1-1"));
  ask(be({1, 8, 0x00010003, 0, 0, 0, 0, 0, 0, 0}) + Bytes{0x21, 4, 0, 0, 0, 0, 0, 0});
  pass(1ms);
  EXPECT_EQ(session_.output(),
            be({3, 8, 0, 0, 0, static_cast<std::uint32_t>(-EPIPE), 0, 0, 0xFFFFFFFF, 0, 0, 0}));
}

TEST_F(UsbipSessionTest, UnlinkTakesBackWhatIsPendingAndOnlyThat) {
  device_.delay(proto::DfuRequest::GetStatus, 1s);
  ask(import_request("1-1"));
  ask(get_status(5));
  pass(10ms);
  EXPECT_EQ(ask(be({2, 6, 0x00010003, 1, 0, 5}) + Bytes(24)),
            be({4, 6, 0, 0, 0, static_cast<std::uint32_t>(-ECONNRESET)}) + Bytes(24));
  pass(2s);
  EXPECT_EQ(session_.output(), Bytes{}) << "no answer to a transfer that was taken back";
  EXPECT_EQ(ask(be({2, 9, 0x00010003, 1, 0, 5}) + Bytes(24)), be({4, 9, 0, 0, 0, 0}) + Bytes(24));
}

TEST_F(UsbipSessionTest, PiecesOfAMessageArePutTogether) {
  for (const std::uint8_t byte : import_request("1-1")) session_.feed({&byte, 1});
  EXPECT_EQ(session_.output().size(), 8U + 312);
}

TEST_F(UsbipSessionTest, DeviceThatLeavesEndsTheConnection) {
  ask(import_request("1-1"));
  session_.device_left(devices_["1-1"]);
  EXPECT_TRUE(session_.finished());
}

TEST_F(UsbipSessionTest, AbsurdMessagesEndTheConnection) {
  const std::array<Bytes, 5> messages{
      be({0x01108005, 0}),                                                        // another version
      be({0x01110005, 0}),                                                        // a reply
      import_request("1-1") + be({1, 1, 0, 0, 0, 0, 0x7FFFFFFF, 0, 0, 0, 0, 0}),  // 2 GiB of data
      import_request("1-1") + be({1, 1, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0}),           // isochronous
      import_request("1-1") + be({9, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}),           // no such command
  };
  for (const Bytes& message : messages) {
    UsbipSession session(devices_);
    session.feed(message);
    EXPECT_TRUE(session.finished());
  }
}

TEST_F(UsbipSessionTest, SetupThatContradictsTheTransferIsInvalid) {
  ask(import_request("1-1"));
  // wLength 6, but a buffer of 2; IN setup as OUT transfer; endpoint 1.
  const Bytes setup{0xA1, 3, 0, 0, 0, 0, 6, 0};
  for (const auto& header : {be({1, 1, 0, 1, 0, 0, 2, 0, 0, 0}), be({1, 1, 0, 0, 0, 0, 0, 0, 0, 0}),
                             be({1, 1, 0, 1, 1, 0, 6, 0, 0, 0})}) {
    const Bytes reply = ask(header + setup);
    ASSERT_EQ(reply.size(), 48U);
    EXPECT_EQ(Bytes(reply.begin() + 20, reply.begin() + 24),
              be({static_cast<std::uint32_t>(-EINVAL)}));
  }
}

TEST_F(UsbipSessionTest, RandomBytesDoNoHarm) {
  constexpr unsigned kSeed = 20240611;
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  for (int round = 0; round < 2000; ++round) {
    UsbipSession session(devices_);
    if (round % 2 == 0) session.feed(import_request("1-1"));
    Bytes noise = round % 3 == 0 ? get_status(1) + get_status(2) : Bytes(200);
    for (auto& byte : noise) {
      if (random() % 16 == 0) byte = static_cast<std::uint8_t>(random());
    }
    session.feed(noise);
    session.tick();
    EXPECT_LE(session.output().size(), 4096U);
  }
}

/// A serial port that echoes. Expected bytes: the tables of usbip_protocol.rst.
class UsbipEndpointTest : public testing::Test {
 protected:
  UsbipEndpointTest() : port_(device_, Pace::Real, [this] { return wall_; }) {
    while (port_.identity() == nullptr) pass(10ms);
    devices_["1-1"] = {"1-1", 3, &port_};
    ask(import_request("1-1"));
  }
  void pass(Duration duration) {
    for (const Duration end = wall_ + duration; wall_ < end; wall_ += 1ms) {
      port_.tick();
      session_.tick();
    }
  }
  Bytes ask(const Bytes& request, Duration wait = 0s) {
    session_.feed(request);
    session_.tick();
    pass(wait);
    return std::exchange(session_.output(), {});
  }
  static Bytes submit_in(std::uint32_t sequence, std::uint32_t endpoint, std::uint32_t length,
                         std::uint32_t flags = 0) {
    return be({1, sequence, 0x00010003, 1, endpoint, flags, length, 0, 0xFFFFFFFF, 0, 0, 0});
  }
  static Bytes submit_out(std::uint32_t sequence, const Bytes& data, std::uint32_t flags = 0) {
    return be({1, sequence, 0x00010003, 0, 1, flags, static_cast<std::uint32_t>(data.size()), 0,
               0xFFFFFFFF, 0, 0, 0}) +
           data;
  }
  static Bytes returned(std::uint32_t sequence, int status, std::uint32_t actual) {
    return be(
        {3, sequence, 0, 0, 0, static_cast<std::uint32_t>(status), actual, 0, 0xFFFFFFFF, 0, 0, 0});
  }

  CdcDevice device_;
  Duration wall_{};
  HostPort port_;
  UsbipSession::Devices devices_;
  UsbipSession session_{devices_};
};

TEST_F(UsbipEndpointTest, ReadsWaitInOrderWhileOthersGoOn) {
  EXPECT_EQ(ask(submit_in(1, 1, 64) + submit_in(2, 1, 64) + submit_in(3, 2, 8), 50ms), Bytes{});
  EXPECT_EQ(ask(get_device_status(4), 5ms), returned(4, 0, 2) + (Bytes{0, 0}));
  EXPECT_EQ(ask(submit_out(5, {7, 8}), 5ms), returned(1, 0, 2) + (Bytes{7, 8}) + returned(5, 0, 2));
  EXPECT_EQ(ask(submit_out(6, {9}), 5ms), returned(2, 0, 1) + Bytes{9} + returned(6, 0, 1));
  device_.notifications() = {Bytes{1}};
  pass(40ms);
  EXPECT_EQ(session_.output(), returned(3, 0, 1) + Bytes{1});
}

TEST_F(UsbipEndpointTest, UnlinkTakesBackARead) {
  ask(submit_in(1, 1, 64) + submit_in(2, 1, 64), 10ms);
  EXPECT_EQ(ask(be({2, 3, 0x00010003, 1, 1, 1}) + Bytes(24)),
            be({4, 3, 0, 0, 0, static_cast<std::uint32_t>(-ECONNRESET)}) + Bytes(24));
  EXPECT_EQ(ask(submit_out(4, {5}), 5ms), returned(2, 0, 1) + Bytes{5} + returned(4, 0, 1))
      << "the one behind it gets the byte";
}

TEST_F(UsbipEndpointTest, StallShortPacketAndZeroPacket) {
  device_.halt(CdcDevice::kIn);
  EXPECT_EQ(ask(submit_in(1, 1, 64), 5ms), returned(1, -EPIPE, 0));
  const Bytes clear_halt{0x02, 1, 0, 0, 0x81, 0, 0, 0};
  EXPECT_EQ(ask(be({1, 2, 0x00010003, 0, 0, 0, 0, 0, 0, 0}) + clear_halt, 5ms), returned(2, 0, 0));
  device_.to_host() = {Bytes{1, 2}};
  constexpr std::uint32_t kShortNotOk = 1, kZeroPacket = 0x40;
  EXPECT_EQ(ask(submit_in(3, 1, 64, kShortNotOk), 5ms), returned(3, -EREMOTEIO, 2) + (Bytes{1, 2}));
  device_.echo(false);
  EXPECT_EQ(ask(submit_out(4, Bytes(64), kZeroPacket), 5ms), returned(4, 0, 64));
  EXPECT_EQ(device_.received().size(), 2U);
  EXPECT_EQ(ask(submit_out(5, {}), 5ms), returned(5, 0, 0));
}

TEST_F(UsbipEndpointTest, EndpointsThatAreNotThereAreInvalid) {
  EXPECT_EQ(ask(submit_in(1, 3, 64), 1ms), returned(1, -EINVAL, 0));
  EXPECT_EQ(ask(submit_in(2, 0x101, 64), 1ms), returned(2, -EINVAL, 0));
}

TEST_F(UsbipEndpointTest, BuffersThatWaitAreBounded) {
  for (std::uint32_t i = 0; i < 4; ++i) ask(submit_in(i, 1, 1 << 20));
  EXPECT_FALSE(session_.finished());
  ask(submit_in(9, 1, 1));
  EXPECT_TRUE(session_.finished());
}

TEST_F(UsbipEndpointTest, ClientThatGoesAwayLeavesNothingBehind) {
  {
    UsbipSession::Devices devices{{"1-1", {"1-1", 3, &port_}}};
    UsbipSession session(devices);
    session.feed(import_request("1-1") + submit_in(1, 1, 64));
    pass(5ms);
  }
  device_.to_host() = {Bytes{1}};
  pass(20ms);
  EXPECT_EQ(device_.to_host().size(), 1U) << "nobody reads";
}

TEST(UsbipServer, DebiansClientListsTheDevice) {
  Loop loop;
  auto server = UsbipServer::create(loop, {.tcp_port = 0});
  ASSERT_TRUE(server) << message(server.error());
  DfuDevice device;
  const std::string bus_id = (*server)->add(device, Pace::Fast);
  while ((*server)->port(bus_id).identity() == nullptr) loop.run_once(1ms);
  const LoopThread thread(loop);
  const std::string command = "PATH=$PATH:/usr/sbin usbip --tcp-port " +
                              std::to_string((*server)->tcp_port()) + " list -r 127.0.0.1 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");
  std::string output;
  std::array<char, 4096> buffer{};
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), got);
  }
  EXPECT_EQ(::pclose(pipe), 0) << output;
  EXPECT_THAT(output, HasSubstr("1-1:"));
  EXPECT_THAT(output, HasSubstr("(0483:df11)"));
  EXPECT_THAT(output, HasSubstr("(fe/01/02)"));
}

TEST(UsbipServer, TakenPortIsSaid) {
  Loop loop;
  auto first = UsbipServer::create(loop, {.tcp_port = 0});
  ASSERT_TRUE(first);
  const auto second = UsbipServer::create(loop, {.tcp_port = (*first)->tcp_port()});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::DeviceBusy);
}

}  // namespace
}  // namespace sureflash::sim
