#include "sureflash/stm32/option_fields.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "sureflash/base/text.hpp"

namespace sureflash::stm32 {
namespace {

/// Source: PM0075, 2.5; RM0008, 2.3.3; dfuse.md 4.5.
constexpr std::array kF1Fields{
    OptionField{"RDP", 0, 0, 8, "0xA5: the flash can be read; anything else: protected"},
    OptionField{"WDG_SW", 2, 0, 1, "1: the watchdog is started by software, 0: by hardware"},
    OptionField{"nRST_STOP", 2, 1, 1, "0: a reset when the chip enters Stop"},
    OptionField{"nRST_STDBY", 2, 2, 1, "0: a reset when the chip enters Standby"},
    OptionField{"DATA0", 4, 0, 8, "for the application"},
    OptionField{"DATA1", 6, 0, 8, "for the application"},
    OptionField{"WRP0", 8, 0, 8, "a 0 bit protects two pages: pages 0 to 15"},
    OptionField{"WRP1", 10, 0, 8, "a 0 bit protects two pages: pages 16 to 31"},
    OptionField{"WRP2", 12, 0, 8, "a 0 bit protects two pages: pages 32 to 47"},
    OptionField{"WRP3", 14, 0, 8, "pages 48 to 61; the last bit: 62 to the end"},
};

constexpr std::array kTables{
    OptionTable{"stm32f105", 0x1FFFF800, 16, kF1Fields, true, "RDP", 0xA5, 0xCC},
};

std::optional<unsigned> number(std::string_view s) {
  int base = 10;
  if (s.starts_with("0x") || s.starts_with("0X")) {
    s.remove_prefix(2);
    base = 16;
  }
  unsigned value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value, base);
  if (error != std::errc{} || end != s.data() + s.size()) return std::nullopt;
  return value;
}

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::ranges::equal(a, b, {}, lower, lower);
}

Error no_field(const OptionTable& table, std::string_view name) {
  std::string known;
  for (const OptionField& field : table.fields) {
    known += (known.empty() ? "" : ", ") + std::string(field.name);
  }
  return Error(Errc::Usage,
               "no option is called \"" + std::string(name) + "\"; there are " + known);
}

constexpr std::uint8_t kLevel2 = 0xCC;

/// Offset of RDP in the block that the ROM shows.
struct RdpPlace {
  std::string_view family;
  std::size_t offset;
};
constexpr RdpPlace kRdpPlaces[] = {{"F0", 0}, {"F3", 0}, {"L0", 0}, {"L1", 0}, {"L4", 0}, {"G0", 0},
                                   {"G4", 0}, {"WB", 0}, {"F2", 1}, {"F4", 1}, {"F7", 1}};

}  // namespace

bool sets_permanent_level(const Chip& chip, ByteView block) {
  if (chip.family == "F1") return false;
  const auto is_level_2 = [&](std::size_t at) { return at < block.size() && block[at] == kLevel2; };
  const auto place = std::ranges::find(kRdpPlaces, chip.family, &RdpPlace::family);
  if (place != std::end(kRdpPlaces)) return is_level_2(place->offset);
  return is_level_2(0) || is_level_2(1);
}

const OptionTable* option_table(const Chip& chip) {
  const auto it = std::ranges::find(kTables, chip.name, &OptionTable::chip);
  return it == kTables.end() ? nullptr : &*it;
}

const OptionField* find_field(const OptionTable& table, std::string_view name) {
  const auto it = std::ranges::find_if(
      table.fields, [&](const OptionField& field) { return same_name(field.name, name); });
  return it == table.fields.end() ? nullptr : &*it;
}

std::uint8_t field_value(const OptionField& field, ByteView block) {
  return static_cast<std::uint8_t>(block[field.offset] >> field.shift & field.mask());
}

Result<Bytes> assign(const OptionTable& table, ByteView block, std::string_view assignment) {
  if (block.size() != table.size) return fail(Errc::ResponseTooShort, "option bytes");
  const std::size_t equals = assignment.find('=');
  const std::string_view name = assignment.substr(0, equals);
  const OptionField* field = find_field(table, name);
  if (field == nullptr) return fail(no_field(table, name));
  const auto value =
      equals == std::string_view::npos ? std::nullopt : number(assignment.substr(equals + 1));
  if (!value || *value > field->mask()) {
    return fail(Errc::Usage, "\"" + std::string(assignment) + "\": " + std::string(field->name) +
                                 " takes 0 to " + hex(field->mask(), 2));
  }
  if (field->name == table.read_protection && *value == table.permanent) {
    return fail(Errc::Usage, hex(*value, 2) +
                                 " means protected for ever on chips that know that level; this is "
                                 "never written");
  }
  Bytes result(block.begin(), block.end());
  std::uint8_t& byte = result[field->offset];
  const auto mask = static_cast<std::uint8_t>(field->mask() << field->shift);
  byte = static_cast<std::uint8_t>((byte & ~mask) | (*value << field->shift & mask));
  if (table.complements) {
    for (std::size_t i = 0; i + 1 < result.size(); i += 2) {
      result[i + 1] = static_cast<std::uint8_t>(~result[i]);
    }
  }
  return result;
}

}  // namespace sureflash::stm32
