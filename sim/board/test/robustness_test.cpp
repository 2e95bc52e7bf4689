// Goal: nothing that firmware or host does crashes or hangs the board, and words that describe a
// board are checked. Method: register accesses and USB traffic by chance, from printed seeds;
// specifications that are wrong in one way each.
#include <random>

#include "board_fixture.hpp"
#include <gmock/gmock.h>

#include "sureflash/sim/board/board_spec.hpp"

namespace sureflash::sim {
namespace {

using testing::HasSubstr;

constexpr std::uint32_t kBlocks[] = {
    0x40000000, 0x40000400, 0x40002C00, 0x40003000, 0x40004400, 0x40006C00, 0x40007000,
    0x40010000, 0x40010400, 0x40010800, 0x40011000, 0x40012C00, 0x40013800, 0x40020000,
    0x40021000, 0x40021000, 0x40022000, 0x40023000, 0x50000000, 0x50000900, 0x50000B00,
    0x50001000, 0x50000800, 0x42420000, 0x08000000, 0x1FFFF800, 0x40001800};

class RobustnessTest : public BoardTest {
 protected:
  std::uint32_t any() {
    const auto value = static_cast<std::uint32_t>(random_());
    switch (value & 7) {
      case 0:
        return 0xFFFFFFFF;
      case 1:
        return 1U << (value >> 3 & 31);
      case 2:
        return value >> 3 & 0xFF;
      default:
        return static_cast<std::uint32_t>(random_());
    }
  }
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }
  void touch_registers() {
    const std::uint32_t address =
        kBlocks[below(std::size(kBlocks))] + (static_cast<std::uint32_t>(random_()) & 0x7C);
    switch (below(8)) {
      case 0:
        read(address);
        break;
      case 1:
        write8(address + below(4), any());
        break;
      case 2:
        write16(address + 2 * below(2), any());
        break;
      default:
        write(address, any());
        break;
    }
  }
  void touch_bus() {
    Bytes data(below(70));
    switch (below(6)) {
      case 0:
        board->bus_reset();
        break;
      case 1:
        board->control({0x40, 1, 0, 0, static_cast<std::uint16_t>(data.size())}, data, {}, 1ms);
        break;
      case 2:
        board->endpoint_out(static_cast<std::uint8_t>(below(4)), data, 1ms);
        break;
      case 3:
        board->endpoint_in(static_cast<std::uint8_t>(below(4)), data, 1ms);
        break;
      case 4:
        board->set_vbus(below(4) != 0);
        break;
      default:
        board->suspend();
        break;
    }
  }

  std::mt19937_64 random_;
};

TEST_F(RobustnessTest, RegistersAndTrafficByChance) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    random_.seed(seed);
    start({.seed = seed});
    const auto all_clocks = [&] {
      write(0x40021014, 0xFFFFFFFF);
      write(0x40021018, 0xFFFFFFFF);
      write(0x4002101C, 0xFFFFFFFF);
    };
    all_clocks();
    for (int i = 0; i < 6000; ++i) {
      touch_registers();
      if (i % 50 == 0) touch_bus();
      if (i % 20 == 0) pass(10us);
      if (board->state() == BoardState::NoPower) board->power_cycle();
      if (board->core().handler_mode() || board->core().locked_up()) board->reset_pin();
      if (i % 500 == 0) all_clocks();
    }
    EXPECT_GT(board->core().instructions(), 6000U);
  }
}

TEST_F(RobustnessTest, NoiseAsFirmware) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    random_.seed(seed);
    Bytes noise(4096);
    for (std::uint8_t& byte : noise) byte = static_cast<std::uint8_t>(random_());
    store_le32(noise, 0, kStack);
    store_le32(noise, 4, 0x08000101);
    const BoardSegment segment{0x08000000, noise};
    start({.seed = seed}, {&segment, 1});
    board->advance_to(200ms);
    EXPECT_GE(board->now(), 200ms);
  }
}

TEST_F(RobustnessTest, TheStopReasonsAreTold) {
  board->stop_on_fault(true);
  board->core().set_reg(15, 0x60000000);
  EXPECT_EQ(board->run(1s), BoardStop::Fault);
  ASSERT_TRUE(board->core().last_fault().has_value());
  EXPECT_EQ(board->core().last_fault()->pc, 0x60000000U);
  EXPECT_EQ(board->run(board->now() + 1s), BoardStop::Fault) << "vectors of 0xFFFFFFFF";
  board->stop_on_fault(false);
  EXPECT_EQ(board->run(board->now() + 1ms), BoardStop::Lockup);
  board->stop_on_reset(true);
  board->reset_pin();
  EXPECT_EQ(board->run(board->now() + 1ms), BoardStop::Reset);
  board->core().add_breakpoint(0x08000100);
  EXPECT_EQ(board->run(board->now() + 1ms), BoardStop::Breakpoint);
  board->core().remove_breakpoint(0x08000100);
  EXPECT_EQ(board->run(board->now() + 1ms), BoardStop::Deadline);
  board->cut_power();
  EXPECT_EQ(board->run(board->now() + 1ms), BoardStop::NoPower);
}

TEST(BoardSpec, SaysWhatItKnows) {
  const auto spec = parse_board("a/b.elf,vbus=0,hse=8M,boot0=1,state=/tmp/x,rom=2.0,cut-cycle=7");
  ASSERT_TRUE(spec.has_value());
  EXPECT_EQ(spec->firmware, "a/b.elf");
  EXPECT_EQ(spec->state_file, "/tmp/x");
  EXPECT_FALSE(spec->options.vbus);
  EXPECT_TRUE(spec->options.boot0);
  EXPECT_EQ(spec->options.hse_hz, 8'000'000U);
  EXPECT_EQ(spec->options.rom, F105RomVersion::V2_0);
  EXPECT_EQ(spec->cut_at_cycle, 7U);
  for (const char* wrong : {"a,", "a,vbus", "a,vbus=2", "a,hse=8X", "a,vbus=0,vbus=0", "a,hse=99M",
                            "a,flash=100", "a,seed=-1", "a,nonsense=1", "a,hse=", "a,rom=3.0"}) {
    const auto refused = parse_board(wrong);
    ASSERT_FALSE(refused.has_value()) << wrong;
    EXPECT_EQ(refused.error().code, Errc::DeviceSpec);
  }
  EXPECT_THAT(parse_board("a,x=1").error().detail, HasSubstr("vbus hse boot0"));
}

}  // namespace
}  // namespace sureflash::sim
