#pragma once

#include <cstdint>

#include "sureflash/base/bytes.hpp"

namespace sureflash::sim {

inline constexpr std::uint8_t kF1RdpKey = 0xA5;
inline constexpr std::size_t kF1OptionBytes = 16;

/// The option bytes of F1 as the chip loads them at reset. Source: PM0075, 2.5 and 3.7.
struct F1Options {
  /// A byte and its complement do not match (OPTERR); the byte counts as 0xFF.
  bool error = false;
  bool read_protected = false;
  std::uint8_t user = 0xFF;
  std::uint8_t data0 = 0xFF;
  std::uint8_t data1 = 0xFF;
  /// WRPR: bit = 0 protects.
  std::uint32_t wrp = 0xFFFFFFFF;

  /// Precondition: 16 bytes. An erased pair (FF FF) is no OPTERR, but is not the RDP key either:
  /// erasing the option bytes turns read protection on.
  static F1Options decode(ByteView bytes);
};

/// The 16 bytes with their complements. `rdp` is kF1RdpKey for a readable chip.
Bytes encode_f1_options(std::uint8_t rdp, const F1Options& options);

}  // namespace sureflash::sim
