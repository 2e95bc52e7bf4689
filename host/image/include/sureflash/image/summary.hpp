#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sureflash/image/image.hpp"
#include "sureflash/image/vector_table.hpp"

namespace sureflash::image {

struct SegmentSummary {
  AddressRange range;
  /// CRC-32 as zlib, `crc32` and `cksum -a crc32b` have it, of the bytes of the segment.
  std::uint32_t crc32 = 0;
  friend bool operator==(const SegmentSummary&, const SegmentSummary&) = default;
};

/// What there is to say about an image, for `image info` and for JSON; no text of its own. Entry,
/// ids, name and warnings are members of the image already.
struct Summary {
  /// Bytes in all segments.
  std::uint64_t size = 0;
  std::vector<SegmentSummary> segments;
  /// CRC-32 over the bytes of all segments, one after another, in rising order of address: the same
  /// for the same content in every file format.
  std::uint32_t crc32 = 0;
  /// The first segment start that holds a plausible vector table (`kAnyRam`).
  std::optional<VectorTable> vectors;
};

Summary summarize(const Image& image);

}  // namespace sureflash::image
