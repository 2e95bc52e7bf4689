#pragma once

#include <optional>
#include <string>

#include "sureflash/update/target.hpp"

/// Numbers and places as they are written on a command line.
namespace sureflash::cli {

/// Decimal or 0x…; nullopt: not a number.
std::optional<std::uint64_t> number(std::string_view s);

struct UsbId {
  std::uint16_t vendor = 0;
  std::uint16_t product = 0;
};
/// "0483:df11": two hexadecimal numbers.
std::optional<UsbId> parse_usb_id(std::string_view word);

/// Sectors by number ("3", "3..7", both ends included) or addresses ("0x08001000..0x08002000",
/// half-open; one address means its sector). Errors: Usage, NoLayout, OutsideMemory.
Result<AddressRange> parse_range(const std::string& word, const update::Target& target);

}  // namespace sureflash::cli
