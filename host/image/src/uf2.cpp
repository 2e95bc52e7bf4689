#include <algorithm>

#include "codec.hpp"
#include "pieces.hpp"

#include "sureflash/base/text.hpp"

// UF2, as in the README of the repository microsoft/uf2. A file is a row of blocks of 512 bytes,
// each complete in itself.
namespace sureflash::image {
namespace {

constexpr std::size_t kBlockSize = 512;
constexpr std::size_t kDataOffset = 32;
constexpr std::size_t kPayloadMax = 476;
/// What nearly all writers and bootloaders use.
constexpr std::uint32_t kPayload = 256;
constexpr std::uint32_t kMagicStart0 = 0x0A324655;
constexpr std::uint32_t kMagicStart1 = 0x9E5D5157;
constexpr std::uint32_t kMagicEnd = 0x0AB16F30;
constexpr std::uint32_t kFlagNotMainFlash = 0x0001;
constexpr std::uint32_t kFlagFileContainer = 0x1000;
constexpr std::uint32_t kFlagFamily = 0x2000;

struct Block {
  std::uint32_t flags, address, payload_size, number, count, file_size_or_family;
  ByteView bytes;

  bool for_flash() const { return (flags & (kFlagNotMainFlash | kFlagFileContainer)) == 0; }
  std::optional<std::uint32_t> family() const {
    if ((flags & kFlagFamily) == 0) return std::nullopt;
    return file_size_or_family;
  }
  ByteView payload() const { return bytes.subspan(kDataOffset, payload_size); }
};

/// `index`: of the block in the file, from 0. Errors: FormatInvalid.
Result<Block> load_block(ByteView file, std::size_t index) {
  const ByteView bytes = file.subspan(index * kBlockSize, kBlockSize);
  const std::string here = "block " + decimal(index) + " of the file: ";
  if (load_le32(bytes, 0) != kMagicStart0 || load_le32(bytes, 4) != kMagicStart1 ||
      load_le32(bytes, kBlockSize - 4) != kMagicEnd)
    return fail(Errc::FormatInvalid, here + "a magic number is missing");
  const Block block{load_le32(bytes, 8),
                    load_le32(bytes, 12),
                    load_le32(bytes, 16),
                    load_le32(bytes, 20),
                    load_le32(bytes, 24),
                    load_le32(bytes, 28),
                    bytes};
  if (block.payload_size > kPayloadMax)
    return fail(Errc::FormatInvalid, here + "the payload is larger than 476 bytes");
  return block;
}

/// Errors: Truncated (not a whole number of blocks), FormatInvalid.
Result<std::vector<Block>> load_blocks(ByteView file) {
  if (!looks_like_uf2(file)) return fail(Errc::FormatInvalid, "not a UF2 file");
  if (file.size() % kBlockSize != 0)
    return fail(Errc::Truncated, "the file is not a whole number of 512-byte blocks");
  std::vector<Block> blocks;
  blocks.reserve(file.size() / kBlockSize);
  for (std::size_t i = 0; i < file.size() / kBlockSize; ++i) {
    TRY_ASSIGN(const Block block, load_block(file, i));
    blocks.push_back(block);
  }
  return blocks;
}

/// Leaves the blocks of the wanted family; without one the file must have one family only.
Result<void> select_family(std::vector<Block>& blocks, std::optional<std::uint32_t> wanted) {
  if (wanted) {
    std::erase_if(blocks, [&](const Block& block) { return block.family() != wanted; });
    if (blocks.empty())
      return fail(Errc::EmptyImage, "the file has no block of family " + hex(*wanted));
    return {};
  }
  for (const Block& block : blocks) {
    if (block.family() == blocks.front().family()) continue;
    const auto text = [](std::optional<std::uint32_t> f) { return f ? hex(*f) : "none"; };
    return fail(Errc::FormatInvalid,
                "blocks of several families, one must be chosen: " + text(blocks.front().family()) +
                    ", " + text(block.family()));
  }
  return {};
}

/// Blocks may come in any order, but each of 0 … count-1 must be there once.
/// Errors: Truncated (missing), FormatInvalid (repeated, or in disagreement about the count).
Result<void> check_numbers(const std::vector<Block>& blocks) {
  const std::uint32_t count = blocks.front().count;
  std::vector<std::uint32_t> numbers;
  numbers.reserve(blocks.size());
  for (const Block& block : blocks) {
    if (block.count != count)
      return fail(Errc::FormatInvalid, "the blocks disagree about how many there are");
    numbers.push_back(block.number);
  }
  std::ranges::sort(numbers);
  if (const auto twice = std::ranges::adjacent_find(numbers); twice != numbers.end())
    return fail(Errc::FormatInvalid, "block number " + decimal(*twice) + " occurs twice");
  for (std::uint32_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] != i) return fail(Errc::Truncated, "block number " + decimal(i) + " is missing");
  }
  if (count == numbers.size()) return {};
  return fail(
      count > numbers.size() ? Errc::Truncated : Errc::FormatInvalid,
      "the file should have " + decimal(count) + " blocks and has " + decimal(numbers.size()));
}

void append_block(Bytes& file, std::uint32_t address, ByteView payload,
                  std::optional<std::uint32_t> family, std::uint32_t count) {
  const auto number = static_cast<std::uint32_t>(file.size() / kBlockSize);
  const std::size_t end = file.size() + kBlockSize;
  for (const std::uint32_t field :
       {kMagicStart0, kMagicStart1, family ? kFlagFamily : 0U, address,
        static_cast<std::uint32_t>(payload.size()), number, count, family.value_or(0)})
    append_le32(file, field);
  file.insert(file.end(), payload.begin(), payload.end());
  file.resize(end - 4, 0);
  append_le32(file, kMagicEnd);
}

/// Number of blocks a range takes: payloads do not cross a multiple of 256.
std::uint64_t block_count(AddressRange range) {
  return (range.end + kPayload - 1) / kPayload - range.begin / kPayload;
}

}  // namespace

std::string_view stm32_family(std::uint32_t uf2_family) {
  struct Family {
    std::uint32_t id;
    std::string_view name;
  };
  static constexpr Family kFamilies[] = {
      {0x647824B6, "F0"}, {0x5EE21072, "F1"}, {0x5D1A0A2E, "F2"}, {0x6B846188, "F3"},
      {0x57755A57, "F4"}, {0x6D0922FA, "F4"}, {0x8FB060FE, "F4"}, {0x06D1097B, "F4"},
      {0x2DC309C5, "F4"}, {0x53B80F00, "F7"}, {0x300F5633, "G0"}, {0x4C71240A, "G4"},
      {0x6DB66082, "H7"}, {0x202E3A91, "L0"}, {0x1E1F432D, "L1"}, {0x00FF6919, "L4"},
      {0x04240BDF, "L5"}, {0x70D16653, "WB"}, {0x21460FF0, "WL"}};
  const auto* found = std::ranges::find(kFamilies, uf2_family, &Family::id);
  return found != std::end(kFamilies) ? found->name : std::string_view{};
}

bool looks_like_uf2(ByteView file) {
  return file.size() >= 8 && load_le32(file, 0) == kMagicStart0 &&
         load_le32(file, 4) == kMagicStart1;
}

Result<Image> read_uf2(ByteView file, const ReadOptions& options) {
  TRY_ASSIGN(std::vector<Block> blocks, load_blocks(file));
  TRY(select_family(blocks, options.family));
  TRY(check_numbers(blocks));
  Pieces pieces("block");
  std::size_t skipped = 0;
  for (const Block& block : blocks) {
    if (block.for_flash()) {
      TRY(pieces.append(block.address, block.payload(), block.number));
    } else {
      ++skipped;
    }
  }
  TRY_ASSIGN(Image image, std::move(pieces).finish());
  image.family = blocks.front().family();
  if (skipped > 0)
    image.warnings.push_back(decimal(skipped) + " blocks not meant for the flash are left out");
  return image;
}

Result<Bytes> write_uf2(const Image& image, const WriteOptions& options) {
  const auto family = options.family ? options.family : image.family;
  std::uint64_t count = 0;
  for (const Segment& segment : image.segments()) count += block_count(segment.range());
  Bytes file;
  file.reserve(static_cast<std::size_t>(count) * kBlockSize);
  for (const Segment& segment : image.segments()) {
    ByteView rest = segment.data;
    for (std::uint32_t address = segment.address; !rest.empty();) {
      const std::size_t size = std::min<std::size_t>(rest.size(), kPayload - address % kPayload);
      append_block(file, address, rest.first(size), family, static_cast<std::uint32_t>(count));
      rest = rest.subspan(size);
      address += static_cast<std::uint32_t>(size);
    }
  }
  return file;
}

}  // namespace sureflash::image
