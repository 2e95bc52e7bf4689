// Goal: RCC of connectivity line devices behaves as RM0008 chapter 8 says. Method: the sequences of
// a start-up file, written as register accesses with the numbers of the manual.
#include "board_fixture.hpp"
#include <gmock/gmock.h>

namespace sureflash::sim {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint32_t kCr = 0x40021000, kCfgr = 0x40021004, kCir = 0x40021008,
                        kApb2enr = 0x40021018, kCsr = 0x40021024, kCfgr2 = 0x4002102C,
                        kAcr = 0x40022000;

class RccTest : public BoardTest {
 protected:
  void wait_for(std::uint32_t address, std::uint32_t mask, std::uint32_t value) {
    const Duration limit = board->now() + 10ms;
    while ((read(address) & mask) != value) ASSERT_LT(board->now(), limit);
  }
  /// 25 MHz / 5 × 8 = 40, / 5 × 9 = 72 MHz, as in ST's system_stm32f10x.c for connectivity line.
  void to_72_mhz() {
    set_bits(kCr, 1U << 16);
    wait_for(kCr, 1U << 17, 1U << 17);
    write(kAcr, 0x12);
    write(kCfgr2, 4U | 4U << 4 | 6U << 8 | 1U << 16);
    set_bits(kCr, 1U << 26);
    wait_for(kCr, 1U << 27, 1U << 27);
    write(kCfgr, 4U << 8 | 1U << 16 | 7U << 18);
    set_bits(kCr, 1U << 24);
    wait_for(kCr, 1U << 25, 1U << 25);
    set_bits(kCfgr, 2);
    wait_for(kCfgr, 3U << 2, 2U << 2);
  }
};

TEST_F(RccTest, ResetValues) {
  EXPECT_EQ(read(kCr) & 0xFFFF00FF, 0x83U);
  EXPECT_EQ(read(kCfgr), 0U);
  EXPECT_EQ(read(0x40021014), 0x14U);
  EXPECT_EQ(read(kApb2enr), 0U);
  EXPECT_EQ(read(0x4002101C), 0U);
  EXPECT_EQ(read(kCsr), 0x0C000000U) << "power-on";
  EXPECT_EQ(read(kCfgr2), 0U);
  EXPECT_EQ(board->core_hz(), 8'000'000U);
}

TEST_F(RccTest, SystemClockThroughBothPlls) {
  to_72_mhz();
  EXPECT_EQ(board->core_hz(), 72'000'000U);
  EXPECT_THAT(misuses(), IsEmpty());
  const std::uint64_t cycles = board->core().now();
  const Duration before = board->now();
  pass(1ms);
  EXPECT_NEAR(static_cast<double>(board->core().now() - cycles), 72'000, 10);
  EXPECT_NEAR(static_cast<double>((board->now() - before).count()), 1e6, 100);
}

TEST_F(RccTest, ACrystalTakesTimeAndMayBeMissing) {
  set_bits(kCr, 1U << 16);
  EXPECT_EQ(read(kCr) & 1U << 17, 0U);
  pass(2ms);
  EXPECT_EQ(read(kCr) & 1U << 17, 1U << 17);
  start({.hse_hz = 0});
  set_bits(kCr, 1U << 16);
  pass(1s);
  EXPECT_EQ(read(kCr) & 1U << 17, 0U);
  write(kCfgr, 1);
  EXPECT_EQ(read(kCfgr), 1U) << "SWS stays at HSI until HSE is ready";
}

TEST_F(RccTest, WhatTheSystemClockComesFromStaysOn) {
  to_72_mhz();
  write(kCr, read(kCr) & ~(1U << 24 | 1U << 26 | 1U << 16));
  EXPECT_EQ(read(kCr) >> 16 & 0xF01, 0xF01U);
  EXPECT_EQ(misuses().size(), 3U);
}

TEST_F(RccTest, PllSettingsAreLockedWhileItRuns) {
  to_72_mhz();
  write(kCfgr, (read(kCfgr) & ~(15U << 18)) | 2U << 18);
  EXPECT_EQ(read(kCfgr) >> 18 & 15, 7U);
  EXPECT_THAT(misuses().at(0), HasSubstr("PLLMUL"));
  EXPECT_EQ(board->core_hz(), 72'000'000U);
}

TEST_F(RccTest, WhatReservedMultipliersDoIsASwitch) {
  // HSI / 2 x 12, OTGFSPRE = 1: 48 MHz for core and USB, on the parts that have it.
  const auto turn_on = [&] {
    write(kAcr, 0x31);
    write(kCfgr, 10U << 18 | 1U << 22 | 4U << 8);
    set_bits(kCr, 1U << 24);
    pass(1ms);
    set_bits(kCfgr, 2);
    pass(1ms);
  };
  turn_on();
  EXPECT_EQ(board->core_hz(), 48'000'000U);
  EXPECT_THAT(misuses().at(0), HasSubstr("PLLMUL is 10, which is reserved"));
  start({.reserved_pllmul_multiplies = false});
  turn_on();
  EXPECT_EQ(board->core_hz(), 8'000'000U);
}

TEST_F(RccTest, LatencyTooSmallIsReported) {
  set_bits(kCr, 1U << 16);
  pass(2ms);
  write(kCfgr, 1);
  EXPECT_THAT(misuses().at(0), HasSubstr("LATENCY is 0 with a core clock of 25 MHz"));
}

TEST_F(RccTest, ReadyInterrupt) {
  write(kCir, 1U << 11);  // HSERDYIE
  set_bits(kCr, 1U << 16);
  pass(3ms);
  EXPECT_EQ(read(kCir) & 1U << 3, 1U << 3);
  write(kCir, 1U << 11 | 1U << 19);  // HSERDYC
  EXPECT_EQ(read(kCir) & 1U << 3, 0U);
  EXPECT_EQ(read(0xE000E200), 1U << 5) << "interrupt 5 is pending";
}

TEST_F(RccTest, ResetFlagsStayUntilCleared) {
  write(0xE000ED0C, 0x05FA0004);  // AIRCR.SYSRESETREQ
  ASSERT_EQ(all<ChipReset>().size(), 1U);
  EXPECT_EQ(all<ChipReset>()[0].cause, ResetCause::Software);
  EXPECT_EQ(read(kCsr), 0x1C000000U);
  write(kCsr, 1U << 24);
  EXPECT_EQ(read(kCsr), 0U);
  board->reset_pin();
  pass(1ms);
  EXPECT_EQ(read(kCsr), 0x04000000U);
}

TEST_F(RccTest, WithoutClockABlockReadsZeroAndIgnoresWrites) {
  EXPECT_EQ(read(0x40010800), 0U) << "GPIOA_CRL, whose reset value is 0x44444444";
  EXPECT_THAT(misuses().at(0), HasSubstr("GPIOA_CRL"));
  events.clear();
  write(0x4001100C, 1U << 6);  // GPIOC_ODR
  EXPECT_EQ(read(0x4001100C), 0U);
  ASSERT_EQ(misuses().size(), 1U);
  EXPECT_THAT(misuses().at(0), HasSubstr("GPIOC_ODR"));
  EXPECT_THAT(misuses().at(0), HasSubstr("RCC_APB2ENR bit 4"));
  write(kApb2enr, 1U << 4);
  write(0x4001100C, 1U << 6);
  EXPECT_EQ(read(0x4001100C), 1U << 6);
}

TEST_F(RccTest, UnmodelledRegistersAreNamedOnce) {
  write(0x4002101C, 1U << 21);
  write(0x40005410, 7);
  EXPECT_EQ(read(0x40005410), 7U);
  ASSERT_EQ(all<UnknownRegister>().size(), 1U);
  EXPECT_EQ(all<UnknownRegister>()[0].name, "I2C1_DR");
  EXPECT_EQ(all<UnknownRegister>()[0].value, 7U);
  read(0x40021030);
  read(0x40021030);
  ASSERT_EQ(all<UnknownRegister>().size(), 2U);
  EXPECT_EQ(all<UnknownRegister>()[1].name, "RCC+0x030");
}

TEST_F(RccTest, WhatIsNotThereFaults) {
  for (const std::uint32_t nowhere : {0x20010000U, 0x40030000U, 0x60000000U, 0x08040000U}) {
    start({});
    read(nowhere);
    EXPECT_TRUE(faulted()) << std::hex << nowhere;
    ASSERT_EQ(all<FaultTaken>().size(), 1U);
    EXPECT_EQ(all<FaultTaken>()[0].fault.address, nowhere);
    EXPECT_EQ(all<FaultTaken>()[0].fault.pc, kScratch);
  }
  start({});
  EXPECT_EQ(read(0x40001800), 0U) << "reserved, behind the bridge";
  EXPECT_FALSE(faulted());
}

TEST_F(RccTest, SegmentsMustBeInMemory) {
  const Bytes bytes{1, 2, 3, 4};
  const BoardSegment segment{0x08040000, bytes};
  const auto made = Board::create({}, {&segment, 1});
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, Errc::NotForThisDevice);
  EXPECT_FALSE(Board::create({.flash_kib = 100}).has_value());
}

}  // namespace
}  // namespace sureflash::sim
