#include "units.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "range.hpp"
#include "show.hpp"
#include <fmt/format.h>

#include "sureflash/base/text.hpp"

namespace sureflash::cli {
namespace {

constexpr std::size_t kTextMax = 4096;
/// Addresses have 32 bits.
constexpr std::uint64_t kAddressEnd = 0x1'0000'0000;

/// RFC 3629, section 4.
bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = [&](std::size_t i) {
      return at + i < text.size() ? static_cast<std::uint8_t>(text[at + i]) : std::uint8_t{0};
    };
    const std::uint8_t first = byte(0);
    const std::size_t size = first < 0x80   ? 1
                             : first < 0xC2 ? 0
                             : first < 0xE0 ? 2
                             : first < 0xF0 ? 3
                             : first < 0xF5 ? 4
                                            : 0;
    // Neither longer than need be, nor half of a surrogate pair, nor behind the last code point.
    const std::uint8_t least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    const std::uint8_t most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (size == 0 || (size > 1 && (byte(1) < least || byte(1) > most))) return false;
    for (std::size_t i = 2; i < size; ++i) {
      if ((byte(i) & 0xC0U) != 0x80) return false;
    }
    at += size;
  }
  return true;
}

std::unexpected<Error> bad_line(std::size_t line, std::string_view why) {
  return fail(Error(Errc::BadUnitData, fmt::format("line {}: {}", line, why)));
}

/// Reads a CSV file cell by cell.
class CsvReader {
 public:
  explicit CsvReader(std::string_view text) : text_(text) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
    const std::string_view first = text_.substr(0, text_.find('\n'));
    const bool commas = first.find(',') != std::string_view::npos;
    separator_ = !commas && first.find(';') != std::string_view::npos ? ';' : ',';
  }

  bool at_end() const { return text_.empty(); }
  std::size_t line() const { return line_; }

  Result<std::vector<std::string>> row() {
    std::vector<std::string> cells;
    while (true) {
      TRY_ASSIGN(std::string cell, this->cell());
      cells.push_back(std::move(cell));
      if (text_.starts_with(separator_)) {
        text_.remove_prefix(1);
        continue;
      }
      end_line();
      return cells;
    }
  }

 private:
  Result<std::string> cell() {
    if (text_.starts_with('"')) return quoted();
    const std::size_t end =
        std::min(text_.find_first_of(std::string{separator_, '\n', '\r', '"'}), text_.size());
    std::string cell(text_.substr(0, end));
    text_.remove_prefix(end);
    if (text_.starts_with('"')) return bad_line(line_, "a quote in the middle of a cell");
    return cell;
  }

  Result<std::string> quoted() {
    const std::size_t began = line_;
    text_.remove_prefix(1);
    std::string cell;
    while (!text_.empty()) {
      const char c = text_.front();
      text_.remove_prefix(1);
      if (c == '"' && !text_.starts_with('"')) {
        if (text_.empty() || text_.starts_with(separator_) || text_.starts_with('\n') ||
            text_.starts_with('\r')) {
          return cell;
        }
        return bad_line(line_, "text after the quote that ends a cell");
      }
      if (c == '"') text_.remove_prefix(1);
      if (c == '\n') ++line_;
      cell += c;
    }
    return bad_line(began, "a quote that does not end");
  }

  void end_line() {
    if (text_.starts_with('\r')) text_.remove_prefix(1);
    if (text_.starts_with('\n')) text_.remove_prefix(1);
    ++line_;
  }

  std::string_view text_;
  char separator_ = ',';
  std::size_t line_ = 1;
};

Result<void> check_columns(const std::vector<std::string>& columns) {
  std::set<std::string_view> seen;
  for (const std::string& name : columns) {
    if (name.empty()) return bad_line(1, "a column has no name");
    if (!seen.insert(name).second) return bad_line(1, "two columns are called \"" + name + "\"");
  }
  return {};
}

std::optional<std::uint8_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  return std::nullopt;
}

Result<Bytes> hex_bytes(std::string_view cell) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < cell.size(); i += 2) {
    const auto high = hex_digit(cell[i]);
    const auto low = hex_digit(cell[i + 1]);
    if (!high || !low) break;
    bytes.push_back(static_cast<std::uint8_t>(*high << 4 | *low));
  }
  if (bytes.empty() || 2 * bytes.size() != cell.size()) {
    return fail(Errc::BadUnitData, fmt::format("\"{}\" is not pairs of hex digits", cell));
  }
  return bytes;
}

Result<Bytes> text_bytes(std::string_view cell, std::size_t size) {
  const std::size_t most = size == 0 ? kTextMax : size;
  if (cell.empty()) return fail(Errc::BadUnitData, "the cell is empty");
  if (cell.size() > most) {
    return fail(Errc::BadUnitData,
                fmt::format("\"{}\" has {} bytes, {} fit", cell, cell.size(), most));
  }
  Bytes bytes(cell.begin(), cell.end());
  bytes.resize(size == 0 ? cell.size() + 1 : size);
  return bytes;
}

Result<Bytes> number_bytes(std::string_view cell, std::size_t size) {
  const auto value = number(cell);
  constexpr std::size_t kLargest = 8;
  if (!value || (size < kLargest && *value >> 8 * size != 0)) {
    return fail(Errc::BadUnitData, fmt::format("\"{}\" is no number of {} bits", cell, 8 * size));
  }
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(*value >> 8 * i);
  return bytes;
}

Result<void> parse_type(std::string_view type, Patch& patch) {
  struct Fixed {
    std::string_view name;
    Patch::Type type;
    std::size_t size;
  };
  constexpr Fixed kFixed[] = {{"text", Patch::Type::Text, 0},  {"hex", Patch::Type::Hex, 0},
                              {"u8", Patch::Type::Number, 1},  {"u16", Patch::Type::Number, 2},
                              {"u32", Patch::Type::Number, 4}, {"u64", Patch::Type::Number, 8}};
  const auto fixed = std::ranges::find(kFixed, type, &Fixed::name);
  if (fixed != std::end(kFixed)) {
    patch.type = fixed->type;
    patch.size = fixed->size;
    return {};
  }
  constexpr std::string_view kText = "text";
  if (type.starts_with(kText)) {
    const auto size = number(type.substr(kText.size()));
    if (size && *size > 0 && *size <= kTextMax) {
      patch.size = *size;
      return {};
    }
  }
  return fail(Errc::Usage, fmt::format("\"{}\" is no type of a patch (text, text16, hex, u8, u16, "
                                       "u32, u64)",
                                       type));
}

}  // namespace

std::optional<std::size_t> UnitTable::column(std::string_view name) const {
  const auto it = std::ranges::find(columns, name);
  if (it == columns.end()) return std::nullopt;
  return static_cast<std::size_t>(it - columns.begin());
}

std::string UnitTable::text(const Row& row) {
  // No cell holds this byte, so that different rows have different texts.
  return fmt::format("{}", fmt::join(row.cells, std::string_view("\0", 1)));
}

Result<UnitTable> parse_units(ByteView file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (text.find('\0') != std::string_view::npos || !is_utf8(text)) {
    return fail(Errc::BadUnitData, "this is no text in UTF-8");
  }
  CsvReader reader(text);
  UnitTable table;
  TRY_ASSIGN(table.columns, reader.row());
  TRY(check_columns(table.columns));
  std::set<std::string> seen;
  while (!reader.at_end()) {
    UnitTable::Row row{.line = reader.line(), .cells = {}};
    TRY_ASSIGN(row.cells, reader.row());
    if (row.cells.size() == 1 && row.cells.front().empty()) continue;
    if (row.cells.size() != table.columns.size()) {
      return bad_line(row.line, fmt::format("{}, but there are {}", count(row.cells.size(), "cell"),
                                            count(table.columns.size(), "column")));
    }
    if (!seen.insert(UnitTable::text(row)).second) {
      return bad_line(row.line, "the same as a row before: two units would be alike");
    }
    table.rows.push_back(std::move(row));
  }
  if (table.rows.empty()) return bad_line(1, "no rows");
  return table;
}

Result<Patch> parse_patch(std::string_view text) {
  const std::size_t equals = text.find('=');
  const auto address = number(text.substr(0, equals));
  if (equals == std::string_view::npos || !address || *address > 0xFFFF'FFFF) {
    return fail(Errc::Usage,
                fmt::format("--patch takes ADDRESS=COLUMN[:TYPE][:repeats], not \"{}\"", text));
  }
  Patch patch{.address = static_cast<std::uint32_t>(*address), .column = {}};
  constexpr std::string_view kRepeats = ":repeats";
  std::string_view rest = text.substr(equals + 1);
  patch.repeats = rest.ends_with(kRepeats);
  if (patch.repeats) rest.remove_suffix(kRepeats.size());
  const std::size_t colon = rest.rfind(':');
  patch.column = rest.substr(0, colon);
  if (patch.column.empty()) return fail(Errc::Usage, "--patch names no column");
  if (colon != std::string_view::npos) TRY(parse_type(rest.substr(colon + 1), patch));
  return patch;
}

Result<Bytes> encode(const Patch& patch, std::string_view cell) {
  switch (patch.type) {
    case Patch::Type::Text:
      return text_bytes(cell, patch.size);
    case Patch::Type::Hex:
      return hex_bytes(cell);
    case Patch::Type::Number:
      return number_bytes(cell, patch.size);
  }
  return fail(Errc::Internal);
}

Result<image::Image> overwritten(const image::Image& image, std::uint32_t address, ByteView bytes) {
  const AddressRange range = AddressRange::sized(address, bytes.size());
  std::vector<image::Segment> segments{{address, Bytes(bytes.begin(), bytes.end())}};
  const auto keep = [&](const image::Segment& s, AddressRange part) {
    if (part.empty()) return;
    const ByteView kept = ByteView(s.data).subspan(part.begin - s.address, part.size());
    segments.push_back({static_cast<std::uint32_t>(part.begin), Bytes(kept.begin(), kept.end())});
  };
  for (const image::Segment& s : image.segments()) {
    const AddressRange all = s.range();
    keep(s, {all.begin, std::clamp(range.begin, all.begin, all.end)});
    keep(s, {std::clamp(range.end, all.begin, all.end), all.end});
  }
  TRY_ASSIGN(image::Image result, image::Image::from_segments(std::move(segments)));
  result.entry = image.entry;
  result.ids = image.ids;
  result.family = image.family;
  result.alt_settings = image.alt_settings;
  result.family = image.family;
  result.name = image.name;
  result.warnings = image.warnings;
  return result;
}

namespace {

Result<Bytes> encode_cell(const Patch& patch, const UnitTable& table, const UnitTable::Row& row) {
  const auto column = table.column(patch.column);
  if (!column) {
    return fail(Errc::Usage, fmt::format("there is no column \"{}\", but \"{}\"", patch.column,
                                         fmt::join(table.columns, "\", \"")));
  }
  auto bytes = encode(patch, row.cells[*column]);
  if (bytes) return bytes;
  return bad_line(row.line, fmt::format("{}: {}", patch.column, bytes.error().detail));
}

Result<void> check_places(const UnitTable& table, const std::vector<Patch>& patches,
                          const UnitTable::Row& row) {
  std::vector<AddressRange> taken;
  for (const Patch& patch : patches) {
    TRY_ASSIGN(const Bytes bytes, encode_cell(patch, table, row));
    const AddressRange range = AddressRange::sized(patch.address, bytes.size());
    if (range.end > kAddressEnd) return bad_line(row.line, patch.column + ": no room");
    const auto other =
        std::ranges::find_if(taken, [&](AddressRange r) { return !r.intersection(range).empty(); });
    if (other != taken.end()) {
      return bad_line(row.line, fmt::format("{} at {} lies over what is at {}", patch.column,
                                            text(range), text(*other)));
    }
    taken.push_back(range);
  }
  return {};
}

Result<void> check_repeats(const UnitTable& table, const Patch& patch) {
  if (patch.repeats) return {};
  const std::size_t column = *table.column(patch.column);
  std::map<std::string_view, std::size_t> lines;
  for (const UnitTable::Row& row : table.rows) {
    const auto [first, is_new] = lines.emplace(row.cells[column], row.line);
    if (is_new) continue;
    return bad_line(row.line,
                    fmt::format("{}: \"{}\" is in line {} as well; units may share it if "
                                "--patch …={} ends in \":repeats\"",
                                patch.column, row.cells[column], first->second, patch.column));
  }
  return {};
}

}  // namespace

Result<void> check_units(const UnitTable& table, const std::vector<Patch>& patches) {
  for (const UnitTable::Row& row : table.rows) TRY(check_places(table, patches, row));
  for (const Patch& patch : patches) TRY(check_repeats(table, patch));
  return {};
}

Result<image::Image> patched(const image::Image& image, const std::vector<Patch>& patches,
                             const UnitTable& table, const UnitTable::Row& row) {
  image::Image result = image;
  for (const Patch& patch : patches) {
    TRY_ASSIGN(const Bytes bytes, encode_cell(patch, table, row));
    TRY_ASSIGN(result, overwritten(result, patch.address, bytes));
  }
  return result;
}

}  // namespace sureflash::cli
