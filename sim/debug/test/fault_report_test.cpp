// Goal: each way in which a firmware dies ends in a report that names the kind, the instruction
// with symbol and line, what it touched, and how it came there. Method: firmware/faults.c of the
// cross compiler, one program for each way, on the core.

#include "sureflash/sim/debug/fault_report.hpp"

#include "../../cpu/test/test_board.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sureflash/base/text.hpp"

namespace sureflash::sim::debug {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Faults : public testing::Test {
 protected:
  void load(int which) {
    auto elf = firmware::Elf::open(std::string(SUREFLASH_FAULTS_DIR) + "/fault" +
                                   std::to_string(which) + ".elf");
    ASSERT_TRUE(elf) << message(elf.error());
    elf_.emplace(*std::move(elf));
    board_ = std::make_unique<cpu::TestBoard>();
    for (const firmware::Segment& s : elf_->segments()) {
      std::ranges::copy(s.bytes, board_->flash.begin() + (s.address - 0x08000000));
    }
    board_->core.reset();
  }
  /// Runs until the core has faulted. Time bounds it.
  FaultReport fault(int which) {
    load(which);
    board_->core.run(100'000);
    if (!board_->core.last_fault()) {
      ADD_FAILURE() << "no fault";
      return {};
    }
    return report(*board_->core.last_fault(), board_->core, &*elf_);
  }
  FaultReport mistake(int which) {
    load(which);
    board_->core.watch_for_mistakes(elf_->data_end());
    EXPECT_EQ(board_->core.run(1'000'000), cpu::Stop::Requested);
    return report(board_->core.take_mistakes().at(0), board_->core, &*elf_);
  }
  static std::string all(const FaultReport& r) {
    std::string text;
    for (const std::string& line : lines(r)) text += line + "\n";
    return text;
  }

  std::unique_ptr<cpu::TestBoard> board_;
  std::optional<firmware::Elf> elf_;
};

TEST_F(Faults, JumpsIntoNowhere) {
  const FaultReport r = fault(1);
  EXPECT_EQ(r.kind, "BusFault: no code at 0x60000000, escalated to HardFault");
  EXPECT_EQ(r.at.address, 0x60000000U);
  EXPECT_EQ(r.instruction, "");
  EXPECT_THAT(r.hint, StartsWith("a jump to nowhere"));
  ASSERT_TRUE(r.caller);
  EXPECT_EQ(r.caller->place.symbol, "jump");
  EXPECT_EQ(r.branches[0].first.place.symbol, "jump");
  EXPECT_EQ(r.branches[0].first.place.line, 17U);
  EXPECT_EQ(r.branches[0].second.address, 0x60000000U);
  EXPECT_EQ(r.branches[1].second.place.symbol, "jump");
  EXPECT_EQ(r.branches[1].first.place.symbol, "body");
  EXPECT_EQ(r.cfsr, "0x00000100 IBUSERR");
  EXPECT_EQ(r.hfsr, "0x40000000 FORCED");
}

TEST_F(Faults, WritesFlashWhileLocked) {
  const FaultReport r = fault(2);
  EXPECT_EQ(r.kind, "BusFault: precise data access at 0x08003000, escalated to HardFault");
  EXPECT_EQ(r.at.place.symbol, "write_flash");
  EXPECT_EQ(r.at.place.line, 22U);
  EXPECT_THAT(r.instruction, StartsWith("strh"));
  EXPECT_THAT(r.hint, HasSubstr("FLASH_KEYR"));
  EXPECT_EQ(r.caller->place.symbol, "body");
}

TEST_F(Faults, DividesByZero) {
  const FaultReport r = fault(3);
  EXPECT_EQ(r.kind, "UsageFault: divide by zero");
  EXPECT_EQ(r.at.place.symbol, "divide");
  EXPECT_EQ(r.at.place.line, 13U);
  EXPECT_THAT(r.instruction, StartsWith("udiv"));
  EXPECT_EQ(r.registers[0].second, 10U);
  EXPECT_EQ(r.registers[1].second, 0U);
  EXPECT_EQ(r.cfsr, "0x02000000 DIVBYZERO");
}

TEST_F(Faults, DividesByZeroInSilence) {
  const FaultReport r = mistake(4);
  EXPECT_EQ(r.kind, "divide by zero, which the core lets pass");
  EXPECT_EQ(r.at.place.line, 13U);
}

TEST_F(Faults, StackGrowsIntoData) {
  const FaultReport r = mistake(5);
  EXPECT_EQ(r.kind, "stack overflow: the stack grew into data");
  EXPECT_EQ(r.at.place.symbol, "recurse");
  EXPECT_THAT(r.hint, HasSubstr("data reaches to 0x20001004"));
}

TEST_F(Faults, StackLeavesRam) {
  const FaultReport r = fault(5);
  EXPECT_THAT(r.kind, HasSubstr("BusFault"));
  EXPECT_THAT(r.hint, HasSubstr("stack overflow: the stack pointer 0x1FFF"));
  EXPECT_THAT(all(r), HasSubstr("recurse"));
}

TEST_F(Faults, OtherKinds) {
  EXPECT_THAT(fault(6).kind, StartsWith("UsageFault: jump to an address without the Thumb bit"));
  EXPECT_THAT(fault(7).hint, HasSubstr("no floating-point unit"));
  EXPECT_THAT(fault(8).kind, StartsWith("UsageFault: undefined instruction"));
  EXPECT_THAT(fault(9).hint, HasSubstr("semihosting"));
  EXPECT_THAT(fault(10).kind, StartsWith("MemManage fault: no code may run at 0x40000000"));
  EXPECT_THAT(fault(12).hint, HasSubstr("just behind RAM"));
}

TEST_F(Faults, Lockup) {
  const FaultReport r = fault(11);
  EXPECT_THAT(r.kind, StartsWith("Lockup: "));
  EXPECT_THAT(all(r), HasSubstr("jump"));
}

TEST_F(Faults, WithoutSymbolsThereAreNumbers) {
  load(3);
  board_->core.run(100'000);
  const FaultReport r = report(*board_->core.last_fault(), board_->core, nullptr);
  EXPECT_EQ(text(r.at), hex(r.at.address));
  EXPECT_THAT(r.instruction, StartsWith("udiv"));
}

TEST_F(Faults, ScreenOfOne) {
  EXPECT_EQ(all(fault(3)), R"(UsageFault: divide by zero
  at           0x0800001E divide (firmware/faults.c:13): udiv r0, r0, r1
  called from  0x08000080 body+0x2A (firmware/faults.c:40)
  hint         CCR.DIV_0_TRP is on, so a division by 0 is a fault
  CFSR         0x02000000 DIVBYZERO
  registers    r0   0x0000000A  r1   0x00000000  r2   0x00040000  r3   0xE000E000
               r4   0x20000000  r5   0x00000000  r6   0x00000000  r7   0x00000000
               r8   0x00000000  r9   0x00000000  r10  0x00000000  r11  0x00000000
               r12  0x00000000  sp   0x2000FFF0  lr   0x08000083  pc   0x0800001E
               xpsr 0x01000000
  came by      0x0800007E body+0x28 (firmware/faults.c:40) -> 0x0800001E divide (firmware/faults.c:13)
               0x0800008E Reset_Handler+0x2 (firmware/faults.c:64) -> 0x08000056 body (firmware/faults.c:31)
)");
}

}  // namespace
}  // namespace sureflash::sim::debug
