#include <algorithm>

#include "codec.hpp"
#include "pieces.hpp"
#include "text_lines.hpp"

// Motorola S-records, as in srec_motorola(5) and the Motorola M68000 family manual, appendix C. A
// record is `S<type><count><address><data><checksum>`; count is the number of bytes that follow it,
// and the sum of all bytes is 0xFF mod 256.
namespace sureflash::image {
namespace {

/// Bytes of the address field by record type '0' … '9'; S4 is reserved.
constexpr std::array<int, 10> kAddressWidth{2, 2, 3, 4, 0, 2, 3, 4, 3, 2};

class SRecordReader {
 public:
  explicit SRecordReader(ByteView file) : lines_(file) {}

  Result<Image> read() {
    while (lines_.next()) {
      if (ended_) return lines_.fail(Errc::FormatInvalid, "text after the end record");
      TRY(decode());
      TRY(take());
    }
    if (!ended_) {
      if (!count_seen_)
        return lines_.fail(Errc::Truncated, "the file ends without an end record (S7, S8, S9)");
      warnings_.emplace_back("the end record (S7, S8, S9) is missing; the record count is right");
    }
    TRY_ASSIGN(Image image, std::move(pieces_).finish());
    image.entry = entry_;
    image.name = std::move(name_);
    image.warnings = std::move(warnings_);
    return image;
  }

 private:
  Result<void> decode() {
    const std::string_view line = lines_.line();
    if (line.front() != 'S' && line.front() != 's')
      return lines_.fail(Errc::FormatInvalid, "the line does not begin with 'S'");
    if (line.size() < 4) return lines_.fail(Errc::Truncated, "the record has no length");
    if (line[1] < '0' || line[1] > '9')
      return lines_.fail(Errc::FormatInvalid, "unknown record type");
    type_ = line[1];
    width_ = kAddressWidth[static_cast<std::size_t>(type_ - '0')];
    if (width_ == 0) return lines_.fail(Errc::FormatInvalid, "record type S4 is reserved");
    if (!is_hex_digit(line[2]) || !is_hex_digit(line[3]))
      return lines_.fail(Errc::FormatInvalid, "not a hexadecimal digit");
    const std::size_t count = hex_byte(line[2], line[3]);
    if (count < static_cast<std::size_t>(width_) + 1)
      return lines_.fail(Errc::FormatInvalid, "the length does not fit the record type");
    TRY(record_.decode(line.substr(2), count + 1, lines_));
    if (record_.sum() != 0xFF)
      return lines_.fail(Errc::ChecksumMismatch, "the checksum of the record is wrong");
    return {};
  }

  Result<void> take() {
    const ByteView fields = record_.bytes().subspan(1);
    const std::uint32_t address = load_be(fields.first(static_cast<std::size_t>(width_)));
    const ByteView data =
        fields.subspan(static_cast<std::size_t>(width_), fields.size() - width_ - 1);
    switch (type_) {
      case '0':
        take_header(data);
        return {};
      case '5':
      case '6':
        return check_count(address);
      case '7':
      case '8':
      case '9':
        ended_ = true;
        // Writers that know of no entry put 0 there.
        if (address != 0) entry_ = address;
        return {};
      default:
        count_seen_ = false;  // a count proves what stands before it
        ++data_records_;
        return pieces_.append(address, data, lines_.number());
    }
  }

  void take_header(ByteView data) {
    name_ = printable(data);
    if (std::ranges::any_of(data, [](std::uint8_t byte) { return byte >= 0x7F; }))
      warnings_.push_back(lines_.here() + "the header (S0) is not ASCII");
  }

  Result<void> check_count(std::uint32_t count) {
    count_seen_ = true;
    if (count == data_records_) return {};
    return lines_.fail(
        count > data_records_ ? Errc::Truncated : Errc::FormatInvalid,
        "the count says " + decimal(count) + " data records, there are " + decimal(data_records_));
  }

  TextLines lines_;
  Record record_;
  Pieces pieces_{"line"};
  std::optional<std::uint32_t> entry_;
  std::string name_;
  std::vector<std::string> warnings_;
  std::uint64_t data_records_ = 0;
  char type_ = '0';
  int width_ = 0;
  bool count_seen_ = false;
  bool ended_ = false;
};

void write_record(RecordWriter& out, char type, std::uint32_t address, ByteView data) {
  const int width = kAddressWidth[static_cast<std::size_t>(type - '0')];
  const std::array<char, 2> mark{'S', type};
  out.begin({mark.data(), mark.size()});
  out.byte(static_cast<std::uint8_t>(static_cast<std::size_t>(width) + data.size() + 1));
  out.number(address, width);
  out.bytes(data);
  out.end(static_cast<std::uint8_t>(~out.sum()));
}

/// The shortest data record type that reaches every address, the entry included.
char data_type(const Image& image) {
  const std::uint64_t last =
      std::max<std::uint64_t>(image.bounds().end - 1, image.entry.value_or(0));
  if (last <= 0xFFFF) return '1';
  return last <= 0xFF'FFFF ? '2' : '3';
}

void write_count(RecordWriter& out, std::uint64_t records) {
  if (records <= 0xFFFF) {
    write_record(out, '5', static_cast<std::uint32_t>(records), {});
  } else if (records <= 0xFF'FFFF) {
    write_record(out, '6', static_cast<std::uint32_t>(records), {});
  }
}

}  // namespace

bool looks_like_s_record(ByteView file) {
  TextLines lines(file.first(std::min<std::size_t>(file.size(), 1024)));
  if (!lines.next()) return false;
  const std::string_view line = lines.line();
  return line.size() >= 10 && line[0] == 'S' && line[1] >= '0' && line[1] <= '9' &&
         std::ranges::all_of(line.substr(2, 8), is_hex_digit);
}

Result<Image> read_s_record(ByteView file, const ReadOptions&) {
  return SRecordReader(file).read();
}

Result<Bytes> write_s_record(const Image& image, const WriteOptions& options) {
  TRY(check_line_bytes(options));
  Bytes file;
  file.reserve(text_size_estimate(image, options, 6));
  RecordWriter out(file);
  const ByteView name(reinterpret_cast<const std::uint8_t*>(image.name.data()), image.name.size());
  write_record(out, '0', 0, name.first(std::min<std::size_t>(name.size(), kLineBytesMax)));
  const char type = data_type(image);
  std::uint64_t records = 0;
  for (const Segment& segment : image.segments()) {
    for (std::size_t done = 0; done < segment.data.size(); ++records) {
      const std::size_t size =
          std::min<std::size_t>(options.line_bytes, segment.data.size() - done);
      write_record(out, type, segment.address + static_cast<std::uint32_t>(done),
                   ByteView(segment.data).subspan(done, size));
      done += size;
    }
  }
  write_count(out, records);
  // S1 ends with S9, S2 with S8, S3 with S7.
  write_record(out, static_cast<char>('9' - (type - '1')), image.entry.value_or(0), {});
  return file;
}

}  // namespace sureflash::image
