#include "sureflash/image/vector_table.hpp"

#include <algorithm>
#include <array>

namespace sureflash::image {

std::optional<VectorTable> read_vector_table(const Image& image, std::uint32_t address) {
  std::array<std::uint8_t, 8> words{};
  if (image.read(AddressRange::sized(address, words.size()), words) != words.size())
    return std::nullopt;
  return VectorTable{address, load_le32(words, 0), load_le32(words, 4)};
}

VectorTableCheck check_vector_table(const VectorTable& table, const Image& image,
                                    std::span<const AddressRange> ram) {
  const auto holds_stack = [&](AddressRange r) { return table.sp > r.begin && table.sp <= r.end; };
  constexpr std::uint32_t kThumb = 1;
  // The shortest Thumb instruction has two bytes.
  const AddressRange first_instruction = AddressRange::sized(table.reset & ~kThumb, 2);
  return {.sp_in_ram = std::ranges::any_of(ram, holds_stack),
          .sp_aligned = table.sp % 4 == 0,
          .reset_is_thumb = (table.reset & kThumb) != 0,
          .reset_in_image = image.covers(first_instruction)};
}

}  // namespace sureflash::image
