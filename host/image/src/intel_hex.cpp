#include <algorithm>

#include "codec.hpp"
#include "pieces.hpp"
#include "text_lines.hpp"

// Intel "Hexadecimal Object File Format Specification", revision A, 1988. A record is
// `:LLAAAATT<data>CC`; the sum of all its bytes is 0 mod 256.
namespace sureflash::image {
namespace {

enum class HexType : std::uint8_t {
  Data = 0,
  EndOfFile = 1,
  ExtendedSegmentAddress = 2,
  StartSegmentAddress = 3,
  ExtendedLinearAddress = 4,
  StartLinearAddress = 5,
};

constexpr std::size_t kHeaderSize = 4;
constexpr std::size_t kOverhead = kHeaderSize + 1;
constexpr std::uint32_t k64K = 0x1'0000;

/// Whether a line begins with ':' and as many digits as the shortest record has.
bool looks_like_record(std::string_view text) {
  return text.size() > 2 * kOverhead && text.front() == ':' &&
         std::ranges::all_of(text.substr(1, 2 * kOverhead), is_hex_digit);
}

class HexReader {
 public:
  explicit HexReader(ByteView file) : lines_(file) {}

  Result<Image> read() {
    while (lines_.next()) {
      TRY_ASSIGN(const bool found, find_record());
      if (!found) continue;
      if (ended_) return lines_.fail(Errc::FormatInvalid, "a record after the end record");
      records_seen_ = true;
      TRY(decode());
      TRY(take());
    }
    if (!records_seen_) return fail(Errc::FormatInvalid, "no Intel HEX record in the file");
    if (!ended_)
      return lines_.fail(Errc::Truncated, "the file ends without an end record (type 01)");
    TRY_ASSIGN(Image image, std::move(pieces_).finish());
    image.entry = entry_;
    image.warnings = std::move(warnings_);
    return image;
  }

 private:
  /// False: the line holds no record and may be skipped.
  Result<bool> find_record() {
    const std::string_view line = lines_.line();
    std::size_t colon = 0;
    if (line.front() != ':') {
      if (records_seen_ && !ended_)
        return lines_.fail(Errc::FormatInvalid, "the line does not begin with ':'");
      colon = line.find(':');
      while (colon != line.npos && !looks_like_record(line.substr(colon)))
        colon = line.find(':', colon + 1);
      warn_once(text_warned_, ended_ ? "text after the end record is ignored"
                                     : "text before the first record is ignored");
    }
    if (colon == line.npos) return false;
    digits_ = line.substr(colon + 1);
    return true;
  }

  Result<void> decode() {
    if (digits_.size() < 2) return lines_.fail(Errc::Truncated, "the record has no length");
    if (!is_hex_digit(digits_[0]) || !is_hex_digit(digits_[1]))
      return lines_.fail(Errc::FormatInvalid, "not a hexadecimal digit");
    const std::size_t length = hex_byte(digits_[0], digits_[1]);
    TRY(record_.decode(digits_, length + kOverhead, lines_));
    if (record_.sum() != 0)
      return lines_.fail(Errc::ChecksumMismatch, "the checksum of the record is wrong");
    return {};
  }

  Result<void> take() {
    const ByteView record = record_.bytes();
    const ByteView data = record.subspan(kHeaderSize, record.size() - kOverhead);
    const std::uint32_t offset = load_be(record.subspan(1, 2));
    switch (static_cast<HexType>(record[3])) {
      case HexType::Data:
        return take_data(offset, data);
      case HexType::EndOfFile:
        TRY(expect_length(data, 0));
        ended_ = true;
        return {};
      case HexType::ExtendedSegmentAddress:
        TRY(expect_length(data, 2));
        base_ = load_be(data) * 16;
        segmented_ = true;
        return {};
      case HexType::ExtendedLinearAddress:
        TRY(expect_length(data, 2));
        base_ = load_be(data) << 16;
        segmented_ = false;
        return {};
      case HexType::StartSegmentAddress:
        TRY(expect_length(data, 4));
        entry_ = load_be(data.first(2)) * 16 + load_be(data.last(2));
        return {};
      case HexType::StartLinearAddress:
        TRY(expect_length(data, 4));
        entry_ = load_be(data);
        return {};
    }
    return lines_.fail(Errc::FormatInvalid, "unknown record type " + hex(record[3], 2));
  }

  Result<void> expect_length(ByteView data, std::size_t length) const {
    if (data.size() == length) return {};
    return lines_.fail(Errc::FormatInvalid, "the length does not fit the record type");
  }

  /// A record that crosses 64 KiB goes on in linear mode and wraps inside the segment in segment
  /// mode.
  Result<void> take_data(std::uint32_t offset, ByteView data) {
    if (offset + data.size() <= k64K) return pieces_.append(base_ + offset, data, lines_.number());
    warn_once(crossing_warned_, segmented_ ? "a record wraps around the end of its 64 KiB segment"
                                           : "a record crosses a 64 KiB border");
    if (!segmented_) return pieces_.append(std::uint64_t{base_} + offset, data, lines_.number());
    TRY(pieces_.append(base_ + offset, data.first(k64K - offset), lines_.number()));
    return pieces_.append(base_, data.subspan(k64K - offset), lines_.number());
  }

  /// A file of a million odd lines gets one warning.
  void warn_once(bool& warned, std::string_view text) {
    if (!warned) warnings_.push_back(lines_.here() + std::string(text));
    warned = true;
  }

  TextLines lines_;
  std::string_view digits_;
  Record record_;
  Pieces pieces_{"line"};
  std::optional<std::uint32_t> entry_;
  std::vector<std::string> warnings_;
  std::uint32_t base_ = 0;
  bool segmented_ = false;
  bool records_seen_ = false;
  bool ended_ = false;
  bool text_warned_ = false;
  bool crossing_warned_ = false;
};

void write_record(RecordWriter& out, HexType type, std::uint16_t offset, ByteView data) {
  out.begin(":");
  out.byte(static_cast<std::uint8_t>(data.size()));
  out.number(offset, 2);
  out.byte(static_cast<std::uint8_t>(type));
  out.bytes(data);
  out.end(static_cast<std::uint8_t>(-out.sum()));
}

void write_number_record(RecordWriter& out, HexType type, std::uint32_t value, int width) {
  out.begin(":");
  out.byte(static_cast<std::uint8_t>(width));
  out.number(0, 2);
  out.byte(static_cast<std::uint8_t>(type));
  out.number(value, width);
  out.end(static_cast<std::uint8_t>(-out.sum()));
}

}  // namespace

bool looks_like_intel_hex(ByteView file) {
  TextLines lines(file.first(std::min<std::size_t>(file.size(), 1024)));
  return lines.next() && looks_like_record(lines.line());
}

Result<Image> read_intel_hex(ByteView file, const ReadOptions&) {
  return HexReader(file).read();
}

Result<Bytes> write_intel_hex(const Image& image, const WriteOptions& options) {
  TRY(check_line_bytes(options));
  Bytes file;
  file.reserve(text_size_estimate(image, options, kOverhead));
  RecordWriter out(file);
  std::uint32_t upper = 0;
  for (const Segment& segment : image.segments()) {
    ByteView rest = segment.data;
    std::uint64_t address = segment.address;
    while (!rest.empty()) {
      if (address >> 16 != upper) {
        upper = static_cast<std::uint32_t>(address >> 16);
        write_number_record(out, HexType::ExtendedLinearAddress, upper, 2);
      }
      const auto offset = static_cast<std::uint16_t>(address);
      const std::size_t size =
          std::min({rest.size(), std::size_t{options.line_bytes}, std::size_t{k64K - offset}});
      write_record(out, HexType::Data, offset, rest.first(size));
      rest = rest.subspan(size);
      address += size;
    }
  }
  if (image.entry) write_number_record(out, HexType::StartLinearAddress, *image.entry, 4);
  write_record(out, HexType::EndOfFile, 0, {});
  return file;
}

}  // namespace sureflash::image
