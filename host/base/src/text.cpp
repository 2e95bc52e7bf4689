#include "sureflash/base/text.hpp"

#include <array>

namespace sureflash {
namespace {

/// value / 10^decimals of `unit`, rounded to one decimal, which is left out when it is zero.
std::string one_decimal(std::uint64_t tenths, std::string_view unit) {
  std::string s = decimal(tenths / 10);
  if (tenths % 10 != 0) {
    s += '.';
    s += decimal(tenths % 10);
  }
  s += ' ';
  s += unit;
  return s;
}

}  // namespace

std::string hex(std::uint64_t value, int digits) {
  std::array<char, 16> buffer{};
  int count = 0;
  do {
    buffer[static_cast<std::size_t>(count++)] = "0123456789ABCDEF"[value & 0xF];
    value >>= 4;
  } while (value != 0);
  std::string s = "0x";
  for (int i = count; i < digits; ++i) s += '0';
  while (count > 0) s += buffer[static_cast<std::size_t>(--count)];
  return s;
}

std::string decimal(std::uint64_t value) {
  return std::to_string(value);
}

std::string text(AddressRange range) {
  return hex(range.begin) + ".." + hex(range.end);
}

std::string text_size(std::uint64_t bytes) {
  constexpr std::uint64_t kKiB = 1024;
  constexpr std::uint64_t kMiB = kKiB * 1024;
  if (bytes < kKiB) return decimal(bytes) + (bytes == 1 ? " byte" : " bytes");
  if (bytes < kMiB) return one_decimal((bytes * 10 + kKiB / 2) / kKiB, "KiB");
  return one_decimal((bytes / kKiB * 10 + kKiB / 2) / kKiB, "MiB");
}

std::string text(Duration duration) {
  if (duration < Duration::zero()) return "-" + text(-duration);
  const auto ns = static_cast<std::uint64_t>(duration.count());
  if (ns < 1'000'000) return one_decimal((ns + 50) / 100, "µs");
  if (ns < 10'000'000) return one_decimal((ns + 50'000) / 100'000, "ms");
  if (ns < 1'000'000'000) return decimal((ns + 500'000) / 1'000'000) + " ms";
  const std::uint64_t tenths = (ns + 50'000'000) / 100'000'000;
  if (tenths < 600) return one_decimal(tenths, "s");
  const std::uint64_t seconds = (tenths + 5) / 10;
  return decimal(seconds / 60) + " min " + decimal(seconds % 60) + " s";
}

}  // namespace sureflash
