#pragma once

#include <array>
#include <string>
#include <string_view>

#include "sureflash/base/text.hpp"
#include "sureflash/image/image.hpp"

/// What Intel HEX and S-records share: lines of hexadecimal digits.
namespace sureflash::image {

/// Walks over lines that end in LF, CR LF or, in files without any LF, in CR. Spaces, tabs and the
/// control-Z of CP/M at either end of a line are dropped. Nothing is copied.
class TextLines {
 public:
  explicit TextLines(ByteView file)
      : rest_(reinterpret_cast<const char*>(file.data()), file.size()),
        separator_(rest_.find('\n') == rest_.npos ? '\r' : '\n') {}

  /// Goes to the next line that is not blank. False: there is none.
  bool next() {
    while (!rest_.empty()) {
      const std::size_t end = rest_.find(separator_);
      line_ = trimmed(rest_.substr(0, end));
      rest_ = end == rest_.npos ? std::string_view{} : rest_.substr(end + 1);
      ++number_;
      if (!line_.empty()) return true;
    }
    return false;
  }

  std::string_view line() const { return line_; }
  /// From 1.
  std::uint64_t number() const { return number_; }

  /// For `return lines.fail(Errc::FormatInvalid, "…")`: the detail names the line.
  std::unexpected<Error> fail(Errc code, std::string_view detail) const {
    return sureflash::fail(code, here() + std::string(detail));
  }
  /// "line 3: "
  std::string here() const { return "line " + decimal(number_) + ": "; }

 private:
  static std::string_view trimmed(std::string_view line) {
    const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\x1A'; };
    while (!line.empty() && blank(line.back())) line.remove_suffix(1);
    while (!line.empty() && blank(line.front())) line.remove_prefix(1);
    return line;
  }

  std::string_view rest_;
  std::string_view line_;
  char separator_;
  std::uint64_t number_ = 0;
};

inline constexpr std::uint8_t kNoDigit = 0xFF;
inline constexpr std::array<std::uint8_t, 256> kDigitValue = [] {
  std::array<std::uint8_t, 256> table{};
  table.fill(kNoDigit);
  for (std::uint8_t i = 0; i < 16; ++i) {
    table[static_cast<std::uint8_t>("0123456789ABCDEF"[i])] = i;
    table[static_cast<std::uint8_t>("0123456789abcdef"[i])] = i;
  }
  return table;
}();

inline bool is_hex_digit(char c) {
  return kDigitValue[static_cast<std::uint8_t>(c)] != kNoDigit;
}

/// Precondition: both are hexadecimal digits.
inline std::uint8_t hex_byte(char high, char low) {
  return static_cast<std::uint8_t>(kDigitValue[static_cast<std::uint8_t>(high)] << 4 |
                                   kDigitValue[static_cast<std::uint8_t>(low)]);
}

/// The bytes of one record. 260 is the longest: HEX with a length of 255.
struct Record {
  std::array<std::uint8_t, 260> storage;
  std::size_t size = 0;

  ByteView bytes() const { return {storage.data(), size}; }
  /// Of all bytes, mod 256.
  std::uint8_t sum() const {
    unsigned sum = 0;
    for (std::size_t i = 0; i < size; ++i) sum += storage[i];
    return static_cast<std::uint8_t>(sum);
  }

  /// Decodes a record of `wanted` bytes (at most 260). Errors: Truncated (line too short),
  /// FormatInvalid (no digit, or text after the record).
  Result<void> decode(std::string_view digits, std::size_t wanted, const TextLines& lines) {
    if (digits.size() < 2 * wanted)
      return lines.fail(Errc::Truncated, "the record is shorter than its length");
    std::uint8_t seen = 0;
    for (size = 0; size < wanted; ++size) {
      const std::uint8_t high = kDigitValue[static_cast<std::uint8_t>(digits[2 * size])];
      const std::uint8_t low = kDigitValue[static_cast<std::uint8_t>(digits[2 * size + 1])];
      seen |= high | low;
      storage[size] = static_cast<std::uint8_t>(high << 4 | low);
    }
    if (seen > 0xF) return lines.fail(Errc::FormatInvalid, "not a hexadecimal digit");
    if (digits.size() > 2 * wanted) return lines.fail(Errc::FormatInvalid, "text after the record");
    return {};
  }
};

/// Big-endian, as text formats have it.
inline std::uint32_t load_be(ByteView bytes) {
  std::uint32_t value = 0;
  for (const std::uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

/// Appends hexadecimal digits and keeps the sum of the bytes of the current record.
class RecordWriter {
 public:
  explicit RecordWriter(Bytes& out) : out_(out) {}

  void begin(std::string_view mark) {
    out_.insert(out_.end(), mark.begin(), mark.end());
    sum_ = 0;
  }
  void byte(std::uint8_t value) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    out_.push_back(static_cast<std::uint8_t>(kDigits[value >> 4]));
    out_.push_back(static_cast<std::uint8_t>(kDigits[value & 0xF]));
    sum_ = static_cast<std::uint8_t>(sum_ + value);
  }
  void bytes(ByteView values) {
    for (const std::uint8_t value : values) byte(value);
  }
  /// Big-endian.
  void number(std::uint32_t value, int width) {
    for (int shift = 8 * (width - 1); shift >= 0; shift -= 8)
      byte(static_cast<std::uint8_t>(value >> shift));
  }
  /// Sum of the record so far.
  std::uint8_t sum() const { return sum_; }
  void end(std::uint8_t checksum) {
    byte(checksum);
    out_.push_back('\n');
  }

 private:
  Bytes& out_;
  std::uint8_t sum_ = 0;
};

inline constexpr int kLineBytesMax = 250;
/// Error: Usage.
inline Result<void> check_line_bytes(const WriteOptions& options) {
  if (options.line_bytes >= 1 && options.line_bytes <= kLineBytesMax) return {};
  return fail(Errc::Usage, "a line holds 1 to 250 data bytes");
}

/// Roughly the size of the text of an image: digits, and a mark, a line end and `overhead` bytes of
/// digits for each line. For `reserve`.
inline std::size_t text_size_estimate(const Image& image, const WriteOptions& options,
                                      std::size_t overhead) {
  const auto size = static_cast<std::size_t>(image.size());
  return size * 2 + (size / options.line_bytes + 4) * (2 * overhead + 3);
}

}  // namespace sureflash::image
