// Goal: exceptions, faults, priorities, stacks, SysTick, sleep, bit-band and code in RAM work as a
// program on the core sees them. Method: firmware/program.c checks them itself, compiled by
// arm-none-eabi-gcc at three levels of optimisation; it reports lines of failed checks and the
// number of checks made to a test device.

#include "test_board.hpp"
#include <gtest/gtest.h>

namespace sureflash::sim::cpu {
namespace {

class ProgramTest : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Optimised, ProgramTest, testing::Values("O0", "O2", "Os"));

TEST_P(ProgramTest, ChecksItself) {
  constexpr std::uint64_t kLimit = 20'000'000;
  TestBoard board;
  board.load(std::string(SUREFLASH_FIRMWARE_DIR) + "/program_" + GetParam() + ".bin");
  EXPECT_EQ(board.core.run(kLimit), Stop::Requested);
  EXPECT_EQ(board.failures, std::vector<std::uint32_t>{}) << "lines of firmware/program.c";
  EXPECT_EQ(board.exit_value, 146U) << "checks";
  if (board.exit_value == 0 && board.core.last_fault()) {
    const FaultRecord& f = *board.core.last_fault();
    ADD_FAILURE() << std::hex << "last fault " << f.exception << " at " << f.pc << " cfsr "
                  << f.cfsr << ", pc now " << board.core.reg(15);
  }
}

}  // namespace
}  // namespace sureflash::sim::cpu
