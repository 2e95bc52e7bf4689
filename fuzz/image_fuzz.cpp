// Every image reader: what it accepts is a well-formed image no larger than its file, and survives
// being written and read again in every format. One source for all; the name of the target says
// which format.

#include <algorithm>
#include <string_view>

#include "fuzz.hpp"

#include "sureflash/base/crc32.hpp"
#include "sureflash/image/image.hpp"
#include "sureflash/image/summary.hpp"

namespace sureflash::image {
namespace {

using fuzz::require;

Format target_format() {
  constexpr std::string_view kName = SUREFLASH_FUZZ_NAME;
  constexpr std::string_view kPrefix = "image_";
  static_assert(kName.starts_with(kPrefix));
  constexpr std::string_view kFormat = kName.substr(kPrefix.size());
  const auto format = format_from_name(kFormat == "binary" ? "bin" : kFormat);
  require(format.has_value(), "the target is named after a format");
  return *format;
}

void check_invariant(const Image& image, std::size_t file_size) {
  require(!image.empty(), "a reader never returns an empty image");
  require(image.size() <= file_size, "no image is larger than its file");
  std::uint64_t end_of_last = 0;
  bool first = true;
  for (const Segment& segment : image.segments()) {
    require(!segment.data.empty(), "no segment is empty");
    require(first || segment.address > end_of_last, "segments are sorted, disjoint and joined");
    end_of_last = segment.range().end;
    first = false;
  }
  require(end_of_last <= 0x1'0000'0000, "all lies in 32 bits");
  require(std::ranges::all_of(image.name, [](char c) { return c >= 0x20 && c < 0x7F; }),
          "names are printable");
}

void check_round_trip(const Image& image) {
  for (const Format format : {Format::IntelHex, Format::SRecord, Format::DfuSe, Format::Uf2}) {
    // The image's own ids may be of the suspicious kind that is warned of.
    const auto file = write(format, image, {.ids = DfuIds{}});
    require(file.has_value(), "what was read can be written");
    require(detect(*file, "") == format, "what was written is recognised");
    const auto back = read(format, *file);
    require(back.has_value(), "what was written can be read");
    require(std::ranges::equal(back->segments(), image.segments()), "and is the same");
    require(back->warnings.empty(), "and is beyond reproach");
  }
}

/// Formats without addresses fill gaps, which may be too many.
void check_flat_round_trip(const Image& image) {
  if (image.bounds().size() > image.size() + 0x1'0000) return;
  const ReadOptions options{.base = static_cast<std::uint32_t>(image.bounds().begin)};
  for (const Format format : {Format::Binary, Format::Dfu}) {
    const auto file = write(format, image);
    require(file.has_value(), "an image with few gaps can be written flat");
    // Firmware that begins like a DfuSe container cannot be told from one.
    if (format == Format::Dfu && detect(*file, "") == Format::DfuSe) continue;
    const auto back = read(format, *file, options);
    require(back.has_value(), "a flat file can be read");
    require(back->bounds() == image.bounds(), "a flat file keeps the bounds");
  }
}

void check(ByteView file, const ReadOptions& options) {
  const auto image = read(target_format(), file, options);
  if (!image) {
    require(!message(image.error()).empty(), "every error has a text");
    return;
  }
  check_invariant(*image, file.size());
  const Summary summary = summarize(*image);
  require(summary.size == image->size(), "the summary agrees with the image");
  check_round_trip(*image);
  check_flat_round_trip(*image);
}

/// The fuzzer cannot guess a CRC of 32 bits: once as it came, once with the CRC made right.
void check_with_right_crc(ByteView file, const ReadOptions& options) {
  Bytes repaired(file.begin(), file.end());
  const ByteView covered = file.first(file.size() - 4);
  store_le32(repaired, covered.size(), Crc32().add(covered).jam());
  check(repaired, options);
}

}  // namespace
}  // namespace sureflash::image

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sureflash;
  const ByteView file(data, size);
  const image::ReadOptions all{.base = 0x0800'0000};
  image::ReadOptions chosen = all;
  chosen.alt_setting = 1;
  chosen.family = 0x5EE21072;
  image::detect(file, "");
  image::check(file, all);
  image::check(file, chosen);
  const image::Format format = image::target_format();
  if (size >= 4 && (format == image::Format::Dfu || format == image::Format::DfuSe)) {
    image::check_with_right_crc(file, all);
    image::check_with_right_crc(file, chosen);
  }
  return 0;
}
