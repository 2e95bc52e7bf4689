#include "layout_corrections.hpp"

#include <algorithm>

#include "sureflash/base/text.hpp"

namespace sureflash::update {
namespace {

constexpr std::uint64_t kKib = 1024;
constexpr std::uint8_t kFsd = 0x01;

/// The serial number of a GD32VF103 comes as bytes where UTF-16 is due: each unit holds two
/// characters. Empty: it is something else.
std::string bytes_in_units(std::string_view utf8) {
  std::string bytes;
  for (std::size_t i = 0; i + 2 < utf8.size(); i += 3) {
    const auto at = [&](std::size_t k) { return static_cast<std::uint8_t>(utf8[i + k]); };
    const bool three_bytes =
        (at(0) & 0xF0) == 0xE0 && (at(1) & 0xC0) == 0x80 && (at(2) & 0xC0) == 0x80;
    if (!three_bytes) return {};
    const unsigned unit = (at(0) & 0x0FU) << 12 | (at(1) & 0x3FU) << 6 | (at(2) & 0x3FU);
    bytes += {static_cast<char>(unit & 0xFF), static_cast<char>(unit >> 8)};
  }
  return bytes;
}

Area* flash_area(Target& target) {
  const Area* flash = target.flash();
  const auto it =
      std::ranges::find_if(target.areas, [&](const Area& area) { return &area == flash; });
  return it == target.areas.end() ? nullptr : &*it;
}

void correct(Target& target, Area& area, std::vector<stm32::SectorRun> runs, std::string why) {
  area.map = stm32::MemoryMap(area.map.name(), std::move(runs));
  area.corrected = std::move(why);
  target.warnings.push_back(area.corrected);
}

/// GD32VF103: all have pages of 1 KiB and at most 128 of them.
void by_serial(Target& target) {
  Area* area = flash_area(target);
  if (area == nullptr) return;
  const std::string said = text_size(area->map.size()) + " in sectors of " +
                           text_size(area->map.runs().front().sector_size);
  const auto size = size_in_serial(target);
  std::string why = "the layout says " + said + "; " + std::string(target.chip->title) + " has " +
                    text_size(size.value_or(target.chip->flash_size_max)) + " in pages of " +
                    text_size(target.chip->layout[0].size);
  why +=
      size ? ", says the third character of its serial number \"" + target.descriptors.serial + '"'
           : " at most; its serial number does not tell the size";
  const std::uint64_t bytes = size.value_or(target.chip->flash_size_max);
  correct(target, *area,
          {{AddressRange::sized(target.chip->flash_base, bytes),
            target.chip->layout[0].size,
            {true, true, true}}},
          std::move(why));
}

/// AT32F437: the first sectors are said to be read only, and are not.
void by_table(Target& target) {
  Area* area = flash_area(target);
  if (area == nullptr || !area->map.first_without(area->map.bounds(), &stm32::Access::writable)) {
    return;
  }
  std::vector<stm32::SectorRun> runs(area->map.runs().begin(), area->map.runs().end());
  for (stm32::SectorRun& run : runs) run.access = {true, true, true};
  correct(target, *area, std::move(runs),
          "the layout says that the first sectors are read only; others program them on an " +
              std::string(target.chip->title) + " (betaflight-configurator)");
}

/// WB: from page SFSA on, the flash belongs to the wireless stack.
void by_sfsa(Target& target) {
  Area* area = flash_area(target);
  if (area == nullptr) return;
  if (!target.option_block ||
      target.option_block->size() < proto::kWbSfsaOffset + 2 * proto::kWbSfrBytes) {
    target.warnings.emplace_back(
        "the option bytes cannot be read: where the wireless stack begins is not known");
    return;
  }
  const ByteView sfr = ByteView(*target.option_block).subspan(proto::kWbSfsaOffset);
  for (std::size_t i = 0; i < proto::kWbSfrBytes; ++i) {
    if (static_cast<std::uint8_t>(~sfr[i]) != sfr[i + proto::kWbSfrBytes]) {
      target.warnings.emplace_back(
          "SFSA in the option bytes does not match its complement: where the wireless stack begins "
          "is not known");
      return;
    }
  }
  const stm32::SectorRun whole = area->map.runs().front();
  const std::uint64_t first = whole.range.begin + sfr[0] * whole.sector_size;
  if ((sfr[1] & kFsd) != 0 || first <= whole.range.begin || first >= whole.range.end) return;
  const std::uint64_t at = target.chip->option_bytes.begin + proto::kWbSfsaOffset;
  area->map = stm32::MemoryMap(area->map.name(),
                               {{{whole.range.begin, first}, whole.sector_size, whole.access}});
  area->corrected = "from " + hex(first) + " on it belongs to the wireless stack: SFSA is " +
                    hex(sfr[0], 2) + " in the option bytes at " + hex(at);
}

}  // namespace

void mend_serial(Target& target) {
  const std::string bytes = bytes_in_units(target.descriptors.serial);
  const auto printable = [](char c) { return c > ' ' && c <= '~'; };
  if (!bytes.empty() && std::ranges::all_of(bytes, printable)) target.descriptors.serial = bytes;
}

std::optional<std::uint64_t> size_in_serial(const Target& target) {
  const std::string& serial = target.descriptors.serial;
  if (serial.size() != 4 || serial[0] != '3' || serial[3] != 'J') return std::nullopt;
  switch (serial[2]) {
    case '4':
      return 16 * kKib;
    case '6':
      return 32 * kKib;
    case '8':
      return 64 * kKib;
    case 'B':
      return 128 * kKib;
    default:
      return std::nullopt;
  }
}

void correct_layout(Target& target) {
  if (target.chip == nullptr) return;
  if (target.chip->has(proto::kSizeInSerial)) by_serial(target);
  if (target.chip->has(proto::kReadOnlyLetterFalse)) by_table(target);
  if (target.chip->has(proto::kWirelessStackOnTop)) by_sfsa(target);
}

}  // namespace sureflash::update
