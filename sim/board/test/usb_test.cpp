// Goal: the board is a USB device: what firmware does with OTG_FS reaches the host, and the other
// way round. Method: a device written from the manual (test/firmware/usb_device.c), built by the
// cross compiler, runs; the test is the host, with requests of USB 2.0 chapter 9.
#include <fstream>
#include <iterator>

#include "board_fixture.hpp"
#include <gmock/gmock.h>

namespace sureflash::sim {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class UsbTest : public BoardTest {
 protected:
  void SetUp() override { run_device({}); }
  void run_device(BoardOptions options) {
    std::ifstream in(SUREFLASH_USB_DEVICE, std::ios::binary);
    const std::vector<char> text((std::istreambuf_iterator<char>(in)), {});
    const Bytes image(text.begin(), text.end());
    ASSERT_GT(image.size(), 500U);
    const BoardSegment segment{0x08000000, image};
    start(options, {&segment, 1});
    pass(20ms);
  }
  Completion out(std::uint8_t type, std::uint8_t request, std::uint16_t value,
                 const Bytes& data = {}) {
    return board->control({type, request, value, 0, static_cast<std::uint16_t>(data.size())}, data,
                          {}, 1s);
  }
  Bytes in(std::uint8_t type, std::uint8_t request, std::uint16_t value, std::uint16_t length) {
    Bytes data(length);
    last = board->control({type, request, value, 0, length}, {}, data, 1s);
    data.resize(last.actual);
    return data;
  }
  void enumerate() {
    board->bus_reset();
    pass(10ms);
    ASSERT_EQ(out(0x00, 5, 9).handshake, Handshake::Ack);
    pass(2ms);
    ASSERT_EQ(out(0x00, 9, 1).handshake, Handshake::Ack);
  }
  static Bytes counted(std::size_t size) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 13 + 5);
    return bytes;
  }

  Completion last;
};

TEST_F(UsbTest, AttachesEnumeratesAndHasNothingToReport) {
  ASSERT_TRUE(board->attached());
  EXPECT_EQ(board->attach_count(), 1U);
  const std::uint64_t instructions = board->core().instructions();
  const Duration begin = board->now();
  enumerate();
  EXPECT_LT(board->now() - begin, 70ms);
  EXPECT_GT(board->core().instructions(), instructions);
  const Bytes device = in(0x80, 6, 0x0100, 18);
  ASSERT_EQ(device.size(), 18U);
  EXPECT_EQ(load_le16(device, 8), 0x1209);
  EXPECT_EQ(in(0x80, 6, 0x0200, 255).size(), 32U) << "a short answer";
  EXPECT_EQ(last.handshake, Handshake::Ack);
  EXPECT_THAT(misuses(), IsEmpty());
  EXPECT_THAT(all<UnknownRegister>(), IsEmpty());
}

TEST_F(UsbTest, WithoutVbusThereIsNoSession) {
  run_device({.vbus = false});
  EXPECT_FALSE(board->attached());
  board->set_vbus(true);
  pass(5ms);
  EXPECT_TRUE(board->attached());
  enumerate();
  board->set_vbus(false);
  EXPECT_FALSE(board->attached());
  EXPECT_EQ(out(0x00, 9, 1).handshake, Handshake::Gone);
  board->set_vbus(true);
  pass(5ms);
  EXPECT_EQ(board->attach_count(), 2U);
  enumerate();
}

TEST_F(UsbTest, ControlTransfersOfSeveralPackets) {
  enumerate();
  const Bytes data = counted(256);
  EXPECT_EQ(out(0x40, 1, 0, data), (Completion{Handshake::Ack, 256}));
  EXPECT_EQ(in(0xC0, 1, 0, 256), data);
  EXPECT_EQ(in(0xC0, 1, 0, 100), Bytes(data.begin(), data.begin() + 100));
  // A multiple of the packet size, and less than was asked for: ends with an empty packet.
  EXPECT_EQ(in(0xC0, 1, 0, 400), data);
  EXPECT_EQ(out(0x40, 1, 0, counted(300)).handshake, Handshake::Stall);
  EXPECT_EQ(out(0x40, 1, 0, counted(70)).handshake, Handshake::Ack) << "a SETUP ends the stall";
  EXPECT_EQ(out(0x40, 99, 0).handshake, Handshake::Stall);
}

TEST_F(UsbTest, BulkLoopbackWithToggles) {
  enumerate();
  for (const std::size_t size : {1U, 63U, 64U, 0U, 33U}) {
    const Bytes data = counted(size);
    ASSERT_EQ(board->endpoint_out(1, data, 1s), (Completion{Handshake::Ack, size}));
    Bytes back(size == 64 ? 64 : 100);
    if (size < 64) back.resize(64);
    const Completion done = board->endpoint_in(1, back, 1s);
    EXPECT_EQ(done, (Completion{Handshake::Ack, size}));
    back.resize(done.actual);
    EXPECT_EQ(back, data);
  }
  Bytes nothing(64);
  const Duration before = board->now();
  EXPECT_EQ(board->endpoint_in(1, nothing, 50ms).handshake, Handshake::Timeout) << "NAK";
  EXPECT_NEAR(static_cast<double>((board->now() - before).count()), 50e6, 1e6);
  EXPECT_THAT(misuses(), IsEmpty());
}

TEST_F(UsbTest, APacketWithTheOtherToggleIsARepetition) {
  enumerate();
  ASSERT_EQ(out(0x40, 3, 0).handshake, Handshake::Ack);
  Bytes back(64);
  ASSERT_EQ(board->endpoint_out(1, counted(7), 1s).handshake, Handshake::Ack);
  EXPECT_EQ(board->endpoint_in(1, back, 20ms).handshake, Handshake::Timeout) << "thrown away";
  ASSERT_EQ(board->endpoint_out(1, counted(9), 1s).handshake, Handshake::Ack);
  EXPECT_EQ(board->endpoint_in(1, back, 20ms), (Completion{Handshake::Ack, 9}));
}

TEST_F(UsbTest, SuspendAndResumeReachTheFirmware) {
  enumerate();
  events.clear();
  const auto count = [&](unsigned offset) {
    // The two counters are what .bss ends with, whatever their order: look for them by change.
    std::array<std::uint8_t, 4> word{};
    board->core().peek(0x20000000 + offset, word);
    return load_le32(word);
  };
  std::vector<std::uint32_t> before, asleep, awake;
  const auto look = [&](std::vector<std::uint32_t>& at) {
    for (unsigned i = 0; i < 0x200; i += 4) at.push_back(count(i));
  };
  look(before);
  board->suspend();
  pass(10ms);
  look(asleep);
  EXPECT_NE(asleep, before);
  board->resume();
  pass(10ms);
  look(awake);
  EXPECT_NE(awake, asleep);
  EXPECT_EQ(in(0x80, 6, 0x0100, 18).size(), 18U);
  ASSERT_EQ(all<UsbChanged>().size(), 2U);
  EXPECT_EQ(all<UsbChanged>()[0].what, UsbChange::Suspended);
  EXPECT_EQ(all<UsbChanged>()[1].what, UsbChange::Resumed);
}

TEST_F(UsbTest, MistakesAreNamedWithTheInstruction) {
  enumerate();
  EXPECT_EQ(out(0x40, 2, 0).handshake, Handshake::Ack);
  EXPECT_THAT(misuses(), testing::Contains(HasSubstr("beyond the data of the packet popped last")));
  EXPECT_THAT(misuses(), testing::Contains(HasSubstr("overlaps the receive FIFO")));
  EXPECT_THAT(misuses(), testing::Contains(HasSubstr("host mode register")));
  for (const BoardEvent& event : events) {
    if (!std::holds_alternative<Misuse>(event.what)) continue;
    EXPECT_GT(event.pc, 0x08000000U);
    EXPECT_LT(event.pc, 0x08001000U);
  }
}

TEST_F(UsbTest, AResetDetachesAndTheDeviceComesBack) {
  enumerate();
  board->reset_pin();
  pass(1ms);
  EXPECT_FALSE(board->attached());
  pass(20ms);
  EXPECT_TRUE(board->attached());
  EXPECT_EQ(board->attach_count(), 2U);
  enumerate();
}

TEST_F(UsbTest, TheWrongClockIsNoUsb) {
  run_device({.hse_hz = 24'000'000});
  EXPECT_TRUE(board->attached());
  board->bus_reset();
  EXPECT_EQ(out(0x00, 5, 9).handshake, Handshake::Gone);
  EXPECT_THAT(misuses(), testing::Contains(HasSubstr("46080 kHz instead of 48 MHz")));
}

TEST_F(UsbTest, ASnapshotGoesBackInTheMiddleOfATransfer) {
  enumerate();
  const Bytes data = counted(64);
  ASSERT_EQ(board->endpoint_out(1, data, 1s).handshake, Handshake::Ack);
  const auto saved = board->snapshot();
  const Duration then = board->now();
  for (int i = 0; i < 2; ++i) {
    Bytes back(64);
    ASSERT_EQ(board->endpoint_in(1, back, 1s), (Completion{Handshake::Ack, 64}));
    EXPECT_EQ(back, data);
    EXPECT_EQ(board->endpoint_in(1, back, 10ms).handshake, Handshake::Timeout);
    board->restore(*saved);
    EXPECT_EQ(board->now(), then);
  }
}

TEST_F(UsbTest, TheSameRunTwiceByteForByte) {
  std::vector<std::uint64_t> marks[2];
  for (auto& run : marks) {
    run_device({.seed = 5});
    enumerate();
    out(0x40, 1, 0, counted(200));
    Bytes back(64);
    board->endpoint_out(1, counted(20), 1s);
    board->endpoint_in(1, back, 1s);
    pass(3ms);
    std::uint64_t sum = 0;
    for (const std::uint8_t byte : board->chip().ram()) sum = sum * 31 + byte;
    run = {board->core().now(), board->core().instructions(), sum, events.size(),
           static_cast<std::uint64_t>(board->now().count())};
  }
  EXPECT_EQ(marks[0], marks[1]);
}

/// Power fails at one moment after the other, and at flash operations.
TEST_F(UsbTest, PowerCutAtACycle) {
  enumerate();
  for (const std::uint64_t ahead : {1U, 1000U, 100'000U}) {
    board->cut_power_at_cycle(board->core().now() + ahead);
    pass(10ms);
    EXPECT_EQ(board->state(), BoardState::NoPower);
    EXPECT_FALSE(board->attached());
    EXPECT_EQ(out(0x00, 9, 1).handshake, Handshake::Gone);
    board->power_cycle();
    EXPECT_EQ(board->run(board->now() + 20ms), BoardStop::Deadline);
    enumerate();
  }
}

TEST_F(BoardTest, PowerCutAtAFlashOperation) {
  board->cut_power_at_flash_operation(1, FlashFault::CutDuring);
  write(0x40022004, 0x45670123);
  write(0x40022004, 0xCDEF89AB);
  write(0x40022010, 1);
  write16(0x08001000, 0x1234);
  pass(1ms);
  EXPECT_EQ(board->state(), BoardState::Running);
  write16(0x08001002, 0x0000);
  EXPECT_EQ(board->state(), BoardState::NoPower);
  board->power_cycle();
  EXPECT_EQ(board->state(), BoardState::Running);
  EXPECT_EQ(read(0x08001000) & 0xFFFF, 0x1234U);
}

}  // namespace
}  // namespace sureflash::sim
