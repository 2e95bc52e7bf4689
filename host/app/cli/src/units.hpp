#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sureflash/image/image.hpp"

/// Data that differs from unit to unit, such as serial numbers: from a CSV file into the image.
namespace sureflash::cli {

/// A CSV file (RFC 4180; separated by commas, or by semicolons as some spreadsheets do) whose first
/// row names the columns.
struct UnitTable {
  struct Row {
    std::size_t line = 0;  ///< of the file, from 1
    std::vector<std::string> cells;
  };
  std::vector<std::string> columns;
  std::vector<Row> rows;

  std::optional<std::size_t> column(std::string_view name) const;
  /// The row's text: what tells it from the others, wherever it stands.
  static std::string text(const Row& row);
};

/// Errors: BadUnitData (names the line): not UTF-8, no rows, a column without a name or twice, a
/// row with another number of cells, a quote that does not end, two rows that are the same.
Result<UnitTable> parse_units(ByteView file);

/// `--patch ADDRESS=COLUMN[:TYPE][:repeats]`.
struct Patch {
  enum class Type : std::uint8_t {
    Text,    ///< the characters (UTF-8), then zeros up to `size`, or one zero
    Hex,     ///< bytes as pairs of digits
    Number,  ///< `size` bytes, little-endian; decimal or 0x…
  };
  std::uint32_t address = 0;
  std::string column;
  Type type = Type::Text;
  std::size_t size = 0;  ///< 0 with Text: as long as it is
  bool repeats = false;  ///< several units may have the same
};

/// TYPE: text, text16 (16 bytes), hex, u8, u16, u32, u64. Errors: Usage.
Result<Patch> parse_patch(std::string_view text);

/// What the cell becomes in memory. Errors: BadUnitData.
Result<Bytes> encode(const Patch& patch, std::string_view cell);

/// Puts bytes into the image, over what is there. Errors: TooLarge.
Result<image::Image> overwritten(const image::Image& image, std::uint32_t address, ByteView bytes);

/// Tries all rows. Errors: Usage (no such column), BadUnitData (names the line): a cell that does
/// not become what its patch says, or has no room before the end of the 32-bit addresses; patches
/// that lie over one another; a value that two rows have, unless it repeats.
Result<void> check_units(const UnitTable& table, const std::vector<Patch>& patches);

/// The image for the unit with this row. Errors: those of check_units.
Result<image::Image> patched(const image::Image& image, const std::vector<Patch>& patches,
                             const UnitTable& table, const UnitTable::Row& row);

}  // namespace sureflash::cli
