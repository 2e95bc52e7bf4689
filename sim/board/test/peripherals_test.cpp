// Goal: watchdogs, USART, CRC unit, timers and flash registers as RM0008 and PM0075 describe them.
// Method: the manual's procedures as register accesses; expected CRC from binascii of Python on
// words with reversed bits.
#include "board_fixture.hpp"
#include <gmock/gmock.h>

namespace sureflash::sim {
namespace {

using testing::HasSubstr;

constexpr std::uint32_t kApb2enr = 0x40021018, kApb1enr = 0x4002101C, kCsr = 0x40021024;

class PeripheralsTest : public BoardTest {
 protected:
  std::vector<ResetCause> resets() const {
    std::vector<ResetCause> causes;
    for (const ChipReset& reset : all<ChipReset>()) causes.push_back(reset.cause);
    return causes;
  }
};

TEST_F(PeripheralsTest, IndependentWatchdogResetsUnlessFed) {
  write(0x40003000, 0x5555);
  write(0x40003004, 1);    // / 8
  write(0x40003008, 999);  // 1000 x 8 / 40 kHz = 200 ms
  EXPECT_EQ(read(0x4000300C), 3U);
  pass(1ms);
  EXPECT_EQ(read(0x4000300C), 0U);
  write(0x40003000, 0xCCCC);
  for (int i = 0; i < 5; ++i) {
    pass(150ms);
    write(0x40003000, 0xAAAA);
  }
  EXPECT_TRUE(resets().empty());
  pass(195ms);
  EXPECT_TRUE(resets().empty());
  pass(10ms);
  EXPECT_EQ(resets(), std::vector{ResetCause::IndependentWatchdog});
  EXPECT_EQ(read(kCsr) & 0xFC000000, 0x2C000000U);
  pass(10s);
  EXPECT_EQ(resets().size(), 1U) << "a system reset stops it";
}

TEST_F(PeripheralsTest, IndependentWatchdogIsWriteProtected) {
  write(0x40003008, 10);
  EXPECT_EQ(read(0x40003008), 0xFFFU);
  EXPECT_THAT(misuses().at(0), HasSubstr("0x5555"));
}

TEST_F(PeripheralsTest, HardwareWatchdogOfTheOptionBytes) {
  Bytes options{0xA5, 0x5A, 0xFE, 0x01};
  for (int i = 0; i < 6; ++i) options.insert(options.end(), {0xFF, 0x00});
  board->chip().load_option_bytes(options);
  board->reset_pin();
  pass(400ms);
  EXPECT_EQ(resets(), std::vector{ResetCause::Pin});
  pass(30ms);  // 4096 x 4 / 40 kHz = 409.6 ms
  EXPECT_EQ(resets().back(), ResetCause::IndependentWatchdog);
}

TEST_F(PeripheralsTest, WindowWatchdog) {
  write(kApb1enr, 1U << 11);
  EXPECT_EQ(read(0x40002C00), 0x7FU);
  write(0x40002C04, 3U << 7 | 0x50);  // / 8: a tick is 4.096 ms at 8 MHz
  write(0x40002C00, 0xFF);
  pass(10ms);
  write(0x40002C00, 0xFF);  // 0x7D > 0x50: too early
  pass(1ms);
  EXPECT_EQ(resets(), std::vector{ResetCause::WindowWatchdog});
  EXPECT_EQ(read(kCsr) >> 30 & 1, 1U);

  write(kApb1enr, 1U << 11);
  write(0x40002C04, 3U << 7 | 0x7F | 1U << 9);
  write(0x40002C00, 0xC4);
  pass(17ms);  // four ticks: 0x40
  EXPECT_EQ(read(0x40002C08), 1U);
  EXPECT_EQ(read(0xE000E200) & 1, 1U);
  EXPECT_EQ(resets().size(), 1U);
  pass(5ms);
  EXPECT_EQ(resets().size(), 2U);
}

TEST_F(PeripheralsTest, CrcUnit) {
  write(0x40021014, 0x54);
  EXPECT_EQ(read(0x40023000), 0xFFFFFFFFU);
  write(0x40023000, 0x12345678);
  EXPECT_EQ(read(0x40023000), 0xDF8A8A2BU);  // CRC-32/MPEG-2 of 12 34 56 78
  write(0x40023008, 1);
  EXPECT_EQ(read(0x40023000), 0xFFFFFFFFU);
  write(0x40023004, 0x1A5);
  EXPECT_EQ(read(0x40023004), 0xA5U);
}

TEST_F(PeripheralsTest, UsartSendsAtItsBaudRate) {
  write(kApb2enr, 1U << 14);
  EXPECT_EQ(read(0x40013800), 0xC0U);
  write(0x40013808, 0x45);  // 8 MHz / 69 = 115942 baud
  write(0x4001380C, 1U << 13 | 1U << 3);
  write(0x40013804, 'a');
  EXPECT_EQ(read(0x40013800) & 0xC0, 0x80U) << "TXE, not TC";
  write(0x40013804, 'b');
  EXPECT_EQ(read(0x40013800) & 0xC0, 0x00U);
  const Duration begin = board->now();
  while (all<UartSent>().size() < 2 && board->now() < begin + 10ms) pass(1us);
  ASSERT_EQ(all<UartSent>().size(), 2U);
  EXPECT_EQ(all<UartSent>()[0].byte, 'a');
  EXPECT_EQ(all<UartSent>()[1].byte, 'b');
  EXPECT_NEAR(static_cast<double>((board->now() - begin).count()), 172'000, 3'000);
  EXPECT_EQ(read(0x40013800) & 0xC0, 0xC0U);
}

TEST_F(PeripheralsTest, UsartReceivesAndOverruns) {
  write(kApb1enr, 1U << 17);
  write(0x40004408, 0x45);
  write(0x4000440C, 1U << 13 | 1U << 2 | 1U << 5);
  board->uart_receive(2, Bytes{'x'});
  pass(1ms);
  EXPECT_EQ(read(0xE000E204) & 1U << 6, 1U << 6) << "USART2 is interrupt 38";
  EXPECT_EQ(read(0x40004400) & 1U << 5, 1U << 5);
  EXPECT_EQ(read(0x40004404), static_cast<std::uint32_t>('x'));
  EXPECT_EQ(read(0x40004400) & 1U << 5, 0U);
  board->uart_receive(2, Bytes{'y', 'z'});
  pass(1ms);
  EXPECT_EQ(read(0x40004400) & 1U << 3, 1U << 3);
  EXPECT_EQ(read(0x40004404), static_cast<std::uint32_t>('y'));
  EXPECT_EQ(read(0x40004400) & 1U << 3, 0U);
}

TEST_F(PeripheralsTest, DmaFeedsTheUsart) {
  write(0x40021014, 0x15);
  write(kApb1enr, 1U << 17);
  write(0x40004408, 0x45);
  write(0x40004414, 1U << 7);  // DMAT
  write(0x4000440C, 1U << 13 | 1U << 3);
  board->core().poke(0x20001000, Bytes{'d', 'm', 'a', '!'});
  write(0x40020088, 0x40004404);  // channel 7
  write(0x4002008C, 0x20001000);
  write(0x40020084, 4);
  write(0x40020080, 1U << 0 | 1U << 1 | 1U << 4 | 1U << 7);
  pass(1ms);
  std::string text;
  for (const UartSent& sent : all<UartSent>()) text += static_cast<char>(sent.byte);
  EXPECT_EQ(text, "dma!");
  EXPECT_EQ(read(0x40020084), 0U);
  EXPECT_EQ(read(0x40020000) >> 24, 7U) << "global, complete, half";
  EXPECT_EQ(read(0xE000E200) >> 17 & 1, 1U);
  write(0x40020004, 1U << 24);
  EXPECT_EQ(read(0x40020000), 0U);
}

TEST_F(PeripheralsTest, DmaCopiesMemory) {
  write(0x40021014, 0x15);
  board->core().poke(0x20001000, Bytes{1, 2, 3, 4, 5, 6, 7, 8});
  write(0x40020010, 0x20001000);  // channel 1
  write(0x40020014, 0x20002000);
  write(0x4002000C, 2);
  write(0x40020008, 1U << 0 | 3U << 6 | 2U << 8 | 2U << 10 | 1U << 14);
  EXPECT_EQ(read(0x20002004), 0x08070605U);
  // Where nobody answers, the channel stops.
  write(0x40020024, 0x60000000);
  write(0x40020028, 0x20002000);
  write(0x40020020, 1);
  write(0x4002001C, 1U << 0 | 2U << 8 | 2U << 10 | 1U << 14);
  EXPECT_EQ(read(0x40020000) >> 4 & 15, 9U) << "global, error";
  EXPECT_EQ(read(0x4002001C) & 1, 0U);
}

TEST_F(PeripheralsTest, TimerCountsAndUpdates) {
  write(kApb1enr, 1);
  write(0x40000028, 7999);  // 1 kHz
  write(0x4000002C, 9);
  write(0x40000014, 1);  // UG: the prescaler is preloaded
  write(0x40000010, 0);
  write(0x4000000C, 1);
  write(0x40000000, 1);
  pass(5ms);
  EXPECT_EQ(read(0x40000024), 5U);
  EXPECT_EQ(read(0x40000010) & 1, 0U);
  pass(6ms);
  EXPECT_EQ(read(0x40000024), 1U);
  EXPECT_EQ(read(0x40000010) & 1, 1U);
  EXPECT_EQ(read(0xE000E200) & 1U << 28, 1U << 28);
  write(0x40000010, 0);
  pass(1s);
  EXPECT_EQ(read(0x40000024), 1U) << "no drift";
}

TEST_F(PeripheralsTest, IdentityRegisters) {
  EXPECT_EQ(read(0x1FFFF7E0) & 0xFFFF, 256U);
  const UniqueId& id = board->chip().unique_id();
  EXPECT_EQ(read(0x1FFFF7E8), load_le32(id, 0));
  EXPECT_EQ(read(0x1FFFF7F0), load_le32(id, 8));
  EXPECT_EQ(read(0xE0042000) & 0xFFF, 0x418U);
  EXPECT_EQ(read(0x1FFFF800), 0x00FF5AA5U);
}

/// PM0075, 2.3: unlocking, programming, erasing, option bytes.
class FlashTest : public BoardTest {
 protected:
  void unlock() {
    write(0x40022004, 0x45670123);
    write(0x40022004, 0xCDEF89AB);
  }
  void wait() {
    while ((read(0x4002200C) & 1) != 0) pass(10us);
  }
};

TEST_F(FlashTest, ProgramFromRamGoesOnWhileBusy) {
  unlock();
  write(0x40022010, 1);
  const Duration before = board->now();
  write16(0x08001000, 0x1234);
  EXPECT_LT(board->now() - before, 5us) << "code in RAM goes on";
  EXPECT_EQ(read(0x4002200C) & 1, 1U);
  EXPECT_EQ(read(0x08001000), 0xFFFF1234U);
  EXPECT_GE(board->now() - before, 52us) << "reading flash waited";
  EXPECT_EQ(read(0x4002200C), 0x20U);
  write16(0x08001000, 0x5678);
  wait();
  EXPECT_EQ(read(0x4002200C) & 4, 4U) << "PGERR";
  EXPECT_EQ(read(0x08001000), 0xFFFF1234U);
}

TEST_F(FlashTest, CodeInFlashStalls) {
  // str r1,[r0]; b .   in flash: STRT of a page erase.
  Bytes image;
  append_le32(image, kStack);
  append_le32(image, kCode);
  image.resize(0x100, 0xFF);
  append_le16(image, 0x6001);
  append_le16(image, 0xE7FE);
  const BoardSegment segment{0x08000000, image};
  start({}, {&segment, 1});
  cpu::Core& core = board->core();
  unlock();
  write(0x40022010, 2);
  write(0x40022014, 0x08001000);
  core.set_reg(0, 0x40022010);
  core.set_reg(1, 0x42);
  core.set_reg(15, kCode);
  const Duration before = board->now();
  board->step();
  board->step();
  EXPECT_GE(board->now() - before, 30ms);
}

TEST_F(FlashTest, LockedStoresFault) {
  write16(0x08001000, 0x1234);
  EXPECT_TRUE(faulted());
  EXPECT_THAT(misuses().at(0), HasSubstr("0x08001000"));
}

TEST_F(FlashTest, WrongKeyFaultsAndLocksUntilReset) {
  write(0x40022004, 0x11111111);
  EXPECT_TRUE(faulted());
  board->reset_pin();
  pass(1ms);
  unlock();
  EXPECT_EQ(read(0x40022010) & 0x80, 0U);
}

TEST_F(FlashTest, EndOfOperationInterrupt) {
  unlock();
  write(0x40022010, 1 | 1U << 12);
  write16(0x08001000, 0x1234);
  EXPECT_EQ(read(0xE000E200) & 1U << 4, 0U);
  pass(100us);
  EXPECT_EQ(read(0xE000E200) & 1U << 4, 1U << 4);
}

TEST_F(FlashTest, OptionBytesCountAfterReset) {
  unlock();
  write(0x40022008, 0x45670123);
  write(0x40022008, 0xCDEF89AB);
  write(0x40022010, 1U << 9 | 1U << 5);
  write(0x40022010, 1U << 9 | 1U << 5 | 1U << 6);
  wait();
  EXPECT_EQ(read(0x4002201C) & 2, 0U) << "RDPRT still off";
  write(0x40022010, 1U << 9 | 1U << 4);
  write16(0x1FFFF800, 0xA5);
  wait();
  write16(0x1FFFF808, 0xFE);  // protect pages 0 and 1
  wait();
  EXPECT_EQ(read(0x40022020), 0xFFFFFFFFU);
  board->reset_pin();
  pass(1ms);
  EXPECT_EQ(read(0x4002201C) & 2, 0U);
  EXPECT_EQ(read(0x40022020), 0xFFFFFFFEU);
  unlock();
  write(0x40022010, 2);
  write(0x40022014, 0x08000000);
  write(0x40022010, 0x42);
  EXPECT_EQ(read(0x4002200C) & 0x10, 0x10U) << "WRPRTERR";
}

}  // namespace
}  // namespace sureflash::sim
