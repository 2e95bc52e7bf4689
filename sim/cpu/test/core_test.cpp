// Goal: what programs cannot see of themselves: lockup, stops, debugging, snapshots, reset, sleep,
// and faults while entering and leaving exceptions. Method: a few halfwords of code each, on the
// test board; expectations from DDI 0403E, B1.5.

#include "test_board.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sureflash::sim::cpu {
namespace {

constexpr std::uint32_t kStart = TestBoard::kProgram;
constexpr std::uint16_t kNop = 0xBF00, kUdf = 0xDE00, kWfi = 0xBF30, kLoop = 0xE7FE, kBxLr = 0x4770;

/// Vector `number` := `handler`, in flash.
void set_vector(TestBoard& board, unsigned number, std::uint32_t handler) {
  const std::uint32_t value = handler | 1;
  std::memcpy(board.flash.data() + 4 * number, &value, 4);
}

TEST(Core, ResetTakesStackAndStartFromTheTable) {
  TestBoard board;
  board.program({kNop});
  EXPECT_EQ(board.core.reg(13), 0x20010000U);
  EXPECT_EQ(board.core.reg(15), kStart);
  EXPECT_EQ(board.core.xpsr(), 0x01000000U);
}

TEST(Core, ErasedFlashLocksUp) {
  TestBoard board;
  board.core.reset();  // vectors 0xFFFFFFFF: no code there, and no handler either
  EXPECT_EQ(board.core.run(10'000), Stop::Lockup);
  ASSERT_TRUE(board.core.last_fault());
  EXPECT_EQ(board.core.last_fault()->exception, 0);
  EXPECT_LT(board.core.now(), 10'000U);
  EXPECT_EQ(board.core.run(10'000), Stop::Lockup);  // only time passes
  EXPECT_EQ(board.core.now(), 10'000U);
}

TEST(Core, FaultInHardFaultLocksUp) {
  TestBoard board;
  board.program({kUdf, kUdf + 1});
  set_vector(board, exception::kHardFault, kStart + 2);
  EXPECT_EQ(board.core.run(1000), Stop::Lockup);
  EXPECT_EQ(board.core.last_fault()->pc, kStart + 2);
  EXPECT_EQ(board.core.last_fault()->exception, 0);
}

TEST(Core, FaultRecordIsExactAndBranchesAreKept) {
  TestBoard board;
  board.program(
      {0xE001, kNop, kNop, 0x2530, 0x062D, 0x6828, kNop});  // b; r5 = 0x30 << 24; ldr r0, [r5]
  set_vector(board, exception::kHardFault, kStart);
  board.core.add_breakpoint(kStart);
  EXPECT_EQ(board.core.run(1000), Stop::Breakpoint);  // of the reset itself
  EXPECT_FALSE(board.core.last_fault());
  EXPECT_EQ(board.core.run(1000), Stop::Breakpoint);
  const FaultRecord& f = *board.core.last_fault();
  EXPECT_EQ(f.pc, kStart + 10);
  EXPECT_EQ(f.exception, exception::kHardFault);
  EXPECT_EQ(f.cfsr, cfsr::kPreciseErr);
  EXPECT_EQ(f.hfsr, hfsr::kForced);
  EXPECT_EQ(f.address, 0x30000000U);
  EXPECT_EQ(f.registers[5], 0x30000000U);
  const auto branches = board.core.last_branches();
  ASSERT_EQ(branches.size(), 2U);
  EXPECT_EQ(branches[0].from, kStart);
  EXPECT_EQ(branches[0].to, kStart + 6);
  EXPECT_EQ(branches[1].to, kStart);
}

TEST(Core, FaultInsideAnItBlockStacksItsPlaceThere) {
  TestBoard board;
  // r5 = 0x30 << 24; cmp r5, r5; itt eq; addeq r1, #1; ldreq r0, [r5]
  board.program({0x2530, 0x062D, 0x42AD, 0xBF04, 0x3101, 0x6828, kLoop});
  set_vector(board, exception::kHardFault, kStart + 12);
  board.core.run(200);
  EXPECT_EQ(board.core.last_fault()->pc, kStart + 10);
  std::uint32_t stacked_xpsr = 0;
  std::memcpy(&stacked_xpsr, board.ram.data() + 0xFFE0 + 28, 4);
  EXPECT_EQ(stacked_xpsr, 0x61000800U);  // Z, C, Thumb; one instruction left, condition EQ
  EXPECT_EQ(board.core.reg(1), 1U);
}

TEST(Core, StoreFaultsAreImpreciseLikeSiliconWhenAskedFor) {
  for (const bool imprecise : {false, true}) {
    TestBoard board(Config{.imprecise_store_faults = imprecise});
    board.program({0x2530, 0x062D, 0x6028, kLoop});  // str r0, [r5] to nowhere
    set_vector(board, exception::kHardFault, kStart + 6);
    board.core.run(200);
    EXPECT_EQ(board.core.state().ipsr, exception::kHardFault);
    EXPECT_EQ(board.core.state().cfsr,
              imprecise ? cfsr::kImpreciseErr : cfsr::kPreciseErr | cfsr::kBfarValid);
    EXPECT_EQ(board.core.last_fault()->pc, kStart + 4);
    std::uint32_t stacked_pc = 0;
    std::memcpy(&stacked_pc, board.ram.data() + 0xFFE0 + 24, 4);
    EXPECT_EQ(stacked_pc, imprecise ? kStart + 6 : kStart + 4);
  }
}

TEST(Core, StackingFaultBecomesHardFault) {
  TestBoard board;
  board.program({kUdf, kLoop});
  set_vector(board, exception::kHardFault, kStart + 2);
  set_vector(board, exception::kUsageFault, kStart + 2);
  State s = board.core.state();
  s.r[13] = 0x20000010;  // the frame does not fit
  s.enabled.assign(exception::kUsageFault, true);
  board.core.restore(s);
  board.core.run(200);
  EXPECT_EQ(board.core.state().ipsr, exception::kHardFault);
  EXPECT_EQ(board.core.state().cfsr, cfsr::kUndefInstr | cfsr::kStkErr);
  EXPECT_EQ(board.core.state().hfsr, hfsr::kForced);
  EXPECT_TRUE(board.core.state().pending.test(exception::kUsageFault));
}

TEST(Core, IllegalExceptionReturnIsInvPc) {
  TestBoard board;
  board.program({0xDF00, kNop, 0xF04F, 0x0001, 0xF6CF, 0x70FF, 0x4700, kNop, kLoop});
  // svc; handler: mov.w r0, #1; movt r0, #0xFFFF; bx r0: return to handler mode, where there is
  // none
  set_vector(board, exception::kSvCall, kStart + 4);
  set_vector(board, exception::kHardFault, kStart + 16);
  board.core.run(200);
  EXPECT_EQ(board.core.state().ipsr, exception::kHardFault);
  EXPECT_EQ(board.core.state().cfsr, cfsr::kInvPc);
  EXPECT_FALSE(board.core.state().active.test(exception::kSvCall));
}

TEST(Core, MissingVectorTableIsVectTbl) {
  TestBoard board;
  board.program({0xDF00, kLoop});
  State s = board.core.state();
  s.vtor = 0x30000000;
  board.core.restore(s);
  EXPECT_EQ(board.core.run(1000), Stop::Lockup);  // nor is there a HardFault vector
  EXPECT_NE(board.core.state().hfsr & hfsr::kVectTbl, 0U);
}

TEST(Core, FlashWaitStatesCostJumpsAndLoads) {
  // movs r0, #0; adds r1, #1 (4 times); ldr r2, [r0]; b to the first adds
  const auto cycles_of_a_turn = [](std::uint8_t wait_states) {
    TestBoard board;
    board.program({0x2000, 0x3101, 0x3101, 0x3101, 0x3101, 0x6802, 0xE7F9});
    for (const std::uint32_t begin : {0x08000000U, 0U}) {
      board.core.map({.begin = begin,
                      .size = TestBoard::kFlashSize,
                      .data = board.flash.data(),
                      .wait_states = wait_states});
    }
    board.core.step();
    const std::uint64_t before = board.core.now();
    for (int i = 0; i < 60; ++i) board.core.step();  // ten turns
    return (board.core.now() - before) / 10;
  };
  EXPECT_EQ(cycles_of_a_turn(1) - cycles_of_a_turn(0), 2U) << "one for the load, one for the jump";
  EXPECT_EQ(cycles_of_a_turn(2) - cycles_of_a_turn(0), 4U);
}

TEST(Core, WfiJumpsToTheNextEvent) {
  TestBoard board;
  board.program({kWfi, kLoop});
  board.deadline = 1'000'000;
  board.core.run(2000);
  EXPECT_TRUE(board.core.asleep());
  EXPECT_EQ(board.core.now(), 2000U);
  State s = board.core.state();
  s.enabled.assign(exception::kIrq0 + 5, true);
  board.core.restore(s);
  set_vector(board, exception::kIrq0 + 5, kStart + 2);
  const std::uint64_t before = board.core.instructions();
  board.core.run(1'000'100);
  EXPECT_EQ(board.core.state().ipsr, exception::kIrq0 + 5);
  EXPECT_LT(board.core.instructions() - before, 100U);
}

TEST(Core, NextInterruptIsTailChained) {
  TestBoard board;
  board.program({kNop, kLoop, kBxLr});
  for (const unsigned line : {0U, 1U}) set_vector(board, exception::kIrq0 + line, kStart + 4);
  State s = board.core.state();
  s.enabled.assign(exception::kIrq0, true);
  s.enabled.assign(exception::kIrq0 + 1, true);
  board.core.restore(s);
  board.core.set_irq(0, true);
  board.core.set_irq(1, true);
  board.core.set_irq(0, false);
  board.core.set_irq(1, false);
  board.core.step();  // first handler returns, second begins: same frame, no return to the program
  EXPECT_EQ(board.core.state().ipsr, exception::kIrq0 + 1);
  EXPECT_EQ(board.core.reg(13), 0x20010000U - 32);
  EXPECT_EQ(board.core.reg(14), 0xFFFFFFF9U);
  board.core.step();
  EXPECT_EQ(board.core.state().ipsr, 0);
  EXPECT_EQ(board.core.reg(13), 0x20010000U);
}

TEST(Core, BreakpointsHoldWhereTheClockEndedTheRun) {
  for (std::uint64_t slice = 1; slice <= 4; ++slice) {
    TestBoard board;
    board.program({0x2001, 0x2102, 0x2203, kLoop});
    board.core.add_breakpoint(kStart + 4);
    Stop why = Stop::Deadline;
    for (int i = 0; i < 20 && why == Stop::Deadline; ++i)
      why = board.core.run(board.core.now() + slice);
    EXPECT_EQ(why, Stop::Breakpoint) << slice;
    EXPECT_EQ(board.core.reg(2), 0U);
    EXPECT_EQ(board.core.run(board.core.now() + 100), Stop::Deadline) << "it goes on from there";
  }
}

TEST(Core, MistakesThatSiliconLetsPassAreTold) {
  TestBoard board;
  // movs r1, #0; udiv r0, r0, r1; udiv r0, r0, r1; push {r0, r1}; bl to the push
  board.program({0x2100, 0xFBB0, 0xF0F1, 0xFBB0, 0xF0F1, 0xB403, 0xF7FF, 0xFFFD});
  board.core.watch_for_mistakes(0x2000FFE8);
  for (const std::uint32_t place : {kStart + 2, kStart + 6}) {
    EXPECT_EQ(board.core.run(1000), Stop::Requested);
    const auto mistakes = board.core.take_mistakes();
    ASSERT_EQ(mistakes.size(), 1U);
    EXPECT_EQ(mistakes[0].what, Mistake::DividedByZero);
    EXPECT_EQ(mistakes[0].pc, place);
    EXPECT_TRUE(board.core.take_mistakes().empty());
  }
  EXPECT_EQ(board.core.run(1000), Stop::Requested);
  const auto mistakes = board.core.take_mistakes();
  ASSERT_EQ(mistakes.size(), 1U);
  EXPECT_EQ(mistakes[0].what, Mistake::StackOverflow);
  EXPECT_EQ(mistakes[0].pc, kStart + 10);
  EXPECT_EQ(mistakes[0].registers[13], 0x2000FFE0U) << "the first below the limit";
  EXPECT_EQ(board.core.run(board.core.now() + 100), Stop::Deadline) << "told once";
}

TEST(Core, WhatAResetPutsAnEndToIsKept) {
  TestBoard board;
  board.program({0x2007, kNop, kLoop});  // movs r0, #7
  board.core.run(100);
  board.core.reset();
  EXPECT_EQ(board.core.before_reset().registers[15], kStart + 4);
  EXPECT_EQ(board.core.before_reset().registers[0], 7U);
  EXPECT_EQ(board.core.before_reset().branches.back().to, kStart + 4);
  EXPECT_EQ(board.core.reg(15), kStart);
}

TEST(Core, MistakesPassUnlessAskedFor) {
  TestBoard board;
  board.program({0x2100, 0xFBB0, 0xF0F1, 0xB403, kLoop});
  EXPECT_EQ(board.core.run(1000), Stop::Deadline);
}

TEST(Core, BreakpointsAndSteps) {
  TestBoard board;
  board.program({0x2001, 0x2102, 0x2203, kLoop});
  board.core.add_breakpoint(kStart + 4);
  EXPECT_EQ(board.core.run(1000), Stop::Breakpoint);
  EXPECT_EQ(board.core.reg(15), kStart + 4);
  EXPECT_EQ(board.core.reg(2), 0U);
  EXPECT_EQ(board.core.step(), Stop::Stepped);  // not stopped again where it stands
  EXPECT_EQ(board.core.reg(2), 3U);
  EXPECT_EQ(board.core.reg(15), kStart + 6);
  board.core.remove_breakpoint(kStart + 4);
  EXPECT_EQ(board.core.run(board.core.now() + 100), Stop::Deadline);
}

TEST(Core, WatchpointsSeeReadsAndWrites) {
  TestBoard board;
  board.program({0x2520, 0x062D, 0x6868, 0x60A8, kLoop});  // ldr r0, [r5, #4]; str r0, [r5, #8]
  board.core.add_watchpoint(0x20000009, 1, Access::Write);
  EXPECT_EQ(board.core.run(1000), Stop::Watchpoint);
  EXPECT_EQ(board.core.reg(15), kStart + 8);
  EXPECT_EQ(board.core.watch_hit(), 0x20000008U);
  board.core.remove_watchpoint(0x20000009);
  board.core.add_watchpoint(0x20000004, 4, Access::Read);
  board.core.reset();
  EXPECT_EQ(board.core.run(1000), Stop::Watchpoint);
  EXPECT_EQ(board.core.reg(15), kStart + 6);
}

TEST(Core, BkptStopsWhenADebuggerWantsIt) {
  TestBoard board;
  board.program({kNop, 0xBE00, kLoop});
  board.core.set_halt_on_bkpt(true);
  EXPECT_EQ(board.core.run(1000), Stop::BkptInstruction);
  EXPECT_EQ(board.core.reg(15), kStart + 2);
}

TEST(Core, SnapshotGoesBack) {
  TestBoard board;
  board.program({0x3001, 0xE7FD});  // adds r0, #1; b
  board.core.run(1000);
  const State saved = board.core.state();
  board.core.run(5000);
  EXPECT_GT(board.core.reg(0), saved.r[0]);
  board.core.restore(saved);
  EXPECT_EQ(board.core.now(), saved.cycles);
  board.core.run(5000);
  const auto once = board.core.reg(0);
  board.core.restore(saved);
  board.core.run(5000);
  EXPECT_EQ(board.core.reg(0), once);
}

TEST(Core, ReprogrammedFlashIsDecodedAnew) {
  TestBoard board;
  board.program({0x2001, 0xE7FD});  // movs r0, #1
  board.core.run(100);
  EXPECT_EQ(board.core.reg(0), 1U);
  board.flash[kStart - 0x08000000] = 2;
  board.core.run(200);
  EXPECT_EQ(board.core.reg(0), 2U);
}

TEST(Core, ResetRequestStopsAndTellsTheBoard) {
  TestBoard board;
  // ldr r0, =key and SYSRESETREQ; ldr r1, =AIRCR; str r0, [r1]
  board.program({0x4801, 0x4902, 0x6008, kLoop, 0x0004, 0x05FA, 0xED0C, 0xE000});
  EXPECT_EQ(board.core.run(1000), Stop::ResetRequested);
  EXPECT_EQ(board.reset_requests, 1U);
}

TEST(Core, DebuggerReadsAndWritesWithoutSideEffects) {
  TestBoard board;
  board.program({kLoop});
  std::array<std::uint8_t, 8> bytes{1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(board.core.poke(0x20000001, bytes), 8U);
  std::array<std::uint8_t, 8> back{};
  EXPECT_EQ(board.core.peek(0x20000001, back), 8U);
  EXPECT_EQ(back, bytes);
  EXPECT_EQ(board.core.poke(0x08000200, bytes), 8U);  // flash too
  EXPECT_EQ(board.core.peek(0x2000FFFC, back), 4U);   // the end of memory
  State s = board.core.state();
  s.systick_ctrl = 1U << 16;
  board.core.restore(s);
  EXPECT_EQ(board.core.peek(0xE000E010, back), 8U);
  EXPECT_EQ(back[2], 1);
  EXPECT_EQ(board.core.state().systick_ctrl, 1U << 16);  // COUNTFLAG is still set
  EXPECT_FALSE(board.core.last_fault());
}

TEST(Core, InstructionAtTheEndOfMemory) {
  TestBoard board;
  board.program({kNop});
  set_vector(board, exception::kHardFault, kStart);
  // movs r0, #7 is the last halfword of RAM; behind it is nothing.
  board.ram[0xFFFE] = 7;
  board.ram[0xFFFF] = 0x20;
  board.core.set_reg(15, 0x2000FFFE);
  board.core.set_reg(13, 0x20008000);
  board.core.step();
  EXPECT_EQ(board.core.reg(0), 7U);
  board.core.step();
  EXPECT_EQ(board.core.state().cfsr, cfsr::kIBusErr);
  EXPECT_EQ(board.core.last_fault()->pc, 0x20010000U);
}

}  // namespace
}  // namespace sureflash::sim::cpu
