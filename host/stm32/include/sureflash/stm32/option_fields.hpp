#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "sureflash/base/bytes.hpp"
#include "sureflash/base/error.hpp"
#include "sureflash/stm32/chip.hpp"

/// Option bytes by field name. The tables are data; what is done with them is the same for all.
namespace sureflash::stm32 {

struct OptionField {
  std::string_view name;     ///< as in the reference manual: "nRST_STOP"
  std::uint32_t offset = 0;  ///< of its byte in the block
  std::uint8_t shift = 0;    ///< its lowest bit
  std::uint8_t width = 8;    ///< in bits, at most 8
  std::string_view meaning;

  std::uint8_t mask() const { return static_cast<std::uint8_t>((1U << width) - 1); }
};

/// How a line of chips keeps its option bytes.
struct OptionTable {
  std::string_view chip;  ///< Chip::name
  std::uint32_t address = 0;
  std::size_t size = 0;
  std::span<const OptionField> fields;
  /// Each byte is followed by its complement (F0, F1, F3).
  bool complements = false;
  /// The field that protects reading, its value for "readable", and the one that could never be
  /// taken back on families that have it.
  std::string_view read_protection;
  std::uint8_t readable = 0;
  std::uint8_t permanent = 0;
};

/// Whether `block`, written to this chip, would set read protection level 2, which nobody takes
/// back: RDP 0xCC. Not on F1, which has no such level. Where RDP stands is from memory of the
/// reference manuals (unconfirmed); families that are not listed are suspected of either place.
bool sets_permanent_level(const Chip& chip, ByteView block);

/// nullptr: no table for this line.
const OptionTable* option_table(const Chip& chip);
const OptionField* find_field(const OptionTable& table, std::string_view name);
/// Precondition: block.size() == table.size.
std::uint8_t field_value(const OptionField& field, ByteView block);

/// The block with `assignment` ("WRP0=0xFF") carried out and every complement computed anew.
/// Errors: Usage (no such field; value too large), NeedsConsent (a permanent protection level,
/// which is always refused).
Result<Bytes> assign(const OptionTable& table, ByteView block, std::string_view assignment);

}  // namespace sureflash::stm32
