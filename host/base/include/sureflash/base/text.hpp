#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sureflash/base/address_range.hpp"
#include "sureflash/base/time.hpp"

/// Numbers as people read them. The core has no iostreams and no format library.
namespace sureflash {

/// "0x08004000": at least `digits` hexadecimal digits, upper case.
std::string hex(std::uint64_t value, int digits = 8);
std::string decimal(std::uint64_t value);
/// "0x08004000..0x08004800": half-open.
std::string text(AddressRange range);
/// "2 KiB", "1.5 KiB", "17 bytes", "1 MiB".
std::string text_size(std::uint64_t bytes);
/// "10.7 s", "54 ms", "52.5 µs", "2 min 5 s".
std::string text(Duration duration);

}  // namespace sureflash
