// Goal: the virtual ROMs refuse and misbehave as dfuse.md 5.2 says of each line. Method: raw
// control transfers by the specifications; addresses, layout texts and answers copied by hand from
// AN2606 and device logs.

#include <algorithm>

#include "usb_host.hpp"

namespace sureflash::sim {
namespace {

constexpr std::uint32_t kBase = 0x08000000;
constexpr std::pair kIdle{0, 5};       // OK, dfuDNLOAD-IDLE
constexpr std::pair kBusy{0, 4};       // OK, dfuDNBUSY
constexpr std::pair kTarget{1, 10};    // errTARGET, dfuERROR
constexpr std::pair kUnknown{14, 10};  // errUNKNOWN, dfuERROR

class StRom : public testing::Test {
 protected:
  void open(std::string_view spec) {
    device = make(spec);
    ASSERT_TRUE(device);
    host.emplace(*device);
    host->timeout = 40s;
    ASSERT_TRUE(host->enumerate());
  }
  /// Writes one block at `address`.
  std::pair<int, int> write(std::uint32_t address, const Bytes& bytes) {
    if (host->set_address(address) != kIdle) return {-3, 0};
    return host->command(2, bytes);
  }
  Bytes at(std::uint32_t address, std::size_t size) {
    Bytes bytes(size);
    EXPECT_TRUE(device->chip().read(address, bytes));
    return bytes;
  }
  Duration time_of(const std::function<void()>& what) {
    const Duration began = host->usb().now();
    what();
    return host->usb().now() - began;
  }

  std::unique_ptr<VirtualDevice> device;
  std::optional<Host> host;
};

TEST_F(StRom, LayoutTextsOfDeviceLogs) {
  open("stm32f407");
  EXPECT_EQ(host->string(4), "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg");
  EXPECT_EQ(host->string(5), "@Option Bytes  /0x1FFFC000/01*016 e");
  EXPECT_EQ(host->string(7), "@Device Feature/0xFFFF0000/01*004 e");
  open("stm32l4r5");
  EXPECT_EQ(host->string(5), "@Option Bytes  /0x1FF00000/01*040 e/0x1FF01000/01*040 e");
  open("stm32l072");
  EXPECT_EQ(host->string(4), "@Internal Flash  /0x08000000/1536*128g");
}

TEST_F(StRom, OneMisalignedWriteSpoilsTheFollowing) {
  open("stm32g431");
  EXPECT_EQ(write(kBase, Bytes(12, 0x11)), kTarget) << "12 is no multiple of 8";
  host->clr_status();
  EXPECT_EQ(write(kBase, Bytes(16, 0x11)), kTarget);
  open("stm32g431,poison=0");
  EXPECT_EQ(write(kBase, Bytes(12, 0x11)), kTarget);
  host->clr_status();
  EXPECT_EQ(write(kBase, Bytes(16, 0x11)), kIdle);
}

TEST_F(StRom, APartOfAProgramUnitUsesItUp) {
  open("stm32h743");  // AN2606 table 7: multiples of 8; the flash word has 32 bytes
  EXPECT_EQ(write(kBase + 8, Bytes(8, 0x22)), kIdle);
  EXPECT_EQ(write(kBase, Bytes(8, 0x33)), kIdle) << "and nothing is stored";
  EXPECT_EQ(at(kBase, 16), (Bytes{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x22, 0x22, 0x22,
                                  0x22, 0x22, 0x22, 0x22, 0x22}));
}

TEST_F(StRom, ErasedFlashOfL0AndL1IsZero) {
  open("stm32l1xxxc,fill=noise");
  EXPECT_EQ(host->erase(kBase), kIdle);
  EXPECT_EQ(at(kBase, 256), Bytes(256, 0x00));
  EXPECT_NE(at(kBase + 256, 16), Bytes(16, 0x00)) << "a page has 256 bytes";
}

TEST_F(StRom, MassErase) {
  open("stm32l1xxxc,fill=noise");
  const Bytes before = at(kBase, 1024);
  EXPECT_EQ(host->command(0, {0x41}), kTarget) << "L1 has none";
  EXPECT_EQ(at(kBase, 1024), before);
  open("stm32g0b1,fill=noise");
  EXPECT_EQ(host->command(0, {0x41}), kIdle) << "and bank 2 stays";
  EXPECT_EQ(at(kBase, 16), Bytes(16, 0xFF));
  EXPECT_NE(at(kBase + 0x40000, 16), Bytes(16, 0xFF));
  open("stm32f405,fill=noise");
  const Duration took = time_of([&] { EXPECT_EQ(host->command(0, {0x41}), kIdle); });
  EXPECT_EQ(host->poll_ms, 0U);
  EXPECT_GT(took, 16s);
  host->dnload(0, {0x41});
  host->get_status();
  EXPECT_EQ(host->poll_ms, 100U) << "announces 100 ms for 16 s";
}

TEST_F(StRom, H74xHangsAboveOneMegabyteUntilTwoClrStatus) {
  open("stm32h743,fill=noise");
  EXPECT_EQ(host->erase(kBase + 7 * 0x20000), kIdle);
  EXPECT_EQ(host->erase(kBase + 8 * 0x20000), kBusy);
  host->wait(1h);
  EXPECT_EQ(host->poll(), kBusy);
  EXPECT_EQ(at(kBase + 8 * 0x20000, 16), Bytes(16, 0xFF)) << "the work is done";
  host->clr_status();
  EXPECT_EQ(host->poll(), kUnknown);
  host->clr_status();
  EXPECT_EQ(host->poll(), (std::pair{0, 2}));
}

TEST_F(StRom, C5StallsClrStatusOutsideError) {
  open("stm32c5a3");
  EXPECT_EQ(host->clr_status().handshake, Handshake::Stall);
  EXPECT_EQ(host->in(0x81, 6, 0x2100, 0, 9).handshake, Handshake::Stall)
      << "no functional descriptor on request";
}

TEST_F(StRom, TransferSizes) {
  const auto transfer_size = [&](const char* spec) {
    open(spec);
    EXPECT_EQ(host->in(0x80, 6, 0x0200, 0, 255).handshake, Handshake::Ack);
    // The functional descriptor is the last one; wTransferSize is its fifth byte (DFU 1.1, 4.1.3).
    return load_le16(host->data, host->data.size() - 4);
  };
  EXPECT_EQ(transfer_size("stm32c5a3"), 1024);
  EXPECT_EQ(transfer_size("stm32f405"), 2048);
}

TEST_F(StRom, DataEepromOfL0AndL1HasAnAlternateSetting) {
  open("stm32l072");
  EXPECT_EQ(host->string(6), "@DATA Memory /0x08080000/2*3Ke");
  open("stm32l1xxxc");
  EXPECT_EQ(host->string(6).substr(0, 24), "@DATA Memory /0x08080000");
}

TEST_F(StRom, DataEepromIsErasedAsItIsWrittenAndNotByCommand) {
  open("stm32l072,fill=noise");
  constexpr std::uint32_t kEeprom = 0x08080000;
  EXPECT_EQ(at(kEeprom, 16), Bytes(16, 0x00));
  EXPECT_EQ(write(kEeprom, Bytes(8, 0xA5)), kIdle);
  EXPECT_EQ(write(kEeprom, Bytes(8, 0x5A)), kIdle) << "over what is there";
  EXPECT_EQ(at(kEeprom, 8), Bytes(8, 0x5A));
  EXPECT_EQ(host->erase(kEeprom), kTarget) << "AN2606, 4.4: not by command";
  host->clr_status();
  EXPECT_EQ(write(kEeprom, Bytes(8, 0x00)), kIdle) << "writing zeros erases";
  EXPECT_EQ(at(kEeprom, 16), Bytes(16, 0x00));
  open("stm32f405");
  EXPECT_EQ(host->string(6).find("DATA"), std::string::npos);
}

TEST_F(StRom, TheWirelessStackIsKeptByTheChip) {
  // SFSA 0xF4 with the FUS alone (ST community 285474); reads give zeros (249636).
  open("stm32wb55,fill=noise");
  constexpr std::uint32_t kFus = 0x080F4000;
  const Bytes before = at(kFus, 12 * 4096);
  EXPECT_EQ(host->erase(kFus), kIdle) << "says OK";
  EXPECT_EQ(write(kFus, Bytes(64, 0x00)), kIdle) << "says OK";
  EXPECT_EQ(host->command(0, {0x41}), kIdle);
  EXPECT_EQ(at(kFus, 12 * 4096), before) << "and a mass erase spares it";
  EXPECT_EQ(at(kFus - 16, 16), Bytes(16, 0xFF));
  const auto reads = [&](const char* spec) {
    open(spec);
    host->set_address(kFus - 8);
    host->abort();
    return host->upload(2, 16).handshake == Handshake::Ack ? host->data : Bytes{};
  };
  Bytes zeros = reads("stm32wb55,sfsa=244");
  ASSERT_EQ(zeros.size(), 16U);
  EXPECT_EQ(Bytes(zeros.begin(), zeros.begin() + 8), Bytes(8, 0xFF));
  EXPECT_EQ(Bytes(zeros.begin() + 8, zeros.end()), Bytes(8, 0x00));
  EXPECT_EQ(reads("stm32wb55,secure-read=content"), Bytes(16, 0xFF));
  EXPECT_EQ(reads("stm32wb55,secure-read=refused"), Bytes{});
  // The option bytes as the ROM shows them (qFlipper): FLASH_SFR at 0x70, then its complement.
  open("stm32wb55,sfsa=192");
  host->set_address(0x1FFF8000);
  host->abort();
  ASSERT_EQ(host->upload(2, 128).handshake, Handshake::Ack);
  EXPECT_EQ(host->data[0x70], 0xC0);
  EXPECT_EQ(host->data[0x74], 0x3F);
  EXPECT_FALSE(make_device("stm32f405,sfsa=1"));
}

TEST_F(StRom, Gd32Vf103AsItsLogsHaveIt) {
  // fwupd's capture of one (plugins/dfu/tests/dfu-gd32vf103-setup.json): 06 03 "3CBJ".
  open("gd32vf103");
  EXPECT_EQ(host->in(0x80, 6, 0x0303, 0x0409, 255).handshake, Handshake::Ack);
  EXPECT_EQ(host->data, (Bytes{0x06, 0x03, 0x33, 0x43, 0x42, 0x4A}));
  EXPECT_EQ(host->in(0x80, 6, 0x0100, 0, 18).handshake, Handshake::Ack);
  EXPECT_EQ(load_le16(host->data, 8), 0x28E9);
  EXPECT_EQ(load_le16(host->data, 10), 0x0189);
  EXPECT_EQ(load_le16(host->data, 12), 0x1000);
  EXPECT_EQ(host->string(4), "@Internal Flash  /0x08000000/512*002Kg");
  EXPECT_EQ(host->poll(), (std::pair{10, 10})) << "errFIRMWARE, dfuERROR";
  host->clr_status();
  // riscv-mcu/gd32-dfu-utils issue 3: 100 ms for a command, 104 ms for a block.
  host->dnload(0, Host::with_address(0x21, kBase));
  host->poll();
  EXPECT_EQ(host->poll_ms, 100U);
  host->wait(1s);
  host->poll();
  host->dnload(2, Bytes(1024, 0x11));
  host->poll();
  EXPECT_EQ(host->poll_ms, 104U);
  // Issue 5: the other loader.
  open("gd32vf103,variant=1,fill=noise,found=idle");
  EXPECT_EQ(host->string(4), "@Internal Flash  /0x08000000/128*001Kg");
  EXPECT_EQ(host->command(0, {0x41}), kTarget) << "its mass erase always fails";
  EXPECT_FALSE(make_device("gd32vf103,flash=48"));
  EXPECT_FALSE(make_device("stm32f405,variant=1"));
}

TEST_F(StRom, U59xEnumeratesAtHighSpeed) {
  open("stm32u595");
  EXPECT_EQ(device->usb().speed(), Speed::High);
  EXPECT_EQ(host->in(0x80, 6, 0x0600, 0, 10).handshake, Handshake::Ack) << "device qualifier";
  const auto time_to_read = [&] {
    host->set_address(kBase);
    host->abort();
    return time_of([&] { host->upload(2, 2048); });
  };
  const Duration high = time_to_read();
  open("stm32u575");
  EXPECT_EQ(device->usb().speed(), Speed::Full);
  EXPECT_EQ(host->in(0x80, 6, 0x0600, 0, 10).handshake, Handshake::Stall);
  EXPECT_LT(3 * high, time_to_read());
}

TEST_F(StRom, AQuirkThatItDoesNotHaveCannotBeTakenAway) {
  EXPECT_TRUE(make_device("stm32h743,without=stuck-busy-high-sectors+mass-erase-unreliable"));
  EXPECT_FALSE(make_device("stm32h743,without=data-eeprom"));
  EXPECT_FALSE(make_device("stm32h743,without=nonsense"));
}

TEST_F(StRom, AClonePassesForAnyLine) {
  open("stm32f405,usb-id=2e3c:df11");
  EXPECT_EQ(host->in(0x80, 6, 0x0100, 0, 18).handshake, Handshake::Ack);
  EXPECT_EQ(load_le16(host->data, 8), 0x2E3C);
  EXPECT_EQ(load_le16(host->data, 10), 0xDF11);
}

TEST_F(StRom, F4ProgramsBytesUntilToldItsSupply) {
  open("stm32f405");
  const Bytes block(2048, 0x5A);
  const Duration bytes = time_of([&] { EXPECT_EQ(write(kBase, block), kIdle); });
  EXPECT_GT(bytes, 2048 * 16us);
  EXPECT_EQ(write(0xFFFF0000, {0x03, 0xFF, 0xFF, 0x00}), kTarget) << "bytes 1 to 3 stay 0xFF";
  host->clr_status();
  EXPECT_EQ(write(0xFFFF0000, {0x03, 0xFF, 0xFF, 0xFF}), kIdle);
  const Duration words = time_of([&] { EXPECT_EQ(write(kBase + 2048, block), kIdle); });
  EXPECT_LT(words, bytes / 2);
  EXPECT_EQ(at(kBase + 2048, 2048), block);
}

TEST_F(StRom, L43xCorruptsLongWritesOfOddLength) {
  open("stm32l432");
  host->set_address(kBase);
  EXPECT_EQ(host->dnload(2, Bytes(260, 0x5A)).handshake, Handshake::Ack);
  host->poll();
  host->wait(1s);
  EXPECT_EQ(host->poll(), kIdle) << "says OK";
  EXPECT_NE(at(kBase, 256), Bytes(256, 0x5A));
}

TEST_F(StRom, L4StallsThePollThatComesTooEarly) {
  open("stm32l432,fill=noise,times=max");
  host->dnload(0, Host::with_address(0x41, kBase));
  EXPECT_EQ(host->poll(), kBusy);
  EXPECT_EQ(host->poll_ms, 21U) << "an erase takes 24.5 ms";
  host->wait(21ms);
  EXPECT_EQ(host->get_status().handshake, Handshake::Stall);
  host->wait(5ms);
  EXPECT_EQ(host->poll(), kIdle) << "the state was kept";
}

TEST_F(StRom, AStrictDeviceRefusesEarlyPolls) {
  open("stm32g431,held=strict,poll=50");
  host->dnload(0, Host::with_address(0x41, kBase));
  EXPECT_EQ(host->poll(), kBusy);
  host->wait(30ms);
  EXPECT_EQ(host->get_status().handshake, Handshake::Stall);
  EXPECT_EQ(host->poll(), (std::pair{15, 10})) << "errSTALLEDPKT, dfuERROR";
}

TEST_F(StRom, H5HasNoReadUnprotect) {
  open("stm32h563");
  EXPECT_EQ(host->upload(0, 64).actual, 3U);
  EXPECT_EQ(host->data, (Bytes{0x00, 0x21, 0x41}));
  host->abort();
  EXPECT_EQ(host->command(0, {0x92}), kTarget);
}

TEST_F(StRom, ReadUnprotectWipesAndResets) {
  open("stm32f072,fill=noise,rdp=1");
  EXPECT_EQ(host->upload(2, 16).handshake, Handshake::Stall);
  EXPECT_EQ(host->poll(), (std::pair{11, 10})) << "errVENDOR";
  host->clr_status();
  host->dnload(0, {0x92});
  EXPECT_EQ(host->poll(), kBusy);
  host->wait(2s);
  EXPECT_FALSE(device->chip().options().read_protected);
  EXPECT_EQ(at(kBase, 64), Bytes(64, 0xFF));
}

TEST_F(StRom, RomIdentifierCanBeRead) {
  open("stm32f405");
  EXPECT_EQ(host->set_address(0x1FFF77DE), kIdle);
  host->abort();
  EXPECT_EQ(host->upload(2, 2).actual, 2U);
  EXPECT_EQ(host->data[0], 0x31);
  open("stm32f405,rom-id=1");
  host->set_address(0x1FFF77DE);
  host->abort();
  host->upload(2, 2);
  EXPECT_EQ(host->data[0], 0x91);
}

}  // namespace
}  // namespace sureflash::sim
