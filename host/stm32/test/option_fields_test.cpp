// Goal: a field is set without touching its neighbours, complements are right, and nothing
// permanent can be asked for. Method: the 16 bytes of dfuse.md 4.5, and what PM0075 says of each
// bit.

#include "sureflash/stm32/option_fields.hpp"

#include <gtest/gtest.h>

namespace sureflash::stm32 {
namespace {

const OptionTable& table() {
  return *option_table(*find_chip("stm32f105"));
}
Bytes defaults() {
  return {0xA5, 0x5A, 0xFF, 0x00, 0xFF, 0x00, 0xFF, 0x00,
          0xFF, 0x00, 0xFF, 0x00, 0xFF, 0x00, 0xFF, 0x00};
}

TEST(OptionFields, AFieldIsSetWithItsComplement) {
  auto block = assign(table(), defaults(), "WRP0=0xFC");
  ASSERT_TRUE(block);
  Bytes expected = defaults();
  expected[8] = 0xFC;
  expected[9] = 0x03;
  EXPECT_EQ(*block, expected);
  // One bit of a shared byte: nRST_STOP is bit 1 of USER.
  block = assign(table(), *block, "nrst_stop=0");
  ASSERT_TRUE(block);
  expected[2] = 0xFD;
  expected[3] = 0x02;
  EXPECT_EQ(*block, expected);
  EXPECT_EQ(field_value(*find_field(table(), "nRST_STOP"), *block), 0);
  EXPECT_EQ(field_value(*find_field(table(), "WDG_SW"), *block), 1);
}

TEST(OptionFields, DamagedComplementsAreMadeRight) {
  Bytes damaged = defaults();
  damaged[15] = 0x55;
  const auto block = assign(table(), damaged, "DATA0=0xFF");
  ASSERT_TRUE(block);
  EXPECT_EQ(*block, defaults());
}

TEST(OptionFields, WhatCannotBeMeantIsRefused) {
  for (const char* bad : {"", "WRP0", "WRP0=", "WRP0=256", "WRP4=0", "nRST_STOP=2", "WRP0=-1",
                          "WRP0=0x", "WRP0=12x", "=1"}) {
    const auto block = assign(table(), defaults(), bad);
    ASSERT_FALSE(block) << bad;
    EXPECT_EQ(block.error().code, Errc::Usage) << bad;
  }
  EXPECT_FALSE(assign(table(), Bytes(15), "WRP0=0"));
}

TEST(OptionFields, APermanentLevelIsRefused) {
  const auto block = assign(table(), defaults(), "RDP=0xCC");
  ASSERT_FALSE(block);
  EXPECT_EQ(block.error().code, Errc::Usage);
  EXPECT_TRUE(assign(table(), defaults(), "DATA0=0xCC")) << "only the protection byte";
}

}  // namespace
}  // namespace sureflash::stm32
