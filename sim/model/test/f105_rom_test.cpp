// Goal: the F105 ROM model behaves as AN3156, AN2662, AN2606 and the captured descriptors say, each
// undocumented point in both positions of its switch.
// Method: raw control transfers against make_device(); expected bytes from the device log and the
// documents.

#include <algorithm>

#include "usb_host.hpp"

#include "sureflash/sim/model/dfuse_rom.hpp"

namespace sureflash::sim {
namespace {

constexpr std::uint32_t kBase = 0x08000000;

Bytes pattern(std::size_t size, unsigned seed = 1) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(mix64(seed) + i * 7);
  return bytes;
}

struct Rom : ::testing::Test {
  void open(std::string_view spec) {
    device.reset();
    device = make(spec);
    ASSERT_TRUE(device);
    host = std::make_unique<Host>(*device);
    ASSERT_TRUE(host->enumerate());
  }
  Bytes flash(std::uint32_t address, std::size_t size) {
    Bytes bytes(size);
    EXPECT_TRUE(device->chip().read(address, bytes));
    return bytes;
  }
  bool blank(std::uint32_t address, std::size_t size) {
    return std::ranges::all_of(flash(address, size), [](auto b) { return b == 0xFF; });
  }
  std::unique_ptr<VirtualDevice> device;
  std::unique_ptr<Host> host;
};

TEST_F(Rom, DescriptorsAreThoseOfTheCapture) {
  open("stm32f105,rom=2.0");
  host->in(0x80, 6, 0x0100, 0, 18);
  EXPECT_EQ(host->data, (Bytes{18, 1, 0x00, 0x01, 0, 0, 0, 64, 0x83, 0x04, 0x11, 0xDF, 0x00, 0x20,
                               1, 2, 3, 1}));
  host->in(0x80, 6, 0x0200, 0, 255);
  EXPECT_EQ(host->data, (Bytes{9, 2,    36,   0,   1, 1,    0,    0xC0, 50,  //
                               9, 4,    0,    0,   0, 0xFE, 1,    2,    4,   //
                               9, 4,    0,    1,   0, 0xFE, 1,    2,    5,   //
                               9, 0x21, 0x0B, 255, 0, 0x00, 0x08, 0x1A, 0x01}));
  EXPECT_EQ(host->string(1), "STMicroelectronics");
  EXPECT_EQ(host->string(2), "STM32 0x418 DFU Bootloader");
  EXPECT_EQ(host->string(3), "STM32");
  EXPECT_EQ(host->string(4), "@Internal Flash  /0x08000000/128*002Kg");
  EXPECT_EQ(host->string(5), "@Option Bytes  /0x1FFFF800/01*016 g");
  EXPECT_EQ(host->string(6), "(stall)");
  open("stm32f105,rom=2.2");
  EXPECT_EQ(host->string(5), "@Option Bytes  /0x1FFFF800/01*016 e");
}

TEST_F(Rom, LifeOfACommand) {
  open("stm32f105");
  EXPECT_EQ(host->poll(), std::pair(0, 2));
  ASSERT_EQ(host->set_address(kBase), kDnloadIdle);
  const Bytes data = pattern(2048);
  // DNLOAD only stores: without GETSTATUS nothing happens, however long one waits.
  ASSERT_EQ(host->dnload(2, data).handshake, Handshake::Ack);
  host->wait(1s);
  EXPECT_TRUE(blank(kBase, 2048));
  EXPECT_EQ(host->poll(), std::pair(0, 4));
  EXPECT_EQ(host->poll_ms, 75U);
  EXPECT_EQ(host->poll(), kDnloadIdle);
  EXPECT_EQ(flash(kBase, 2048), data);
}

}  // namespace
}  // namespace sureflash::sim
