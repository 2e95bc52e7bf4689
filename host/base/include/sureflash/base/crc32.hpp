#pragma once

#include <cstdint>

#include "sureflash/base/bytes.hpp"

namespace sureflash {

/// CRC-32 in its two usual forms: reflected polynomial 0xEDB88320, start value 0xFFFFFFFF.
class Crc32 {
 public:
  Crc32& add(ByteView bytes);
  /// As zlib and Ethernet have it: inverted at the end. "123456789": 0xCBF43926.
  std::uint32_t zlib() const { return ~state_; }
  /// Without the inversion ("JAMCRC"), the form of the DFU suffix. "123456789": 0x340BC6D9.
  /// Source: DFU 1.1, appendix B.
  std::uint32_t jam() const { return state_; }

 private:
  std::uint32_t state_ = 0xFFFFFFFF;
};

/// Of `bytes`, as zlib has it.
inline std::uint32_t crc32(ByteView bytes) {
  return Crc32().add(bytes).zlib();
}

}  // namespace sureflash
