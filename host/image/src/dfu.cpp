#include "sureflash/proto/dfu.hpp"

#include <algorithm>
#include <array>

#include "codec.hpp"
#include "dfu_suffix.hpp"

#include "sureflash/base/crc32.hpp"

namespace sureflash::image {
namespace {

/// ucDfuSignature: "DFU" from the end.
constexpr std::array<std::uint8_t, 3> kSignature{'U', 'F', 'D'};
constexpr std::size_t kCrcSize = 4;

}  // namespace

Result<std::optional<DfuSuffix>> read_dfu_suffix(ByteView file) {
  if (file.size() < kDfuSuffixSize) return std::nullopt;
  const ByteView suffix = file.last(kDfuSuffixSize);
  if (!std::ranges::equal(suffix.subspan(8, kSignature.size()), kSignature)) return std::nullopt;
  // The CRC comes first: without it the signature may be three bytes of firmware.
  if (Crc32().add(file.first(file.size() - kCrcSize)).jam() != load_le32(suffix, 12))
    return fail(Errc::ChecksumMismatch, "the CRC of the DFU suffix does not fit the file");
  const std::size_t bLength = suffix[11];
  if (bLength < kDfuSuffixSize || bLength > file.size())
    return fail(Errc::FormatInvalid, "the DFU suffix has an impossible length");
  return DfuSuffix{.ids = {.idVendor = load_le16(suffix, 4),
                           .idProduct = load_le16(suffix, 2),
                           .bcdDevice = load_le16(suffix, 0)},
                   .bcdDFU = load_le16(suffix, 6),
                   .length = bLength};
}

void append_dfu_suffix(Bytes& file, const DfuIds& ids, std::uint16_t bcdDFU) {
  append_le16(file, ids.bcdDevice);
  append_le16(file, ids.idProduct);
  append_le16(file, ids.idVendor);
  append_le16(file, bcdDFU);
  file.insert(file.end(), kSignature.begin(), kSignature.end());
  file.push_back(kDfuSuffixSize);
  append_le32(file, Crc32().add(file).jam());
}

void take_ids(Image& image, const DfuIds& ids) {
  image.ids = ids;
  if (ids.idVendor == 0 || ids.idProduct == 0) {
    image.warnings.emplace_back(
        "the DFU suffix names vendor or product 0x0000; probably it was never filled in");
  }
}

Result<Image> read_dfu(ByteView file, const ReadOptions& options) {
  if (looks_like_dfuse(file))
    return fail(Errc::FormatInvalid, "a DfuSe container, not a plain image with a DFU suffix");
  TRY_ASSIGN(const std::optional<DfuSuffix> suffix, read_dfu_suffix(file));
  if (!suffix) {
    TRY_ASSIGN(Image image, read_binary(file, options));
    image.warnings.emplace_back("the file has no DFU suffix and is taken as raw binary");
    return image;
  }
  TRY_ASSIGN(Image image, read_binary(file.first(file.size() - suffix->length), options));
  take_ids(image, suffix->ids);
  return image;
}

Result<Bytes> write_dfu(const Image& image, const WriteOptions& options) {
  TRY_ASSIGN(Bytes file, write_binary(image, options));
  append_dfu_suffix(file, ids_to_write(image, options), proto::kBcdDfu10);
  return file;
}

}  // namespace sureflash::image
