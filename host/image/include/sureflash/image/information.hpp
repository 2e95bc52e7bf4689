#pragma once

#include <optional>

#include "sureflash/image/image.hpp"

namespace sureflash::image {

/// What an application says of itself (proto/information_block.h, docs/information-block.md).
struct Information {
  /// SUREFLASH_BACK_BY_…, as it stands there; a number that is not known stays a number.
  std::uint32_t way_back = 0;
  /// The code that must stay for the unit to come back; empty: none is named.
  AddressRange entry_code;

  friend bool operator==(const Information&, const Information&) = default;
};

/// Looks for the block at every multiple of 4 of every segment. nullopt: none, a format that is not
/// known, an end before its begin, or several that contradict one another.
std::optional<Information> find_information(const Image& image);

}  // namespace sureflash::image
