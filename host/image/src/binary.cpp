#include "codec.hpp"

#include "sureflash/base/text.hpp"

namespace sureflash::image {
namespace {

constexpr std::uint64_t kGapsMax = 16 << 20;

}  // namespace

Result<Image> read_binary(ByteView file, const ReadOptions& options) {
  if (file.empty()) return fail(Errc::EmptyImage);
  if (!options.base) return fail(Errc::NeedsBase);
  Image image;
  TRY(image.insert(*options.base, file));
  return image;
}

Result<Bytes> write_binary(const Image& image, const WriteOptions& options) {
  const AddressRange bounds = image.bounds();
  if (bounds.size() - image.size() > kGapsMax) {
    return fail(Error(Errc::TooLarge, "the image has " + text_size(bounds.size() - image.size()) +
                                          " of gaps, too much for a format without addresses")
                    .at(bounds));
  }
  Bytes file(static_cast<std::size_t>(bounds.size()), options.fill);
  image.read(bounds, file);
  return file;
}

}  // namespace sureflash::image
