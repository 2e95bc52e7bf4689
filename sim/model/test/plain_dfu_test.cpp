// Goal: the DFU 1.1 device and the run-time interface follow the specification, manifestation and
// detach in all their variants. Method: raw transfers along the state diagram; see strict_dfu_test
// for the single cells.

#include <algorithm>

#include "usb_host.hpp"

#include "sureflash/sim/model/strict_dfu.hpp"

namespace sureflash::sim {
namespace {

constexpr std::uint32_t kApplication = 0x08002000;

struct Plain : DeviceTest {
  void download(const Bytes& image) {
    std::uint16_t block = 0;
    for (std::size_t i = 0; i < image.size(); i += 1024, ++block) {
      const std::size_t size = std::min<std::size_t>(1024, image.size() - i);
      const auto begin = image.begin() + static_cast<std::ptrdiff_t>(i);
      ASSERT_EQ(host->command(block, Bytes(begin, begin + static_cast<std::ptrdiff_t>(size))),
                kDnloadIdle);
    }
  }
  static Bytes application(std::size_t size) {
    Bytes image;
    append_le32(image, 0x20010000);
    append_le32(image, kApplication + 0x101);
    while (image.size() < size) image.push_back(static_cast<std::uint8_t>(image.size() * 3));
    return image;
  }
};

TEST_F(Plain, FunctionalDescriptorSaysWhatItIs) {
  open("dfu11");
  host->in(0x81, 6, 0x2100, 0, 9);
  EXPECT_EQ(host->data, (Bytes{9, 0x21, 0x0B, 0xE8, 0x03, 0x00, 0x04, 0x10, 0x01}));
  open("dfu11,tolerant=1,detach=reset");
  host->in(0x81, 6, 0x2100, 0, 9);
  EXPECT_EQ(host->data[2], 0x07);
}

TEST_F(Plain, DownloadIntolerantWaitsForAResetAndRuns) {
  open("dfu11");
  const Bytes image = application(3001);
  download(image);
  ASSERT_EQ(host->dnload(3, {}).handshake, Handshake::Ack);
  EXPECT_EQ(host->poll(), std::pair(0, 7));
  EXPECT_EQ(host->poll_ms, 10U);
  host->wait(11ms);
  host->timeout = 50ms;
  EXPECT_EQ(host->get_status().handshake, Handshake::Timeout) << "dfuMANIFEST-WAIT-RESET";
  EXPECT_EQ(flash(kApplication, image.size()), image);
  host->usb().bus_reset();
  EXPECT_FALSE(host->usb().attached());
  EXPECT_EQ(device->running(), Running::Application);
}

TEST_F(Plain, DownloadTolerantReturnsToIdle) {
  open("dfu11,tolerant=1");
  download(application(2048));
  host->dnload(2, {});
  EXPECT_EQ(host->poll(), std::pair(0, 7));
  host->wait(11ms);
  EXPECT_EQ(host->poll(), std::pair(0, 2));
  EXPECT_EQ(host->upload(0, 1024).actual, 1024U);
  EXPECT_EQ(host->data, flash(kApplication, 1024));
}

TEST_F(Plain, AnImageThatCannotRunIsAFirmwareError) {
  open("dfu11");
  download(Bytes(1024, 0xFF));
  host->dnload(1, {});
  EXPECT_EQ(host->poll(), std::pair(10, 10));
  host->usb().bus_reset();
  EXPECT_TRUE(host->usb().attached());
  ASSERT_TRUE(host->enumerate());
}

TEST_F(Plain, WriteProtectionIsReported) {
  open("dfu11,wrp=4");
  EXPECT_EQ(host->command(0, Bytes(1024, 1)), std::pair(3, 10));
}

TEST_F(Plain, BlocksBehindTheEndAreRefused) {
  open("dfu11,flash=64");
  EXPECT_EQ(host->command(56, Bytes(1024, 1)), std::pair(8, 10));
}

TEST_F(Plain, UploadEndsWithAShortBlock) {
  open("dfu11,flash=64");
  EXPECT_EQ(host->upload(55, 1024).actual, 1024U);
  EXPECT_EQ(host->upload(56, 1024).actual, 0U);
  EXPECT_EQ(host->poll(), std::pair(0, 2));
}

TEST_F(Plain, PollingTooEarlyIsAnErrorOrHeld) {
  open("dfu11,poll=1");
  EXPECT_EQ(host->command(0, Bytes(1024, 1)).first, -1);
  EXPECT_EQ(host->poll(), std::pair(15, 10));
  open("dfu11,poll=1,held=1");
  EXPECT_EQ(host->command(0, Bytes(1024, 1)), kDnloadIdle);
}

TEST_F(Plain, RuntimeThatWillDetachLeavesByItself) {
  open("dfu11,runtime=1");
  host->in(0x80, 6, 0x0200, 0, 255);
  EXPECT_EQ(host->data, (Bytes{9, 2,    36,   0,    2,    1,    0,    0xC0, 50,  //
                               9, 4,    0,    0,    0,    0xFF, 0,    0,    0,   //
                               9, 4,    1,    0,    0,    0xFE, 1,    1,    4,   //
                               9, 0x21, 0x0B, 0xE8, 0x03, 0x00, 0x04, 0x10, 0x01}));
  host->interface = 1;
  EXPECT_EQ(host->detach(500).handshake, Handshake::Ack);
  EXPECT_TRUE(host->usb().attached()) << "the status stage comes first";
  host->wait(15ms);
  EXPECT_FALSE(host->usb().attached());
  ASSERT_TRUE(host->enumerate());
  host->interface = 0;
  EXPECT_EQ(host->poll(), std::pair(0, 2));
}

TEST_F(Plain, RuntimeThatWaitsForAResetIsThenAnotherDevice) {
  open("dfu11,runtime=1,detach=reset");
  const auto count = host->usb().attach_count();
  host->interface = 1;
  EXPECT_EQ(host->detach(500).handshake, Handshake::Ack);
  EXPECT_EQ(host->poll(), std::pair(0, 1));
  host->wait(100ms);
  EXPECT_TRUE(host->usb().attached());
  host->usb().bus_reset();
  ASSERT_TRUE(host->enumerate());
  EXPECT_EQ(host->usb().attach_count(), count + 1);
  host->interface = 0;
  EXPECT_EQ(host->poll(), std::pair(0, 2));
}

TEST_F(Plain, RuntimeGivesUpAfterTheTimeout) {
  open("dfu11,runtime=1,detach=reset");
  host->interface = 1;
  host->detach(100);
  host->wait(150ms);
  EXPECT_EQ(host->poll(), std::pair(0, 0));
  host->usb().bus_reset();
  host->enumerate();
  EXPECT_EQ(host->poll(), std::pair(0, 0)) << "a reset now is only a reset";
  host->detach(0xFFFF);
  host->wait(1100ms);
  EXPECT_EQ(host->poll(), std::pair(0, 0)) << "wDetachTimeOut is 1000 ms";
}

TEST_F(Plain, RuntimeStallsWhatBelongsToDfuMode) {
  open("dfu11,runtime=1,detach=reset");
  host->interface = 1;
  EXPECT_EQ(host->dnload(0, Bytes(4)).handshake, Handshake::Stall);
  EXPECT_EQ(host->upload(0, 4).handshake, Handshake::Stall);
  EXPECT_EQ(host->clr_status().handshake, Handshake::Stall);
  EXPECT_EQ(host->abort().handshake, Handshake::Stall);
  EXPECT_EQ(host->poll(), std::pair(0, 0));
  host->detach(500);
  EXPECT_EQ(host->abort().handshake, Handshake::Stall);
  EXPECT_EQ(host->poll(), std::pair(0, 0)) << "appDETACH ends with a stall";
}

}  // namespace
}  // namespace sureflash::sim
