// Goal: CRC-32 in both of its forms. Method: check values from the literature.

#include "sureflash/base/crc32.hpp"

#include <array>

#include <gtest/gtest.h>

namespace sureflash {
namespace {

constexpr std::array<std::uint8_t, 9> kCheck{'1', '2', '3', '4', '5', '6', '7', '8', '9'};

TEST(Crc32, CheckValues) {
  EXPECT_EQ(Crc32().add(kCheck).jam(), 0x340BC6D9U);
  EXPECT_EQ(Crc32().add(kCheck).zlib(), 0xCBF43926U);
  EXPECT_EQ(crc32(kCheck), 0xCBF43926U);
  EXPECT_EQ(Crc32().zlib(), 0U);
}

TEST(Crc32, PieceByPiece) {
  const ByteView check(kCheck);
  EXPECT_EQ(Crc32().add(check.first(4)).add(check.subspan(4)).zlib(), 0xCBF43926U);
}

}  // namespace
}  // namespace sureflash
