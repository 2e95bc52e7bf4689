#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

/// Bytes and their order. All multi-byte fields of USB and of the DFU files are little-endian.
namespace sureflash {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;
using ByteSpan = std::span<std::uint8_t>;

/// Reads a little-endian number. Precondition: offset + width <= bytes.size().
constexpr std::uint16_t load_le16(ByteView bytes, std::size_t offset = 0) {
  return static_cast<std::uint16_t>(bytes[offset] | bytes[offset + 1] << 8);
}
constexpr std::uint32_t load_le32(ByteView bytes, std::size_t offset = 0) {
  return static_cast<std::uint32_t>(load_le16(bytes, offset)) |
         static_cast<std::uint32_t>(load_le16(bytes, offset + 2)) << 16;
}
constexpr void store_le16(ByteSpan bytes, std::size_t offset, std::uint16_t value) {
  bytes[offset] = static_cast<std::uint8_t>(value);
  bytes[offset + 1] = static_cast<std::uint8_t>(value >> 8);
}
constexpr void store_le32(ByteSpan bytes, std::size_t offset, std::uint32_t value) {
  store_le16(bytes, offset, static_cast<std::uint16_t>(value));
  store_le16(bytes, offset + 2, static_cast<std::uint16_t>(value >> 16));
}
inline void append_le16(Bytes& bytes, std::uint16_t value) {
  bytes.push_back(static_cast<std::uint8_t>(value));
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
}
inline void append_le32(Bytes& bytes, std::uint32_t value) {
  append_le16(bytes, static_cast<std::uint16_t>(value));
  append_le16(bytes, static_cast<std::uint16_t>(value >> 16));
}

}  // namespace sureflash
