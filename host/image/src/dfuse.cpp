#include <algorithm>
#include <string_view>

#include "codec.hpp"
#include "dfu_suffix.hpp"
#include "pieces.hpp"

#include "sureflash/base/text.hpp"
#include "sureflash/proto/dfu.hpp"

// ST UM0391, "DfuSe file format specification": prefix, images (one per target, that is alternate
// setting), each a prefix and elements, and a DFU suffix.
namespace sureflash::image {
namespace {

constexpr std::string_view kPrefixSignature = "DfuSe";
constexpr std::string_view kTargetSignature = "Target";
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kPrefixSize = 11;
constexpr std::size_t kTargetPrefixSize = 274;
constexpr std::size_t kTargetNameOffset = 11;
constexpr std::size_t kTargetNameSize = 255;
constexpr std::size_t kElementHeaderSize = 8;

bool begins_with(ByteView bytes, std::string_view text) {
  return bytes.size() >= text.size() && std::ranges::equal(bytes.first(text.size()), text);
}

/// The fields of an image prefix that matter to us.
struct TargetPrefix {
  std::uint8_t bAlternateSetting;
  std::uint32_t bTargetNamed;
  ByteView szTargetName;
  std::uint32_t dwTargetSize, dwNbElements;
};

TargetPrefix load_target_prefix(ByteView bytes) {
  return {bytes[6], load_le32(bytes, 7), bytes.subspan(kTargetNameOffset, kTargetNameSize),
          load_le32(bytes, 266), load_le32(bytes, 270)};
}

class DfuSeReader {
 public:
  DfuSeReader(ByteView file, const ReadOptions& options) : file_(file), options_(options) {}

  Result<Image> read() {
    TRY(read_frame());
    for (number_ = 1; number_ <= targets_; ++number_) TRY(read_target());
    if (!rest_.empty())
      warn(text_size(rest_.size()) + " between the last image and the suffix are ignored");
    return finish();
  }

 private:
  void warn(std::string text) { found_.warnings.push_back(std::move(text)); }
  std::string here() const { return "image " + decimal(number_) + ": "; }

  /// Prefix and suffix; leaves the images in `rest_`.
  Result<void> read_frame() {
    if (!looks_like_dfuse(file_)) return fail(Errc::FormatInvalid, "not a DfuSe file");
    TRY_ASSIGN(const std::optional<DfuSuffix> suffix, read_dfu_suffix(file_));
    if (!suffix) return fail(Errc::Truncated, "the file does not end in a DFU suffix");
    if (file_.size() < kPrefixSize + suffix->length)
      return fail(Errc::Truncated, "no room for the DfuSe prefix");
    if (file_[5] != kVersion)
      return fail(Errc::FormatInvalid, "DfuSe version " + decimal(file_[5]) + " is unknown");
    const ByteView body = file_.first(file_.size() - suffix->length);
    // fwupd and old dfuse-pack do not count the suffix in DFUImageSize, dfuse-pack 0.11 does.
    const std::uint32_t size = load_le32(file_, 6);
    if (size != body.size() && size != file_.size()) {
      warn("DFUImageSize is " + decimal(size) + ", the file has " + decimal(body.size()) +
           " bytes without its suffix");
    }
    if (suffix->bcdDFU != proto::kBcdDfuSe)
      warn("bcdDFU in the suffix is " + hex(suffix->bcdDFU, 4) + ", DfuSe files have 0x011A");
    take_ids(found_, suffix->ids);
    targets_ = file_[10];
    rest_ = body.subspan(kPrefixSize);
    return {};
  }

  Result<void> read_target() {
    if (rest_.size() < kTargetPrefixSize)
      return fail(Errc::Truncated, here() + "the file ends inside its prefix");
    if (!begins_with(rest_, kTargetSignature))
      return fail(Errc::FormatInvalid, here() + "the signature \"Target\" is missing");
    const TargetPrefix prefix = load_target_prefix(rest_);
    rest_ = rest_.subspan(kTargetPrefixSize);
    if (prefix.dwTargetSize > rest_.size())
      return fail(Errc::Truncated, here() + "it is larger than the rest of the file");
    const ByteView elements = rest_.first(prefix.dwTargetSize);
    rest_ = rest_.subspan(prefix.dwTargetSize);
    found_.alt_settings.push_back(prefix.bAlternateSetting);
    const bool wanted = !options_.alt_setting || *options_.alt_setting == prefix.bAlternateSetting;
    if (!wanted) {
      warn(here() + "left out, it is for alternate setting " + decimal(prefix.bAlternateSetting));
    } else if (found_.name.empty() && prefix.bTargetNamed != 0) {
      found_.name = printable(prefix.szTargetName);
    }
    return read_elements(elements, prefix.dwNbElements, wanted);
  }

  /// Elements are checked even where they are not wanted: a damaged file is refused as a whole.
  Result<void> read_elements(ByteView elements, std::uint32_t count, bool wanted) {
    if (count == 0) warn(here() + "it has no elements");
    for (std::uint32_t i = 1; i <= count; ++i) {
      const std::string element = here() + "element " + decimal(i);
      if (elements.size() < kElementHeaderSize)
        return fail(Errc::FormatInvalid, element + " is missing");
      const std::uint32_t address = load_le32(elements, 0);
      const std::uint32_t size = load_le32(elements, 4);
      elements = elements.subspan(kElementHeaderSize);
      if (size > elements.size()) {
        return fail(Error(Errc::FormatInvalid, element + " runs past the end of the image")
                        .at(AddressRange::sized(address, size)));
      }
      if (wanted) TRY(pieces_.append(address, elements.first(size), ++elements_));
      elements = elements.subspan(size);
    }
    // With a count of 0 these bytes may be somebody's firmware; never drop that in silence.
    if (count == 0 && !elements.empty()) {
      return fail(Errc::FormatInvalid,
                  here() + "it has no elements but " + text_size(elements.size()));
    }
    if (!elements.empty())
      warn(here() + text_size(elements.size()) + " after the last element are ignored");
    return {};
  }

  Result<Image> finish() {
    auto& alts = found_.alt_settings;
    std::ranges::sort(alts);
    alts.erase(std::ranges::unique(alts).begin(), alts.end());
    if (options_.alt_setting && !std::ranges::binary_search(alts, *options_.alt_setting)) {
      return fail(Errc::EmptyImage,
                  "no image for alternate setting " + decimal(*options_.alt_setting));
    }
    TRY_ASSIGN(Image image, std::move(pieces_).finish());
    image.alt_settings = std::move(alts);
    image.ids = found_.ids;
    image.name = std::move(found_.name);
    image.warnings = std::move(found_.warnings);
    return image;
  }

  ByteView file_;
  const ReadOptions& options_;
  ByteView rest_;
  std::uint8_t targets_ = 0;
  /// Of the image being read, from 1. Wider than bTargets, so that it can pass 255.
  unsigned number_ = 0;
  std::uint64_t elements_ = 0;
  Pieces pieces_{"element"};
  /// Everything but the segments.
  Image found_;
};

/// Name cut to 254 bytes, so that a NUL always ends it.
void append_target_prefix(Bytes& file, const Image& image, std::uint8_t alt_setting) {
  const std::string_view name = std::string_view(image.name).substr(0, kTargetNameSize - 1);
  const std::size_t end_of_name = file.size() + kTargetNameOffset + kTargetNameSize;
  file.insert(file.end(), kTargetSignature.begin(), kTargetSignature.end());
  file.push_back(alt_setting);
  append_le32(file, name.empty() ? 0 : 1);
  file.insert(file.end(), name.begin(), name.end());
  file.resize(end_of_name, 0);
  const std::size_t count = image.segments().size();
  append_le32(file, static_cast<std::uint32_t>(image.size() + count * kElementHeaderSize));
  append_le32(file, static_cast<std::uint32_t>(count));
}

}  // namespace

bool looks_like_dfuse(ByteView file) {
  return begins_with(file, kPrefixSignature);
}

Result<Image> read_dfuse(ByteView file, const ReadOptions& options) {
  return DfuSeReader(file, options).read();
}

Result<Bytes> write_dfuse(const Image& image, const WriteOptions& options) {
  const std::uint64_t size =
      kPrefixSize + kTargetPrefixSize + image.size() + image.segments().size() * kElementHeaderSize;
  if (size > UINT32_MAX) return fail(Errc::TooLarge, "DFUImageSize has 32 bits");
  Bytes file;
  file.reserve(static_cast<std::size_t>(size) + kDfuSuffixSize);
  file.insert(file.end(), kPrefixSignature.begin(), kPrefixSignature.end());
  file.push_back(kVersion);
  append_le32(file, static_cast<std::uint32_t>(size));
  file.push_back(1);
  append_target_prefix(file, image, options.alt_setting);
  for (const Segment& segment : image.segments()) {
    append_le32(file, segment.address);
    append_le32(file, static_cast<std::uint32_t>(segment.data.size()));
    file.insert(file.end(), segment.data.begin(), segment.data.end());
  }
  append_dfu_suffix(file, ids_to_write(image, options), proto::kBcdDfuSe);
  return file;
}

}  // namespace sureflash::image
