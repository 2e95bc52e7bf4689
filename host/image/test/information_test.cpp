// Goal: the information block is found where an application has put it, and nothing else is taken
// for one. Method: bytes written out by hand from docs/information-block.md; the header's own
// struct must be the same bytes.

#include "sureflash/image/information.hpp"

#include <cstring>

#include "support.hpp"

#include "sureflash/proto/information_block.h"

namespace sureflash::image::test {
namespace {

Bytes block(std::uint8_t way = 2) {
  return {'S', 'U', 'R', 'E', 'F', 'L', 'S', 'H',  // magic
          1,   0,   28,  0,                        // format, size
          way, 0,   0,   0,                        // how it gets back
          0,   0,   0,   8,   0,   8,   0,   8,    // 0x08000000..0x08000800
          0,   0,   0,   0};
}

Image with(std::uint32_t address, std::initializer_list<Bytes> parts) {
  Image image;
  EXPECT_TRUE(image.insert(address, joined(parts)));
  return image;
}

TEST(Information, IsFoundAtAnyMultipleOfFour) {
  const Information expected{SUREFLASH_BACK_BY_ENTRY_CODE, {0x08000000, 0x08000800}};
  EXPECT_EQ(find_information(with(0x08000000, {counting(264), block(), counting(3)})), expected);
  EXPECT_EQ(find_information(with(0x08000000, {block()})), expected);
  EXPECT_EQ(find_information(with(0x08000002, {counting(2), block()})), expected);
  EXPECT_FALSE(find_information(with(0x08000000, {counting(2), block()})));
  EXPECT_FALSE(find_information(with(0x08000000, {counting(900)})));
}

TEST(Information, TheHeaderForApplicationsMakesTheseBytes) {
  const sureflash_information made =
      SUREFLASH_INFORMATION(SUREFLASH_BACK_BY_ENTRY_CODE, 0x08000000U, 0x08000800U);
  Bytes bytes(sizeof made);
  std::memcpy(bytes.data(), &made, sizeof made);
  EXPECT_EQ(bytes, block());
}

TEST(Information, WhatIsNotWholeIsNotTaken) {
  for (std::size_t size = 4; size < block().size(); ++size) {
    Bytes cut = block();
    cut.resize(size);
    EXPECT_FALSE(find_information(with(0x08000000, {cut}))) << size;
  }
  for (const std::size_t at : {0U, 7U, 8U, 10U, 23U}) {
    Bytes wrong = block();
    wrong[at] ^= 0x0C;
    EXPECT_FALSE(find_information(with(0x08000000, {wrong}))) << at;
  }
}

TEST(Information, TwoThatContradictEachOtherAreNone) {
  EXPECT_TRUE(find_information(with(0x08000000, {block(), block()})));
  EXPECT_FALSE(find_information(with(0x08000000, {block(), block(1)})));
}

}  // namespace
}  // namespace sureflash::image::test
