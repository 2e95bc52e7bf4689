#include "sureflash/image/summary.hpp"

#include "sureflash/base/crc32.hpp"

namespace sureflash::image {

Summary summarize(const Image& image) {
  Summary summary;
  Crc32 all;
  for (const Segment& segment : image.segments()) {
    summary.size += segment.data.size();
    summary.segments.push_back({segment.range(), Crc32().add(segment.data).zlib()});
    all.add(segment.data);
    if (summary.vectors) continue;
    const auto table = read_vector_table(image, segment.address);
    if (table && check_vector_table(*table, image, kAnyRam).plausible()) summary.vectors = table;
  }
  summary.crc32 = all.zlib();
  return summary;
}

}  // namespace sureflash::image
