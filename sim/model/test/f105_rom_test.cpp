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

struct Rom : DeviceTest {};

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

TEST_F(Rom, GetListsFourCommandsAndEntersUploadIdle) {
  open("stm32f105");
  EXPECT_EQ(host->upload(0, 64).handshake, Handshake::Ack);
  EXPECT_EQ(host->data, (Bytes{0x00, 0x21, 0x41, 0x92}));
  EXPECT_EQ(host->poll(), std::pair(0, 9));
  host->abort();
  EXPECT_EQ(host->poll(), std::pair(0, 2));
}

TEST_F(Rom, SetAddressTakesOnlyWhatIsInTheMap) {
  open("stm32f105");
  for (const std::uint32_t good : {0x08000000U, 0x0803FFFFU, 0x20001000U, 0x2000FFFCU, 0x1FFFF800U,
                                   0x1FFFB000U, 0x1FFFF7E0U}) {
    EXPECT_EQ(host->set_address(good), kDnloadIdle) << std::hex << good;
  }
  for (const std::uint32_t bad : {0x08040000U, 0x20000000U, 0x20000FFCU, 0x20010000U, 0x1FFFF810U,
                                  0x00000000U, 0x1FFFA000U, 0xFFFFFFFFU}) {
    EXPECT_EQ(host->set_address(bad), kErrTarget) << std::hex << bad;
    EXPECT_EQ(host->clr_status().handshake, Handshake::Ack);
    EXPECT_EQ(host->poll(), std::pair(0, 2));
  }
}

TEST_F(Rom, ThePointerStartsAtFlashAndSurvivesSetInterfaceOrNot) {
  for (const bool keeps : {true, false}) {
    open(keeps ? "stm32f105" : "stm32f105,pointer=reset");
    auto& rom = dynamic_cast<DfuSeRom&>(device->loader());
    EXPECT_EQ(rom.pointer(), kBase);
    ASSERT_EQ(host->set_address(0x1FFFF800), kDnloadIdle);
    EXPECT_EQ(host->out(0x01, 11, 1, 0).handshake, Handshake::Ack);
    EXPECT_EQ(rom.pointer(), keeps ? 0x1FFFF800 : kBase);
  }
}

TEST_F(Rom, BlockNumbersCountInTransferSizesOrInRequestLengths) {
  for (const bool wlength : {false, true}) {
    open(wlength ? "stm32f105,block-address=wlength" : "stm32f105");
    ASSERT_EQ(host->set_address(kBase), kDnloadIdle);
    ASSERT_EQ(host->command(2, pattern(2048, 1)), kDnloadIdle);
    ASSERT_EQ(host->command(3, pattern(2048, 2)), kDnloadIdle);
    ASSERT_EQ(host->command(4, pattern(64, 3)), kDnloadIdle);
    EXPECT_EQ(flash(kBase, 2048), pattern(2048, 1)) << "full blocks read alike";
    EXPECT_EQ(flash(kBase + 2048, 2048), pattern(2048, 2));
    EXPECT_EQ(flash(kBase + 4096, 64), wlength ? Bytes(64, 0xFF) : pattern(64, 3));
    host->abort();
    // Reading 256 bytes as block 3: one transfer size, or 256 bytes, behind the pointer.
    ASSERT_EQ(host->upload(3, 256).handshake, Handshake::Ack);
    EXPECT_EQ(host->data, flash(kBase + (wlength ? 256 : 2048), 256));
  }
}

TEST_F(Rom, EraseOfOnePageAndOfAll) {
  open("stm32f105,fill=noise");
  ASSERT_EQ(host->erase(kBase + 0x0A34), kDnloadIdle);
  EXPECT_FALSE(blank(kBase + 0x7FC, 4));
  EXPECT_TRUE(blank(kBase + 0x800, 2048));
  EXPECT_FALSE(blank(kBase + 0x1000, 4));
  EXPECT_EQ(host->erase(0x20001000), kErrTarget);
  host->clr_status();
  EXPECT_EQ(host->erase(0x1FFFF800), kErrTarget);
  host->clr_status();
  EXPECT_EQ(host->command(0, {0x41}), kDnloadIdle);
  EXPECT_TRUE(blank(kBase, 256 * 1024));
}

TEST_F(Rom, CommandsItDoesNotKnowFail) {
  open("stm32f105");
  for (const Bytes& command :
       {Bytes{0x55}, Bytes{0x41, 0, 0}, Bytes{0x21}, Bytes{0x92, 0, 0, 0, 0}}) {
    EXPECT_EQ(host->command(0, command), kErrTarget);
    host->clr_status();
  }
  EXPECT_EQ(host->dnload(1, Bytes(4)).handshake, Handshake::Stall) << "block 1 is reserved";
  host->clr_status();
  EXPECT_EQ(host->upload(1, 4).handshake, Handshake::Stall);
}

TEST_F(Rom, WriteProtectionIsSilent) {
  open("stm32f105,wrp=0-1,fill=noise");
  const Bytes before = flash(kBase, 4096);
  EXPECT_EQ(host->erase(kBase), kDnloadIdle);
  EXPECT_EQ(host->set_address(kBase), kDnloadIdle);
  EXPECT_EQ(host->command(2, pattern(2048)), kDnloadIdle);
  EXPECT_EQ(flash(kBase, 4096), before);
  EXPECT_EQ(host->command(0, {0x41}), kDnloadIdle);
  EXPECT_FALSE(blank(kBase + 0x10000, 2048)) << "a mass erase does nothing either";
  EXPECT_EQ(host->erase(kBase + 4096), kDnloadIdle);
  EXPECT_TRUE(blank(kBase + 4096, 2048));
}

TEST_F(Rom, ProgrammingWhatIsNotErasedIsSilentToo) {
  open("stm32f105,fill=noise");
  const Bytes before = flash(kBase, 2048);
  EXPECT_EQ(host->command(2, pattern(2048)), kDnloadIdle);
  EXPECT_NE(flash(kBase, 2048), pattern(2048));
  host->abort();
  EXPECT_EQ(host->command(3, Bytes(2048, 0)), kDnloadIdle);
  EXPECT_EQ(flash(kBase + 2048, 2048), Bytes(2048, 0)) << "zero is always accepted";
}

TEST_F(Rom, LengthAndAlignmentOfWrites) {
  open("stm32f105,poison=0");
  EXPECT_EQ(host->dnload(2, Bytes(2049)).handshake, Handshake::Stall);
  EXPECT_EQ(host->poll(), std::pair(15, 10));
  host->clr_status();
  for (const std::size_t size : {1U, 2U, 3U, 5U, 2046U}) {
    EXPECT_EQ(host->command(2, Bytes(size, 0)), kErrTarget) << size;
    host->clr_status();
  }
  ASSERT_EQ(host->set_address(kBase + 2), kDnloadIdle);
  EXPECT_EQ(host->command(2, Bytes(4, 0)), kErrTarget);
  host->clr_status();
  EXPECT_TRUE(blank(kBase, 4096));
  ASSERT_EQ(host->set_address(kBase + 4), kDnloadIdle);
  EXPECT_EQ(host->command(2, Bytes(4, 0)), kDnloadIdle);
  ASSERT_EQ(host->set_address(kBase + 256 * 1024 - 4), kDnloadIdle);
  EXPECT_EQ(host->command(2, Bytes(8, 0)), kErrTarget) << "across the end of flash";
}

TEST_F(Rom, AMisalignedWriteSpoilsTheFollowingUntilABusReset) {
  open("stm32f105");
  EXPECT_EQ(host->command(2, Bytes(6, 0)), kErrTarget);
  host->clr_status();
  EXPECT_EQ(host->command(2, Bytes(8, 0)), kErrTarget);
  ASSERT_TRUE(host->enumerate());
  EXPECT_EQ(host->command(2, Bytes(8, 0)), kDnloadIdle);
}

TEST_F(Rom, RamAboveItsOwnCanBeWrittenAndRead) {
  open("stm32f105");
  ASSERT_EQ(host->set_address(0x20001000), kDnloadIdle);
  ASSERT_EQ(host->command(2, pattern(1024)), kDnloadIdle);
  EXPECT_EQ(flash(0x20001000, 1024), pattern(1024));
  host->abort();
  ASSERT_EQ(host->upload(2, 1024).handshake, Handshake::Ack);
  EXPECT_EQ(host->data, pattern(1024));
}

TEST_F(Rom, UploadRules) {
  open("stm32f105,fill=noise");
  EXPECT_EQ(host->upload(2, 2048).actual, 2048U);
  EXPECT_EQ(host->poll(), std::pair(0, 9));
  EXPECT_EQ(host->upload(3, 2048).actual, 2048U);
  EXPECT_EQ(host->data, flash(kBase + 2048, 2048));
  EXPECT_EQ(host->upload(2, 2049).handshake, Handshake::Stall);
  EXPECT_EQ(host->poll(), std::pair(15, 10));
  host->clr_status();
  EXPECT_EQ(host->upload(2, 1).handshake, Handshake::Stall);
  EXPECT_EQ(host->poll(), kErrTarget);
  host->clr_status();
  EXPECT_EQ(host->upload(2 + 128, 2048).handshake, Handshake::Stall) << "behind flash";
  EXPECT_EQ(host->poll(), kErrTarget);
}

TEST_F(Rom, UploadAcrossTheEndStallsOrIsShort) {
  open("stm32f105");
  ASSERT_EQ(host->set_address(0x1FFFF800), kDnloadIdle);
  host->abort();
  EXPECT_EQ(host->upload(2, 64).handshake, Handshake::Stall);
  open("stm32f105,end=short");
  ASSERT_EQ(host->set_address(0x1FFFF800), kDnloadIdle);
  host->abort();
  EXPECT_EQ(host->upload(2, 64).actual, 16U);
  EXPECT_EQ(host->data,
            (Bytes{0xA5, 0x5A, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0}));
  EXPECT_EQ(host->poll(), std::pair(0, 2)) << "a short block ends the upload";
}

TEST_F(Rom, SystemMemoryCanBeReadOrNot) {
  open("stm32f105,rom=2.1,flash=128");
  ASSERT_EQ(host->set_address(0x1FFFF7E0), kDnloadIdle);
  host->abort();
  ASSERT_EQ(host->upload(2, 2).handshake, Handshake::Ack);
  EXPECT_EQ(host->data, (Bytes{128, 0}));
  ASSERT_EQ(host->abort().handshake, Handshake::Ack);
  ASSERT_EQ(host->set_address(0x1FFFB004), kDnloadIdle);
  EXPECT_EQ(host->command(2, Bytes(4, 0)), kErrTarget) << "never written";
  host->clr_status();
  ASSERT_EQ(host->upload(2, 4).handshake, Handshake::Ack);
  EXPECT_EQ(host->data, (Bytes{0xA1, 0xE9, 0xFF, 0x1F}));
  open("stm32f105,rom-read=0");
  EXPECT_EQ(host->set_address(0x1FFFF7E0), kErrTarget);
}

TEST_F(Rom, ReadProtectionRefusesAtTheAccess) {
  open("stm32f105,rdp=1,fill=noise");
  const Bytes before = flash(kBase, 4096);
  EXPECT_EQ(host->set_address(kBase), kDnloadIdle);
  EXPECT_EQ(host->erase(kBase), kErrVendor);
  host->clr_status();
  EXPECT_EQ(host->command(2, pattern(64)), kErrVendor);
  host->clr_status();
  EXPECT_EQ(host->command(0, {0x41}), kErrVendor);
  host->clr_status();
  EXPECT_EQ(host->upload(2, 64).handshake, Handshake::Stall);
  EXPECT_EQ(host->poll(), kErrVendor);
  host->clr_status();
  EXPECT_EQ(host->upload(0, 4).handshake, Handshake::Ack) << "Get stays allowed";
  EXPECT_EQ(flash(kBase, 4096), before);
}

TEST_F(Rom, ReadProtectionMayRefuseSetAddressAlready) {
  open("stm32f105,rdp=1,rdp-at=set-address");
  EXPECT_EQ(host->set_address(kBase), kErrVendor);
}

TEST_F(Rom, ReadUnprotectErasesAndResets) {
  open("stm32f105,rdp=1,fill=noise");
  const auto count = host->usb().attach_count();
  ASSERT_EQ(host->dnload(0, {0x92}).handshake, Handshake::Ack);
  EXPECT_EQ(host->poll(), std::pair(0, 4));
  host->wait(100ms);
  EXPECT_FALSE(host->usb().attached()) << "no second GETSTATUS";
  ASSERT_TRUE(host->enumerate()) << "BOOT0 is high: the ROM again";
  EXPECT_EQ(host->usb().attach_count(), count + 1);
  EXPECT_TRUE(blank(kBase, 256 * 1024));
  EXPECT_FALSE(device->chip().options().read_protected);
  EXPECT_TRUE(std::ranges::all_of(device->chip().ram(), [](auto b) { return b == 0; }));
  EXPECT_EQ(host->erase(kBase), kDnloadIdle);
}

TEST_F(Rom, ReadUnprotectWithBoot0LowEndsOffTheBus) {
  open("stm32f105,rdp=1,fill=app");
  device->chip().boot0 = false;  // the jumper is pulled while the ROM runs
  host->dnload(0, {0x92});
  host->poll();
  host->wait(30s);
  EXPECT_FALSE(host->usb().attached());
  EXPECT_EQ(device->running(), Running::Nothing);
}

TEST_F(Rom, ReadUnprotectWithoutProtectionOnlyClearsRam) {
  open("stm32f105,fill=noise");
  EXPECT_EQ(host->command(0, {0x92}), kDnloadIdle);
  EXPECT_FALSE(blank(kBase, 2048));
  EXPECT_TRUE(std::ranges::all_of(device->chip().ram(), [](auto b) { return b == 0; }));
}

TEST_F(Rom, OptionBytesAreWrittenAsAWholeAndReset) {
  open("stm32f105");
  ASSERT_EQ(host->set_address(0x1FFFF800), kDnloadIdle);
  EXPECT_EQ(host->command(2, Bytes(8, 0)), kErrTarget) << "half of them";
  host->clr_status();
  Bytes options{0xA5, 0x5A, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFE, 0x01, 0xFF, 0, 0xFF, 0, 0xFF, 0};
  ASSERT_EQ(host->dnload(2, options).handshake, Handshake::Ack);
  EXPECT_EQ(host->poll(), std::pair(0, 4));
  host->wait(100ms);
  EXPECT_FALSE(host->usb().attached());
  ASSERT_TRUE(host->enumerate());
  EXPECT_TRUE(device->chip().flash().is_protected(0));
  EXPECT_TRUE(device->chip().flash().is_protected(1));
  EXPECT_FALSE(device->chip().flash().is_protected(2));
  EXPECT_TRUE(std::ranges::equal(device->chip().option_bytes(), options));
}

TEST_F(Rom, LeaveStartsAPlausibleApplication) {
  open("stm32f105,fill=app");
  ASSERT_EQ(host->set_address(kBase), kDnloadIdle);
  ASSERT_EQ(host->dnload(0, {}).handshake, Handshake::Ack);
  EXPECT_EQ(host->poll(), std::pair(0, 7));
  host->wait(10ms);
  EXPECT_FALSE(host->usb().attached());
  EXPECT_EQ(device->running(), Running::Application);
  EXPECT_EQ(device->application(), kBase);
  host->wait(30s);
  EXPECT_FALSE(host->usb().attached()) << "this application has no USB";
}

TEST_F(Rom, LeaveToAnImplausibleOneResets) {
  open("stm32f105,fill=app");
  ASSERT_EQ(host->set_address(kBase + 0x10000), kDnloadIdle);
  host->dnload(2, {});
  EXPECT_EQ(host->poll(), std::pair(0, 7));
  host->wait(10ms);
  EXPECT_FALSE(host->usb().attached());
  EXPECT_EQ(device->running(), Running::Loader) << "BOOT0 is high";
  EXPECT_TRUE(host->enumerate());
}

TEST_F(Rom, LeaveMayVanishAtOnce) {
  open("stm32f105,fill=app,leave=vanish");
  host->dnload(0, {});
  EXPECT_EQ(host->get_status().handshake, Handshake::Gone);
  EXPECT_EQ(device->running(), Running::Application);
}

TEST_F(Rom, PollTimesAreWhatTheSwitchSays) {
  struct Row {
    const char* spec;
    std::uint32_t set_address, erase, write;
  };
  // Data sheet: 30 ms, and 1024 × 52.5 µs = 53.76 ms.
  for (const Row& row :
       {Row{"stm32f105,rom=2.2", 0, 40, 75}, Row{"stm32f105,rom=2.1", 10, 100, 100},
        Row{"stm32f105,rom=2.0", 10, 100, 100}, Row{"stm32f105,poll=datasheet", 0, 30, 54},
        Row{"stm32f105,poll=datasheet,times=max", 0, 30, 54},
        Row{"stm32f105,poll=100", 100, 100, 100}, Row{"stm32f105,poll=0", 0, 0, 0},
        Row{"stm32f105,poll=70000", 70000, 70000, 70000}}) {
    open(row.spec);
    host->set_address(kBase);
    EXPECT_EQ(host->poll(), kDnloadIdle);
    host->dnload(0, Host::with_address(0x21, kBase));
    host->poll();
    EXPECT_EQ(host->poll_ms, row.set_address) << row.spec;
    host->poll();
    host->dnload(0, Host::with_address(0x41, kBase));
    host->poll();
    EXPECT_EQ(host->poll_ms, row.erase) << row.spec;
    host->poll();
    host->dnload(2, Bytes(2048, 0x11));
    host->poll();
    EXPECT_EQ(host->poll_ms, row.write) << row.spec;
  }
}

TEST_F(Rom, ErasingAndWritingTakesTheTimeOfTheDataSheet) {
  struct Row {
    const char* spec;
    Duration erase, write;
  };
  for (const Row& row : {Row{"stm32f105,poll=0,times=min", 20ms, 1024 * 40us},
                         Row{"stm32f105,poll=0", 30ms, 1024 * 52'500ns},
                         Row{"stm32f105,poll=0,times=max", 40ms, 1024 * 70us}}) {
    open(row.spec);
    const auto timed = [&](auto action) {
      const Duration before = host->usb().now();
      EXPECT_EQ(action(), kDnloadIdle);
      return host->usb().now() - before;
    };
    // Plus three transfers, one of them with 2048 bytes.
    const Duration erase = timed([&] { return host->erase(kBase); });
    EXPECT_GE(erase, row.erase);
    EXPECT_LT(erase, row.erase + 1ms);
    host->set_address(kBase);
    const Duration write = timed([&] { return host->command(2, Bytes(2048, 1)); });
    EXPECT_GE(write, row.write + 2048us);
    EXPECT_LT(write, row.write + 2048us + 1ms);
  }
}

TEST_F(Rom, ChapterNine) {
  open("stm32f105");
  const auto get = [&](std::uint8_t type, std::uint8_t request, std::uint16_t value) {
    host->in(type, request, value, 0, 64);
    return host->data;
  };
  EXPECT_EQ(get(0x80, 0, 0), (Bytes{1, 0}));
  EXPECT_EQ(get(0x80, 8, 0), Bytes{1});
  EXPECT_EQ(get(0x81, 0, 0), (Bytes{0, 0}));
  EXPECT_EQ(get(0x81, 10, 0), Bytes{0});
  EXPECT_EQ(get(0x81, 6, 0x2100), (Bytes{9, 0x21, 0x0B, 255, 0, 0, 8, 0x1A, 1}));
  EXPECT_EQ(get(0x80, 6, 0x0300), (Bytes{4, 3, 9, 4}));
  EXPECT_EQ(host->out(0x01, 11, 1, 0).handshake, Handshake::Ack);
  EXPECT_EQ(get(0x81, 10, 0), Bytes{1});
  EXPECT_EQ(host->out(0x01, 11, 2, 0).handshake, Handshake::Stall);
  EXPECT_EQ(host->out(0x01, 11, 0, 1).handshake, Handshake::Stall);
  EXPECT_EQ(host->out(0x00, 9, 2, 0).handshake, Handshake::Stall);
  EXPECT_EQ(host->out(0x00, 5, 128, 0).handshake, Handshake::Stall);
  EXPECT_EQ(host->in(0x80, 6, 0x0600, 0, 10).handshake, Handshake::Stall) << "full speed only";
  EXPECT_EQ(host->in(0x80, 6, 0x0201, 0, 10).handshake, Handshake::Stall);
  EXPECT_EQ(host->in(0x80, 12, 0, 0, 2).handshake, Handshake::Stall);
  host->in(0x80, 6, 0x0200, 0, 9);
  EXPECT_EQ(host->data, (Bytes{9, 2, 36, 0, 1, 1, 0, 0xC0, 50})) << "cut to wLength";
  EXPECT_EQ(host->out(0x00, 9, 0, 0).handshake, Handshake::Ack);
  EXPECT_EQ(host->get_status().handshake, Handshake::Stall) << "not configured";
}

TEST_F(Rom, PullingThePlugIsSeen) {
  open("stm32f105");
  const auto count = host->usb().attach_count();
  host->usb().set_vbus(false);
  EXPECT_FALSE(host->usb().attached());
  EXPECT_EQ(host->get_status().handshake, Handshake::Gone);
  host->usb().set_vbus(true);
  EXPECT_TRUE(host->usb().attached());
  EXPECT_EQ(host->usb().attach_count(), count + 1);
  EXPECT_EQ(host->get_status().handshake, Handshake::Stall) << "must be configured anew";
}

TEST_F(Rom, APowerCutInABlockLeavesItPartlyWrittenAndTheDeviceDead) {
  open("stm32f105,fault=cut-after@99");
  host->dnload(2, pattern(2048));
  EXPECT_EQ(host->poll(), std::pair(0, 4));
  host->wait(10ms);
  EXPECT_FALSE(host->usb().attached());
  EXPECT_EQ(device->running(), Running::NoPower);
  const Bytes all = pattern(2048);
  EXPECT_EQ(flash(kBase, 200), Bytes(all.begin(), all.begin() + 200));
  EXPECT_TRUE(blank(kBase + 200, 1848));
  host->wait(60s);
  EXPECT_FALSE(host->usb().attached());
  device->power_cycle();
  ASSERT_TRUE(host->enumerate());
  EXPECT_EQ(host->erase(kBase), kDnloadIdle);
  EXPECT_TRUE(blank(kBase, 2048));
}

TEST_F(Rom, DetachOfAnApplicationLeadsToTheRom) {
  open("stm32f105,runtime=1");
  EXPECT_EQ(device->running(), Running::Application);
  host->in(0x80, 6, 0x0100, 0, 18);
  EXPECT_EQ(load_le16(host->data, 8), 0x0483);
  EXPECT_EQ(load_le16(host->data, 10), 0x5740);
  host->interface = 1;
  EXPECT_EQ(host->poll(), std::pair(0, 0));
  EXPECT_EQ(host->detach(1000).handshake, Handshake::Ack);
  host->wait(50ms);
  EXPECT_FALSE(host->usb().attached());
  ASSERT_TRUE(host->enumerate());
  host->interface = 0;
  EXPECT_EQ(device->running(), Running::Loader);
  EXPECT_EQ(host->string(2), "STM32 0x418 DFU Bootloader");
}

TEST_F(Rom, TheJumpIntoTheRomFailsUnderReadProtection) {
  open("stm32f105,runtime=1,rdp=1");
  host->interface = 1;
  host->detach(1000);
  host->wait(50ms);
  ASSERT_TRUE(host->enumerate());
  EXPECT_EQ(device->running(), Running::Application);
}

TEST_F(Rom, NothingIsOnTheBusWithBoot0LowAndNoApplication) {
  device = make("stm32f105,boot0=0");
  host = std::make_unique<Host>(*device);
  EXPECT_FALSE(host->enumerate());
  EXPECT_EQ(device->running(), Running::Nothing);
}

}  // namespace
}  // namespace sureflash::sim
