#pragma once

#include <algorithm>
#include <cstdint>

namespace sureflash {

/// Half-open range of byte addresses [begin, end). 64 bits, so that the top of a 32-bit address
/// space can be an end. The only type that compares addresses.
struct AddressRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;

  static constexpr AddressRange sized(std::uint64_t begin, std::uint64_t size) {
    return {begin, begin + size};
  }

  constexpr std::uint64_t size() const { return end > begin ? end - begin : 0; }
  constexpr bool empty() const { return end <= begin; }
  constexpr bool contains(std::uint64_t address) const { return address >= begin && address < end; }
  /// Every range contains the empty range.
  constexpr bool contains(AddressRange other) const {
    return other.empty() || (other.begin >= begin && other.end <= end);
  }
  constexpr bool overlaps(AddressRange other) const { return !intersection(other).empty(); }
  constexpr AddressRange intersection(AddressRange other) const {
    const AddressRange r{std::max(begin, other.begin), std::min(end, other.end)};
    return r.empty() ? AddressRange{} : r;
  }

  friend constexpr bool operator==(const AddressRange&, const AddressRange&) = default;
};

}  // namespace sureflash
