#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "sureflash/base/bytes.hpp"
#include "sureflash/base/error.hpp"
#include "sureflash/stm32/memory_map.hpp"

/// Option bytes of the STM32F1. Source: PM0075, 2.5; RM0008; dfuse.md 4.5.
namespace sureflash::stm32 {

inline constexpr std::size_t kF1OptionBytesSize = 16;

/// One option byte as read: the value and whether the byte after it is its complement.
struct OptionByte {
  std::string_view name;  ///< "RDP", "USER", "DATA0", "DATA1", "WRP0" … "WRP3"
  std::uint32_t address = 0;
  std::uint8_t value = 0;
  bool complement_matches = false;
};

/// The decoded block of 16 bytes at 0x1FFFF800.
class F1OptionBytes {
 public:
  /// Errors: ResponseTooShort (fewer than 16 bytes).
  static Result<F1OptionBytes> parse(ByteView block);

  const std::array<OptionByte, 8>& bytes() const { return bytes_; }
  /// RDP is not 0xA5 with its complement. (There is no level 2 on F1.)
  bool read_protected() const;
  /// WRP0 … WRP3 as one word, bit 0 first; a 0 bit protects.
  std::uint32_t wrp() const;
  bool hardware_watchdog() const { return (bytes_[1].value & 0x01) == 0; }
  bool reset_on_stop() const { return (bytes_[1].value & 0x02) == 0; }
  bool reset_on_standby() const { return (bytes_[1].value & 0x04) == 0; }
  bool complements_match() const;

  /// Write-protected addresses, joined and in rising order. One bit protects two pages of 2 KiB;
  /// bit 31 protects pages 62 to the end of `flash`.
  std::vector<AddressRange> write_protected(AddressRange flash) const;

 private:
  std::array<OptionByte, 8> bytes_{};
};

}  // namespace sureflash::stm32
