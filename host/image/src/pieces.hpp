#pragma once

#include <string_view>
#include <vector>

#include "sureflash/image/image.hpp"

namespace sureflash::image {

/// Collects what a reader finds, in the order of the file, and makes an image of it at the end:
/// linear in the common case, n log n in the worst, whatever the order of the records.
class Pieces {
 public:
  /// `unit`: what the numbers given to `append` count ("line"), for messages.
  explicit Pieces(std::string_view unit) : unit_(unit) {}

  /// Error: TooLarge (end beyond 0x1'0000'0000), naming the unit.
  Result<void> append(std::uint64_t address, ByteView data, std::uint64_t number);

  /// Errors: Overlap, naming the range and the units; EmptyImage.
  Result<Image> finish() &&;

 private:
  struct Origin {
    AddressRange range;
    std::uint64_t number;
  };
  std::string origins_of(AddressRange shared, const std::vector<Origin>& origins) const;

  std::string_view unit_;
  std::vector<Segment> segments_;
  /// Number of the unit in which each segment begins.
  std::vector<std::uint64_t> numbers_;
};

}  // namespace sureflash::image
