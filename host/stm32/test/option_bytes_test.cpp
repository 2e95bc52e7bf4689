// Goal: option bytes mean what PM0075 says. Method: the 16 bytes of dfuse.md 4.5, changed one by
// one.

#include "sureflash/stm32/option_bytes.hpp"

#include <gtest/gtest.h>

namespace sureflash::stm32 {
namespace {

constexpr AddressRange kFlash{0x08000000, 0x08040000};

Bytes defaults() {
  return {0xA5, 0x5A, 0xFF, 0x00, 0xFF, 0x00, 0xFF, 0x00,
          0xFF, 0x00, 0xFF, 0x00, 0xFF, 0x00, 0xFF, 0x00};
}

TEST(F1OptionBytes, DefaultsProtectNothing) {
  const auto o = F1OptionBytes::parse(defaults());
  ASSERT_TRUE(o);
  EXPECT_FALSE(o->read_protected());
  EXPECT_TRUE(o->complements_match());
  EXPECT_FALSE(o->hardware_watchdog());
  EXPECT_TRUE(o->write_protected(kFlash).empty());
}

TEST(F1OptionBytes, ErasedOptionBytesAreProtected) {
  const auto o = F1OptionBytes::parse(Bytes(16, 0xFF));
  ASSERT_TRUE(o);
  EXPECT_TRUE(o->read_protected());
  EXPECT_FALSE(o->complements_match());
}

TEST(F1OptionBytes, RdpNeedsItsComplement) {
  Bytes block = defaults();
  block[1] = 0xA5;
  EXPECT_TRUE(F1OptionBytes::parse(block)->read_protected());
}

TEST(F1OptionBytes, OneWrpBitIsTwoPages) {
  Bytes block = defaults();
  block[8] = 0xFD;
  block[9] = 0x02;
  EXPECT_EQ(F1OptionBytes::parse(block)->write_protected(kFlash),
            (std::vector<AddressRange>{{0x08001000, 0x08002000}}));
}

TEST(F1OptionBytes, TheLastWrpBitIsTheRest) {
  Bytes block = defaults();
  block[14] = 0x7F;
  block[15] = 0x80;
  EXPECT_EQ(F1OptionBytes::parse(block)->write_protected(kFlash),
            (std::vector<AddressRange>{{0x0801F000, 0x08040000}}));
}

TEST(F1OptionBytes, NeighboursAreJoined) {
  Bytes block = defaults();
  block[8] = 0xFC;
  EXPECT_EQ(F1OptionBytes::parse(block)->write_protected(kFlash),
            (std::vector<AddressRange>{{0x08000000, 0x08002000}}));
}

TEST(F1OptionBytes, AShortBlockIsAnError) {
  EXPECT_EQ(F1OptionBytes::parse(Bytes(15, 0xFF)).error().code, Errc::ResponseTooShort);
}

}  // namespace
}  // namespace sureflash::stm32
