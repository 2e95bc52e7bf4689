#include "sureflash/image/image.hpp"

#include <algorithm>

namespace sureflash::image {
namespace {

constexpr std::uint64_t kAddressSpaceEnd = 0x1'0000'0000;

Result<void> check_end(AddressRange range) {
  if (range.end <= kAddressSpaceEnd) return {};
  return fail(Error(Errc::TooLarge, "data beyond the 32-bit address space").at(range));
}

void append(Bytes& to, ByteView data) {
  to.insert(to.end(), data.begin(), data.end());
}

}  // namespace

Result<Image> Image::from_segments(std::vector<Segment> segments) {
  const auto by_address = [](const Segment& a, const Segment& b) { return a.address < b.address; };
  std::erase_if(segments, [](const Segment& s) { return s.data.empty(); });
  if (!std::ranges::is_sorted(segments, by_address)) std::ranges::sort(segments, by_address);
  Image image;
  for (Segment& segment : segments) {
    TRY(check_end(segment.range()));
    if (image.empty() || image.segments_.back().range().end < segment.address) {
      image.segments_.push_back(std::move(segment));
      continue;
    }
    Segment& last = image.segments_.back();
    const AddressRange shared = last.range().intersection(segment.range());
    if (!shared.empty()) return fail(Error(Errc::Overlap).at(shared));
    append(last.data, segment.data);
    segment.data = {};
  }
  return image;
}

Result<void> Image::insert(std::uint32_t address, ByteView data) {
  if (data.empty()) return {};
  const AddressRange range = AddressRange::sized(address, data.size());
  TRY(check_end(range));
  const auto next = std::ranges::upper_bound(segments_, address, {}, &Segment::address);
  const bool has_previous = next != segments_.begin();
  const bool has_next = next != segments_.end();
  const auto previous = has_previous ? next - 1 : next;
  for (const auto& [exists, neighbour] : {std::pair(has_previous, previous), {has_next, next}}) {
    if (exists && neighbour->range().overlaps(range))
      return fail(Error(Errc::Overlap).at(neighbour->range().intersection(range)));
  }
  const bool joins_next = has_next && next->address == range.end;
  if (has_previous && previous->range().end == range.begin) {
    append(previous->data, data);
    if (joins_next) {
      append(previous->data, next->data);
      segments_.erase(next);
    }
  } else if (joins_next) {
    next->data.insert(next->data.begin(), data.begin(), data.end());
    next->address = address;
  } else {
    segments_.insert(next, Segment{address, Bytes(data.begin(), data.end())});
  }
  return {};
}

std::uint64_t Image::size() const {
  std::uint64_t size = 0;
  for (const Segment& segment : segments_) size += segment.data.size();
  return size;
}

AddressRange Image::bounds() const {
  if (segments_.empty()) return {};
  return {segments_.front().address, segments_.back().range().end};
}

std::uint64_t Image::read(AddressRange range, ByteSpan out) const {
  std::uint64_t copied = 0;
  for (const Segment& segment : segments_) {
    const AddressRange part = segment.range().intersection(range);
    if (part.empty()) continue;
    const auto from = static_cast<std::ptrdiff_t>(part.begin - segment.address);
    const auto to = static_cast<std::ptrdiff_t>(part.begin - range.begin);
    std::copy_n(segment.data.begin() + from, part.size(), out.begin() + to);
    copied += part.size();
  }
  return copied;
}

bool Image::covers(AddressRange range) const {
  // Neighbours that touch are one segment, so a covered range lies in one.
  return range.empty() || std::ranges::any_of(segments_, [&](const Segment& s) {
           return s.range().contains(range);
         });
}

}  // namespace sureflash::image
