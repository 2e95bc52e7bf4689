#pragma once

#include <optional>

#include "sureflash/image/image.hpp"

namespace sureflash::image {

/// The last bytes of a DFU file. Source: DFU 1.1, appendix B.
struct DfuSuffix {
  DfuIds ids;
  std::uint16_t bcdDFU = 0;
  /// Bytes to strip: 16, or more when a later version of the suffix put fields in front.
  std::size_t length = 0;
};

inline constexpr std::size_t kDfuSuffixSize = 16;

/// nullopt: the file does not end in a suffix. Errors: ChecksumMismatch, FormatInvalid (bLength).
Result<std::optional<DfuSuffix>> read_dfu_suffix(ByteView file);

void append_dfu_suffix(Bytes& file, const DfuIds& ids, std::uint16_t bcdDFU);

/// Takes the ids over, and warns of those that were probably never filled in.
void take_ids(Image& image, const DfuIds& ids);

/// The ids a writer puts into the suffix.
inline DfuIds ids_to_write(const Image& image, const WriteOptions& options) {
  return options.ids.value_or(image.ids.value_or(DfuIds{}));
}

}  // namespace sureflash::image
