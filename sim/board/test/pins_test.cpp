// Goal: GPIO, AFIO, EXTI, PWR and BKP as RM0008 chapters 5, 6, 9 and 10 describe them. Method: the
// manual's procedures as register accesses; wires from outside.
#include "board_fixture.hpp"
#include <gmock/gmock.h>

namespace sureflash::sim {
namespace {

using testing::HasSubstr;

constexpr std::uint32_t kApb2enr = 0x40021018, kApb1enr = 0x4002101C;
constexpr std::uint32_t kA = 0x40010800, kC = 0x40011000, kAfio = 0x40010000, kExti = 0x40010400;

class PinsTest : public BoardTest {
 protected:
  void SetUp() override {
    BoardTest::SetUp();
    write(kApb2enr, 0x7D);
    write(kApb1enr, 3U << 27);
    events.clear();
  }
};

TEST_F(PinsTest, ResetValuesAndOutput) {
  EXPECT_EQ(read(kC), 0x44444444U);
  EXPECT_EQ(read(kC + 4), 0x44444444U);
  write(kC, 0x42444444);                // PC6: push-pull, 2 MHz
  write(kC + 0x10, 1U << 6);            // BSRR
  EXPECT_EQ(read(kC + 0x0C), 1U << 6);  // ODR
  EXPECT_EQ(read(kC + 0x08), 1U << 6);  // IDR
  write(kC + 0x10, 1U << 22);
  write(kC + 0x10, 1U << 6 | 1U << 22);  // set wins
  write(kC + 0x14, 1U << 6);             // BRR
  ASSERT_EQ(all<PinChanged>().size(), 4U);
  EXPECT_EQ(all<PinChanged>()[0].port, 'C');
  EXPECT_EQ(all<PinChanged>()[0].pin, 6U);
  EXPECT_TRUE(all<PinChanged>()[0].high);
  EXPECT_FALSE(all<PinChanged>()[1].high);
  EXPECT_TRUE(all<PinChanged>()[2].high);
}

TEST_F(PinsTest, InputsFloatPullAndAreDriven) {
  EXPECT_EQ(read(kA + 8) & 1U << 3, 0U);
  board->set_pin('A', 3, PinInput::High);
  EXPECT_EQ(read(kA + 8) & 1U << 3, 1U << 3);
  write(kA, 0x44440444);  // analog
  EXPECT_EQ(read(kA + 8) & 1U << 3, 0U);
  board->set_pin('A', 3, PinInput::Floating);
  write(kA, 0x44448444);  // pull
  EXPECT_EQ(read(kA + 8) & 1U << 3, 0U) << "down: ODR = 0";
  write(kA + 0x10, 1U << 3);
  EXPECT_EQ(read(kA + 8) & 1U << 3, 1U << 3) << "up: ODR = 1";
  board->set_pin('A', 3, PinInput::Low);
  EXPECT_EQ(read(kA + 8) & 1U << 3, 0U);
}

TEST_F(PinsTest, OpenDrainOnlyPullsDown) {
  write(kC, 0x46444444);
  write(kC + 0x10, 1U << 6);
  EXPECT_FALSE(board->pin('C', 6));
  board->set_pin('C', 6, PinInput::High);
  EXPECT_TRUE(board->pin('C', 6));
  write(kC + 0x14, 1U << 6);
  EXPECT_FALSE(board->pin('C', 6));
}

TEST_F(PinsTest, LockSequenceFreezesTheConfiguration) {
  write(kC + 0x18, 1U << 16 | 1U << 6);
  write(kC + 0x18, 1U << 6);
  write(kC + 0x18, 1U << 16 | 1U << 6);
  EXPECT_EQ(read(kC + 0x18), 1U << 16 | 1U << 6);
  write(kC, 0x22222222);
  EXPECT_EQ(read(kC), 0x24222222U);
  // A wrong sequence locks nothing.
  write(kA + 0x18, 1U << 16 | 1);
  write(kA + 0x18, 2);
  write(kA + 0x18, 1U << 16 | 1);
  write(kA, 0x44444442);
  EXPECT_EQ(read(kA), 0x44444442U);
}

TEST_F(PinsTest, VbusIsOnPa9) {
  EXPECT_EQ(read(kA + 8) & 1U << 9, 1U << 9);
  board->set_vbus(false);
  EXPECT_EQ(read(kA + 8) & 1U << 9, 0U);
  start({.vbus = false});
  write(kApb2enr, 4);
  EXPECT_EQ(read(kA + 8) & 1U << 9, 0U);
}

TEST_F(PinsTest, ExtiEdgesPendAndAreMaskable) {
  write(kAfio + 0x08, 2U << 4);  // EXTICR1: line 1 from port C
  write(kExti + 0x08, 1U << 1);  // RTSR
  board->set_pin('C', 1, PinInput::High);
  EXPECT_EQ(read(kExti + 0x14), 0U) << "masked";
  board->set_pin('C', 1, PinInput::Low);
  write(kExti, 1U << 1);  // IMR
  board->set_pin('A', 1, PinInput::High);
  EXPECT_EQ(read(kExti + 0x14), 0U) << "another port";
  board->set_pin('C', 1, PinInput::High);
  EXPECT_EQ(read(kExti + 0x14), 1U << 1);
  EXPECT_EQ(read(0xE000E200), 1U << 7) << "EXTI1 is interrupt 7";
  write(kExti + 0x14, 1U << 1);
  EXPECT_EQ(read(kExti + 0x14), 0U);
  board->set_pin('C', 1, PinInput::Low);
  EXPECT_EQ(read(kExti + 0x14), 0U) << "falling not selected";
  write(kExti + 0x0C, 1U << 1);
  board->set_pin('C', 1, PinInput::High);
  write(kExti + 0x14, 1U << 1);
  board->set_pin('C', 1, PinInput::Low);
  EXPECT_EQ(read(kExti + 0x14), 1U << 1);
}

TEST_F(PinsTest, ExtiSoftwareInterrupt) {
  write(kExti, 1U << 12);
  write(kExti + 0x10, 1U << 12);  // SWIER
  EXPECT_EQ(read(kExti + 0x14), 1U << 12);
  EXPECT_EQ(read(0xE000E204), 1U << 8) << "EXTI15_10 is interrupt 40";
  write(kExti + 0x14, 1U << 12);
  EXPECT_EQ(read(kExti + 0x10), 0U);
}

TEST_F(PinsTest, BackupRegistersNeedDbpAndSurviveReset) {
  write(0x40006C04, 0x1234);
  EXPECT_EQ(read(0x40006C04), 0U);
  EXPECT_THAT(misuses().at(0), HasSubstr("DBP"));
  write(0x40007000, 1U << 8);
  write(0x40006C04, 0xABCD1234);
  write(0x40006CBC, 0x5678);  // DR42
  EXPECT_EQ(read(0x40006C04), 0x1234U);
  board->reset_pin();
  pass(1ms);
  write(kApb1enr, 3U << 27);
  EXPECT_EQ(read(0x40007000), 0U);
  EXPECT_EQ(read(0x40006C04), 0x1234U);
  EXPECT_EQ(read(0x40006CBC), 0x5678U);
  board->power_cycle();
  write(kApb1enr, 3U << 27);
  EXPECT_EQ(read(0x40006C04), 0U);
}

TEST_F(PinsTest, BackupDomainReset) {
  write(0x40007000, 1U << 8);
  write(0x40006C04, 1);
  write(0x40021020, 1U << 16);
  EXPECT_EQ(read(0x40006C04), 0U);
}

}  // namespace
}  // namespace sureflash::sim
