#include "sureflash/base/crc32.hpp"

#include <array>

namespace sureflash {
namespace {

constexpr std::array<std::uint32_t, 256> kTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320U : 0U);
    table[i] = value;
  }
  return table;
}();

}  // namespace

Crc32& Crc32::add(ByteView bytes) {
  for (const std::uint8_t byte : bytes) state_ = kTable[(state_ ^ byte) & 0xFF] ^ (state_ >> 8);
  return *this;
}

}  // namespace sureflash
