#include "sureflash/image/information.hpp"

#include <cstddef>

#include "sureflash/base/bytes.hpp"
#include "sureflash/proto/information_block.h"

namespace sureflash::image {
namespace {

constexpr std::size_t kSize = sizeof(sureflash_information);
constexpr std::size_t kFormatAt = offsetof(sureflash_information, format);
constexpr std::size_t kSizeAt = offsetof(sureflash_information, size);

std::optional<Information> parse(ByteView bytes) {
  if (load_le32(bytes, 0) != SUREFLASH_INFORMATION_MAGIC_0 ||
      load_le32(bytes, 4) != SUREFLASH_INFORMATION_MAGIC_1 ||
      load_le16(bytes, kFormatAt) != SUREFLASH_INFORMATION_FORMAT ||
      load_le16(bytes, kSizeAt) < kSize) {
    return std::nullopt;
  }
  const std::uint32_t begin = load_le32(bytes, offsetof(sureflash_information, entry_begin));
  const std::uint32_t end = load_le32(bytes, offsetof(sureflash_information, entry_end));
  if (end < begin) return std::nullopt;
  return Information{load_le32(bytes, offsetof(sureflash_information, way_back)), {begin, end}};
}

}  // namespace

std::optional<Information> find_information(const Image& image) {
  std::optional<Information> found;
  for (const Segment& segment : image.segments()) {
    const ByteView data = segment.data;
    for (std::size_t at = (4 - segment.address % 4) % 4; at + kSize <= data.size(); at += 4) {
      const auto here = parse(data.subspan(at, kSize));
      if (!here) continue;
      if (found && *found != *here) return std::nullopt;
      found = here;
    }
  }
  return found;
}

}  // namespace sureflash::image
