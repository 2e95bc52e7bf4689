// Goal: the example application runs on the board, binary as the cross compiler made it: blinks
// without a cable; with one hands the chip to the ROM, which programs the next version and starts
// it. Method: the files of examples/vbus-dfu; DfuSe requests written from AN3156 and UM0424.
#include <algorithm>
#include <fstream>
#include <iterator>

#include "board_fixture.hpp"
#include <gmock/gmock.h>

namespace sureflash::sim {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

Bytes read_file(const std::string& name) {
  std::ifstream in(std::string(SUREFLASH_EXAMPLES) + "/vbus-dfu/" + name, std::ios::binary);
  const std::vector<char> text((std::istreambuf_iterator<char>(in)), {});
  return {text.begin(), text.end()};
}

class ApplicationTest : public BoardTest {
 protected:
  void run_example(BoardOptions options) {
    image = read_file("vbus-dfu.bin");
    ASSERT_GT(image.size(), 256U);
    const BoardSegment segment{0x08000000, image};
    start(options, {&segment, 1});
  }
  bool wait_attached(Duration limit) {
    const Duration end = board->now() + limit;
    while (!board->attached() && board->now() < end) pass(1ms);
    return board->attached();
  }
  Completion out(std::uint8_t type, std::uint8_t request, std::uint16_t value,
                 const Bytes& data = {}) {
    return board->control({type, request, value, 0, static_cast<std::uint16_t>(data.size())}, data,
                          {}, 1s);
  }
  bool enumerate() {
    board->bus_reset();
    return out(0x00, 5, 1).handshake == Handshake::Ack &&
           out(0x00, 9, 1).handshake == Handshake::Ack;
  }
  /// bState.
  int status() {
    std::array<std::uint8_t, 6> reply{};
    const auto done = board->control({0xA1, 3, 0, 0, 6}, {}, reply, 1s);
    return done.handshake == Handshake::Ack ? reply[4] : -1;
  }
  int command(std::uint16_t block, const Bytes& data) {
    if (out(0x21, 1, block, data).handshake != Handshake::Ack) return -2;
    status();
    pass(100ms);
    return status();
  }
  static Bytes with_address(std::uint8_t code, std::uint32_t address) {
    Bytes bytes{code};
    append_le32(bytes, address);
    return bytes;
  }
  std::size_t toggles(Duration time) {
    events.clear();
    pass(time);
    std::size_t count = 0;
    for (const PinChanged& change : all<PinChanged>()) count += change.port == 'C';
    return count;
  }

  Bytes image;
};

TEST_F(ApplicationTest, BlinksWithoutACable) {
  run_example({.vbus = false});
  EXPECT_NEAR(static_cast<double>(toggles(10s)), 20, 1);
  EXPECT_EQ(board->state(), BoardState::Running);
  EXPECT_FALSE(board->attached());
  EXPECT_THAT(misuses(), IsEmpty());
  EXPECT_THAT(all<FaultTaken>(), IsEmpty());
}

TEST_F(ApplicationTest, WithACableTheRomProgramsAndStartsTheNextVersion) {
  run_example({.vbus = true});
  ASSERT_TRUE(wait_attached(1s));
  EXPECT_EQ(board->state(), BoardState::Rom);
  EXPECT_THAT(all<RomFailed>(), IsEmpty());
  ASSERT_EQ(all<RomEntered>().size(), 1U);
  EXPECT_FALSE(all<RomEntered>()[0].by_boot_pins);
  EXPECT_GT(all<RomEntered>()[0].jumped_from, 0x08000000U);
  ASSERT_TRUE(enumerate());

  const Bytes next = read_file("vbus-dfu-next.bin");
  EXPECT_EQ(command(0, with_address(0x41, 0x08000000)), 5);
  EXPECT_EQ(command(0, with_address(0x21, 0x08000000)), 5);
  EXPECT_EQ(command(2, next), 5);
  EXPECT_EQ(command(0, with_address(0x21, 0x08000000)), 5);
  out(0x21, 1, 2);  // zero-length DNLOAD: leave
  EXPECT_EQ(status(), 7);
  pass(10ms);
  EXPECT_EQ(board->state(), BoardState::Running);
  EXPECT_FALSE(board->attached());
  ASSERT_EQ(all<RomLeft>().size(), 1U);
  EXPECT_NEAR(static_cast<double>(toggles(10s)), 80, 1);
}

/// In the middle of a write, with the block received and not programmed; then once more, and once
/// more from a time when the application runs.
TEST_F(ApplicationTest, ASnapshotGoesBackIntoTheRom) {
  run_example({.vbus = true});
  ASSERT_TRUE(wait_attached(1s));
  ASSERT_TRUE(enumerate());
  const Bytes next = read_file("vbus-dfu-next.bin");
  EXPECT_EQ(command(0, with_address(0x41, 0x08000000)), 5);
  EXPECT_EQ(command(0, with_address(0x21, 0x08000000)), 5);
  ASSERT_EQ(out(0x21, 1, 2, next).handshake, Handshake::Ack);
  const auto saved = board->snapshot();
  ASSERT_NE(saved, nullptr);
  const Duration then = board->now();
  const auto flash = [&] { return board->chip().flash().bytes().first(next.size()); };
  std::vector<Duration> ended;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(board->now(), then);
    EXPECT_EQ(board->state(), BoardState::Rom);
    EXPECT_FALSE(std::ranges::equal(flash(), next));
    status();
    pass(100ms);
    EXPECT_EQ(status(), 5);
    EXPECT_TRUE(std::ranges::equal(flash(), next));
    EXPECT_EQ(command(0, with_address(0x21, 0x08000000)), 5);
    out(0x21, 1, 2);
    EXPECT_EQ(status(), 7);
    pass(10ms);
    EXPECT_EQ(board->state(), BoardState::Running);
    ended.push_back(board->now());
    board->restore(*saved);
  }
  EXPECT_THAT(ended, testing::Each(ended.front()));
}

TEST_F(ApplicationTest, WithAChargerTheRomGivesUpAndTheApplicationRuns) {
  run_example({.hse_hz = 8'000'000});
  pass(60s);
  ASSERT_EQ(all<RomTrial>().size(), 6U);
  EXPECT_EQ(all<RomTrial>()[0].assumed_hz, 25'000'000U);
  EXPECT_TRUE(all<RomTrial>()[2].fits);
  ASSERT_EQ(all<ChipReset>().size(), 1U);
  EXPECT_EQ(all<ChipReset>()[0].cause, ResetCause::Rom);
  EXPECT_EQ(board->state(), BoardState::Running);
  EXPECT_GT(toggles(10s), 18U);
}

TEST_F(ApplicationTest, CrystalsTakeTheirTrials) {
  for (const auto& [hz, first, last] : {std::tuple{25'000'000U, 400ms, 600ms},
                                        {14'745'600U, 4400ms, 4700ms},
                                        {8'000'000U, 13600ms, 14s}}) {
    run_example({.hse_hz = hz});
    bool found = false;
    while (!found && board->now() < 20s) {
      if (wait_attached(20s)) found = enumerate();
      while (!found && board->attached()) pass(1ms);
    }
    ASSERT_TRUE(found) << hz;
    EXPECT_GE(board->now(), first);
    EXPECT_LE(board->now(), last);
  }
}

TEST_F(ApplicationTest, BootPinsStartTheRom) {
  run_example({.boot0 = true});
  ASSERT_TRUE(wait_attached(1s));
  EXPECT_TRUE(enumerate());
  EXPECT_TRUE(all<RomEntered>().empty() || all<RomEntered>()[0].by_boot_pins);
  EXPECT_EQ(board->state(), BoardState::Rom);
}

/// Jumps into the ROM as firmware would, but for what `spoil` does just before.
class RomJumpTest : public ApplicationTest {
 protected:
  void prepare(BoardOptions options = {}) {
    start(options);
    pass(1ms);
  }
  void jump() {
    cpu::Core& core = board->core();
    core.set_reg(0, 0x1FFFE9C1);
    const Bytes code{0x00, 0x47};  // bx r0
    core.poke(kScratch, code);
    core.set_reg(15, kScratch);
    events.clear();
    pass(1ms);
  }
  void set_vtor(std::uint32_t value) { write(0xE000ED08, value); }
  std::string failure() const {
    const auto failed = all<RomFailed>();
    return failed.empty() || failed[0].conditions.empty() ? "" : failed[0].conditions[0].what;
  }
  /// Attached at some time within 2 s, and answers.
  std::pair<bool, bool> usb() {
    const bool seen = wait_attached(2s);
    return {seen, seen && enumerate()};
  }
};

TEST_F(RomJumpTest, WithEveryConditionMet) {
  prepare();
  set_vtor(0x1FFFB000);
  jump();
  EXPECT_EQ(failure(), "");
  EXPECT_EQ(board->state(), BoardState::Rom);
  ASSERT_EQ(all<RomEntered>().size(), 1U);
  EXPECT_EQ(all<RomEntered>()[0].jumped_from, kScratch);
  EXPECT_EQ(usb(), std::pair(true, true));
}

TEST_F(RomJumpTest, InterruptsDisabled) {
  prepare();
  set_vtor(0x1FFFB000);
  execute(0xB672, 0, 0);  // cpsid i
  jump();
  EXPECT_THAT(failure(), HasSubstr("PRIMASK"));
  EXPECT_EQ(board->state(), BoardState::RomDead);
  EXPECT_EQ(usb(), std::pair(true, false));
  pass(60s);
  ASSERT_EQ(all<ChipReset>().size(), 1U);
  EXPECT_EQ(board->state(), BoardState::Running);
}

TEST_F(RomJumpTest, VectorsOfTheApplication) {
  prepare();
  jump();
  EXPECT_THAT(failure(), HasSubstr("VTOR"));
  EXPECT_EQ(usb(), std::pair(true, false));
  // Whether the ROM sets VTOR itself is a switch.
  prepare({.rom_sets_vtor = true});
  jump();
  EXPECT_EQ(failure(), "");
  EXPECT_EQ(usb(), std::pair(true, true));
}

TEST_F(RomJumpTest, NoVbus) {
  prepare({.vbus = false});
  set_vtor(0x1FFFB000);
  jump();
  EXPECT_THAT(failure(), HasSubstr("PA9 is low"));
  board->set_vbus(true);
  EXPECT_EQ(usb(), std::pair(false, false)) << "too late";
  pass(100s);
  EXPECT_EQ(board->state(), BoardState::RomDead);
}

TEST_F(RomJumpTest, ClocksNotAsAfterReset) {
  prepare();
  set_vtor(0x1FFFB000);
  set_bits(0x40021000, 1U << 16);
  pass(3ms);
  write(0x40022000, 0x31);
  write(0x40021004, 1);
  jump();
  EXPECT_THAT(failure(), HasSubstr("system clock is HSE"));
  EXPECT_EQ(usb(), std::pair(true, false));
}

TEST_F(RomJumpTest, ForeignInterrupts) {
  prepare();
  set_vtor(0x1FFFB000);
  write(0xE000E104, 1U << 5);  // ISER1: interrupt 37
  jump();
  EXPECT_THAT(failure(), HasSubstr("enabled: 37"));
  prepare();
  set_vtor(0x1FFFB000);
  write(0xE000E204, 1U << 5);  // ISPR1
  jump();
  EXPECT_THAT(failure(), HasSubstr("pending: 37"));
}

TEST_F(RomJumpTest, SysTickRunning) {
  prepare();
  set_vtor(0x1FFFB000);
  write(0xE000E014, 0xFFFFFF);
  write(0xE000E010, 5);
  jump();
  EXPECT_THAT(failure(), HasSubstr("SysTick"));
  EXPECT_EQ(usb(), std::pair(false, false));
}

TEST_F(RomJumpTest, StackNotInRam) {
  prepare();
  set_vtor(0x1FFFB000);
  board->core().set_reg(13, 0x08000000);
  jump();
  EXPECT_THAT(failure(), HasSubstr("not in RAM"));
  EXPECT_EQ(usb(), std::pair(false, false));
}

TEST_F(RomJumpTest, ReadProtectionResets) {
  prepare();
  board->chip().load_option_bytes(Bytes(16, 0xFF));
  set_vtor(0x1FFFB000);
  jump();
  EXPECT_THAT(failure(), HasSubstr("read-protected"));
  ASSERT_EQ(all<ChipReset>().size(), 1U);
  EXPECT_EQ(board->state(), BoardState::Running);
}

TEST_F(RomJumpTest, ElsewhereInSystemMemoryIsNoCode) {
  prepare();
  cpu::Core& core = board->core();
  core.set_reg(15, 0x1FFFB100);
  events.clear();
  pass(1ms);
  EXPECT_THAT(all<RomEntered>(), IsEmpty());
  EXPECT_GE(all<FaultTaken>().size(), 1U);
}

}  // namespace
}  // namespace sureflash::sim
