#include "pieces.hpp"

#include "sureflash/base/text.hpp"

namespace sureflash::image {

Result<void> Pieces::append(std::uint64_t address, ByteView data, std::uint64_t number) {
  if (data.empty()) return {};
  if (address + data.size() > 0x1'0000'0000) {
    return fail(Error(Errc::TooLarge, std::string(unit_) + " " + decimal(number) +
                                          ": data beyond the 32-bit address space")
                    .at(AddressRange::sized(address, data.size())));
  }
  if (segments_.empty() || segments_.back().range().end != address) {
    segments_.push_back({static_cast<std::uint32_t>(address), {}});
    numbers_.push_back(number);
  }
  Bytes& last = segments_.back().data;
  last.insert(last.end(), data.begin(), data.end());
  return {};
}

Result<Image> Pieces::finish() && {
  if (segments_.empty()) return fail(Errc::EmptyImage);
  std::vector<Origin> origins;
  origins.reserve(segments_.size());
  for (std::size_t i = 0; i < segments_.size(); ++i)
    origins.push_back({segments_[i].range(), numbers_[i]});
  auto image = Image::from_segments(std::move(segments_));
  if (!image && image.error().code == Errc::Overlap)
    image.error().detail = origins_of(*image.error().where.range, origins);
  return image;
}

std::string Pieces::origins_of(AddressRange shared, const std::vector<Origin>& origins) const {
  std::string text;
  int found = 0;
  for (const Origin& origin : origins) {
    if (!origin.range.overlaps(shared)) continue;
    text += found == 0 ? "data from " : " and from ";
    text += std::string(unit_) + " " + decimal(origin.number) + " on";
    if (++found == 2) break;
  }
  return text;
}

}  // namespace sureflash::image
