// Goal: bulk and interrupt transfers end as a host controller ends them, and an endpoint that NAKs
// holds up nobody. Method: a serial port that echoes, in a port whose wall clock only the test
// moves; what is expected is what USB 2.0, 5.8 and 5.7, say of short packets, stalls and babble.
#include "sureflash/sim/export/endpoint_queues.hpp"

#include <gtest/gtest.h>

#include "sureflash/sim/export/host_port.hpp"
#include "sureflash/sim/export_test/cdc_device.hpp"

namespace sureflash::sim {
namespace {

class EndpointQueuesTest : public testing::TestWithParam<Pace> {
 protected:
  EndpointQueuesTest() : port_(device_, GetParam(), [this] { return wall_; }) {
    while (port_.identity() == nullptr) pass(5ms);
  }
  void pass(Duration duration) {
    for (const Duration end = wall_ + duration; wall_ < end; wall_ += 1ms) port_.tick();
  }
  bool done(const Transfer& transfer) const { return transfer.due <= wall_; }
  void finish(const Transfer& transfer) {
    for (int ms = 0; ms < 10000 && !done(transfer); ++ms) pass(1ms);
    ASSERT_TRUE(done(transfer));
  }
  std::shared_ptr<Transfer> submit(std::uint8_t endpoint, Bytes data, bool zero_packet = false) {
    auto transfer = std::make_shared<Transfer>();
    transfer->endpoint = endpoint;
    transfer->data = std::move(data);
    transfer->zero_packet = zero_packet;
    port_.submit(transfer);
    return transfer;
  }
  std::shared_ptr<Transfer> read(std::size_t length) {
    return submit(CdcDevice::kIn, Bytes(length));
  }
  static Bytes pattern(std::size_t length) {
    Bytes bytes(length);
    for (std::size_t i = 0; i < length; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
    return bytes;
  }
  static Bytes bytes_of(const Transfer& t) { return {t.received().begin(), t.received().end()}; }

  CdcDevice device_;
  Duration wall_ = 1000s;
  HostPort port_;
};

INSTANTIATE_TEST_SUITE_P(Pace, EndpointQueuesTest, testing::Values(Pace::Fast, Pace::Real),
                         [](const auto& i) { return i.param == Pace::Fast ? "Fast" : "Real"; });

TEST_P(EndpointQueuesTest, WhatIsSentComesBackInPacketsAndAShortOneEndsTheTransfer) {
  const Bytes data = pattern(1000);
  const auto in = read(4096);
  const auto out = submit(CdcDevice::kOut, data);
  finish(*out);
  finish(*in);
  EXPECT_EQ(out->completion, (Completion{Handshake::Ack, 1000}));
  EXPECT_EQ(in->completion, (Completion{Handshake::Ack, 1000}));
  EXPECT_EQ(bytes_of(*in), data);
  EXPECT_EQ(device_.received().size(), 16U) << "15 full packets and one of 40 bytes";
}

TEST_P(EndpointQueuesTest, FullTransferEndsWithoutAShortPacket) {
  device_.to_host() = {pattern(64), pattern(64), pattern(64)};
  const auto first = read(128);
  const auto second = read(64);
  finish(*second);
  EXPECT_EQ(first->completion, (Completion{Handshake::Ack, 128}));
  EXPECT_EQ(second->completion, (Completion{Handshake::Ack, 64}));
}

TEST_P(EndpointQueuesTest, EmptyPacketsAreTransfersToo) {
  device_.to_host() = {pattern(64), Bytes{}, Bytes{}};
  const auto long_one = read(4096);
  const auto empty = read(64);
  finish(*empty);
  EXPECT_EQ(long_one->completion, (Completion{Handshake::Ack, 64}));
  EXPECT_EQ(empty->completion, (Completion{Handshake::Ack, 0}));
  finish(*submit(CdcDevice::kOut, {}));
  EXPECT_EQ(device_.received(), std::deque<Bytes>{Bytes{}});
}

TEST_P(EndpointQueuesTest, EmptyPacketFollowsOnlyAFullLastOneAndOnlyIfAskedFor) {
  for (const auto& [length, asked, packets] :
       {std::tuple{128U, true, 3U}, {128U, false, 2U}, {100U, true, 2U}, {0U, true, 1U}}) {
    const std::size_t before = device_.received().size();
    const auto out = submit(CdcDevice::kOut, pattern(length), asked);
    finish(*out);
    EXPECT_EQ(out->completion, (Completion{Handshake::Ack, length}));
    EXPECT_EQ(device_.received().size() - before, packets) << length << " " << asked;
  }
}

TEST_P(EndpointQueuesTest, SeveralTransfersOfAnEndpointKeepTheirOrder) {
  std::vector<std::shared_ptr<Transfer>> reads;
  for (int i = 0; i < 8; ++i) reads.push_back(read(64));
  pass(20ms);
  for (int i = 0; i < 8; ++i)
    finish(*submit(CdcDevice::kOut, Bytes(5, static_cast<std::uint8_t>(i))));
  for (int i = 0; i < 8; ++i) {
    finish(*reads[static_cast<std::size_t>(i)]);
    EXPECT_EQ(bytes_of(*reads[static_cast<std::size_t>(i)]),
              Bytes(5, static_cast<std::uint8_t>(i)));
  }
}

TEST_P(EndpointQueuesTest, EndpointThatNaksHoldsUpNobody) {
  const auto in = read(64);
  const auto notify = submit(CdcDevice::kNotify, Bytes(8));
  pass(100ms);
  Bytes reply(2);
  const auto status = port_.control({0x80, 0, 0, 0, 2}, {}, reply, 1s);
  EXPECT_EQ(status.completion.handshake, Handshake::Ack);
  EXPECT_LE(status.due, wall_ + 5ms);
  device_.echo(false);
  finish(*submit(CdcDevice::kOut, pattern(10)));
  EXPECT_FALSE(done(*in));
  EXPECT_FALSE(done(*notify));
}

TEST_P(EndpointQueuesTest, WaitingCostsTheDeviceNoTimeOfItsOwn) {
  const auto in = read(64);
  const Duration before = device_.now();
  pass(1s);
  EXPECT_LE(device_.now() - before, 1200ms) << "the device ages with the wall clock";
  EXPECT_FALSE(done(*in));
}

TEST_P(EndpointQueuesTest, InterruptEndpointIsAskedOncePerInterval) {
  const auto notify = submit(CdcDevice::kNotify, Bytes(8));
  pass(160ms);
  EXPECT_GE(device_.notify_polls(), 8U);
  EXPECT_LE(device_.notify_polls(), 11U) << "bInterval is 16 ms";
  device_.notifications() = {pattern(5)};
  finish(*notify);
  EXPECT_EQ(bytes_of(*notify), pattern(5));
}

TEST_P(EndpointQueuesTest, StallIsReportedAndEndsWithClearFeature) {
  device_.halt(CdcDevice::kOut);
  const auto refused = submit(CdcDevice::kOut, pattern(10));
  finish(*refused);
  EXPECT_EQ(refused->completion, (Completion{Handshake::Stall, 0}));
  port_.control({0x02, 1, 0, CdcDevice::kOut, 0}, {}, {}, 1s);
  pass(10ms);
  const auto taken = submit(CdcDevice::kOut, pattern(10));
  finish(*taken);
  EXPECT_EQ(taken->completion, (Completion{Handshake::Ack, 10}));
}

TEST_P(EndpointQueuesTest, MoreThanThereIsRoomForIsBabble) {
  device_.to_host() = {pattern(64)};
  const auto in = read(10);
  finish(*in);
  EXPECT_EQ(in->completion, (Completion{Handshake::Babble, 10}));
}

TEST_P(EndpointQueuesTest, TransferTakenBackKeepsWhatHasMoved) {
  device_.to_host() = {pattern(64)};
  const auto in = read(4096);
  pass(50ms);
  EXPECT_FALSE(done(*in)) << "a full packet does not end it";
  port_.cancel(*in);
  EXPECT_EQ(bytes_of(*in), pattern(64));
  device_.to_host() = {pattern(3)};
  pass(50ms);
  EXPECT_EQ(device_.to_host().size(), 1U) << "nobody asks any more";
}

TEST_P(EndpointQueuesTest, EndpointThatTakesNothingWaitsAndGoesOnWhereItWas) {
  device_.accept(false);
  const auto out = submit(CdcDevice::kOut, pattern(200));
  pass(100ms);
  EXPECT_FALSE(done(*out));
  device_.accept(true);
  finish(*out);
  EXPECT_EQ(out->completion, (Completion{Handshake::Ack, 200}));
  EXPECT_EQ(device_.received().size(), 4U);
}

TEST_P(EndpointQueuesTest, OnlyEndpointsOfTheDescriptorAreThere) {
  EXPECT_NE(port_.endpoint(0x81), nullptr);
  EXPECT_EQ(port_.endpoint(0x02), nullptr) << "82 is IN only";
  EXPECT_EQ(port_.endpoint(0x83), nullptr);
  EXPECT_EQ(port_.endpoint(0), nullptr);
}

TEST_P(EndpointQueuesTest, TransfersOfADeviceThatHasLeftNeverEnd) {
  const auto in = read(64);
  pass(5ms);
  port_.set_vbus(false);
  pass(50ms);
  EXPECT_EQ(port_.identity(), nullptr);
  EXPECT_FALSE(done(*in)) << "whoever waits is told that the device left";
}

TEST(EndpointQueuesReal, BytesTakeTheirTimeOnTheBus) {
  CdcDevice device;
  Duration wall = 1s;
  HostPort port(device, Pace::Real, [&] { return wall; });
  while (port.identity() == nullptr) port.tick(), wall += 1ms;
  auto out = std::make_shared<Transfer>();
  out->endpoint = CdcDevice::kOut;
  out->data = Bytes(6400);
  port.submit(out);
  const Duration began = wall;
  while (out->due > wall) port.tick(), wall += 100us;
  EXPECT_GE(wall - began, 100 * 53us);
  EXPECT_LE(wall - began, 100 * 53us + 5ms);
}

TEST(ReadInterfaces, LyingDescriptorsAreReadAsFarAsTheyGo) {
  const Bytes interface { 9, 4, 0, 0, 1, 0xFF, 0, 0, 0 };
  const auto with = [&](Bytes more) {
    Bytes all{9, 2, 0, 0, 1, 1, 0, 0x80, 50};
    all.insert(all.end(), interface.begin(), interface.end());
    all.insert(all.end(), more.begin(), more.end());
    return read_interfaces(all);
  };
  EXPECT_EQ(with({7, 5, 0x81, 2, 64, 0, 0})[0].endpoints.size(), 1U);
  EXPECT_EQ(with({7, 5, 0x81, 2, 64, 0})[0].endpoints.size(), 0U) << "cut off";
  EXPECT_EQ(with({6, 5, 0x81, 2, 64, 0})[0].endpoints.size(), 0U) << "too short";
  EXPECT_EQ(with({7, 5, 0x81, 2, 0, 0, 0})[0].endpoints.size(), 0U) << "packets of no bytes";
  EXPECT_EQ(with({0, 5, 7, 5, 0x81, 2, 64, 0, 0})[0].endpoints.size(), 0U) << "length 0";
  EXPECT_TRUE(read_interfaces(Bytes{7, 5, 0x81, 2, 64, 0, 0}).empty()) << "endpoint of nothing";
}

}  // namespace
}  // namespace sureflash::sim
