#include "sureflash/stm32/chip.hpp"

#include <algorithm>

#include "sureflash/proto/chips.hpp"

namespace sureflash::stm32 {
namespace {

using proto::ChipData;
using proto::DataSheetTime;
using proto::MemoryBlock;

/// Bytes programmed at once with word-wide programming.
constexpr std::uint32_t kWord = 4;
constexpr std::string_view kPrefix = "stm32";

constexpr AddressRange range(MemoryBlock block) {
  return AddressRange::sized(block.address, block.size);
}

constexpr Times microseconds(DataSheetTime t) {
  using us = std::chrono::microseconds;
  return {us(t.min), us(t.typ), us(t.max)};
}

constexpr Times nanoseconds(DataSheetTime t) {
  using ns = std::chrono::nanoseconds;
  return {ns(t.min), ns(t.typ), ns(t.max)};
}

constexpr Chip from(const ChipData& d) {
  return {.name = d.name,
          .title = d.title,
          .family = d.family,
          .members = d.members,
          .product_id = d.product_id,
          .usb_vendor = d.usb_vendor,
          .usb_product = d.usb_product,
          .starts_by_vector_table = d.starts_by_vector_table,
          .loader_ids = d.loader_ids,
          .loader_id_address = d.loader_id_address,
          .system_memory = range(d.system_memory),
          .ram = range(d.ram),
          .ram_free = range(d.ram_free),
          .flash_base = d.flash_address,
          .flash_size_max = proto::layout_size(d.layout),
          .layout = d.layout,
          .layout_other = d.layout_other,
          .erased_value = d.erased_value,
          .program_unit = d.program_unit,
          .write_alignment = d.write_alignment,
          .program = nanoseconds(d.times.program_ns),
          .sector_erase = microseconds(d.times.sector[0].usual),
          .mass_erase = microseconds(d.times.mass_us),
          .times = d.times,
          .option_bytes = range({d.option_bytes[0], d.option_bytes_size}),
          .otp = d.otp,
          .layout_text = d.layout_text,
          .flash_size_register = d.flash_size_register,
          .unique_id = d.unique_id,
          .quirks = d.quirks,
          .notes = d.notes};
}

constexpr auto kChips = [] {
  std::array<Chip, proto::kChips.size()> all{};
  std::ranges::transform(proto::kChips, all.begin(), from);
  return all;
}();

std::string lower(std::string_view s) {
  std::string result(s);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

/// Whether a part number may be meant by a pattern with x for any letter; the shorter of both
/// decides, so that "f303" may mean "f303xb", and "f105rct6" is an "f105".
bool may_mean(std::string_view part, std::string_view pattern) {
  for (std::size_t i = 0; i < std::min(part.size(), pattern.size()); ++i) {
    if (part[i] != pattern[i] && pattern[i] != 'x' && part[i] != 'x') return false;
  }
  return true;
}

template <class Predicate>
bool any_member(const Chip& chip, const Predicate& predicate) {
  std::string_view left = chip.members;
  while (!left.empty()) {
    const std::size_t blank = std::min(left.find(' '), left.size());
    if (predicate(left.substr(0, blank))) return true;
    left.remove_prefix(std::min(blank + 1, left.size()));
  }
  return false;
}

template <class Predicate>
std::vector<const Chip*> where(const Predicate& predicate) {
  std::vector<const Chip*> found;
  for (const Chip& chip : kChips) {
    if (predicate(chip)) found.push_back(&chip);
  }
  return found;
}

}  // namespace

MemoryMap Chip::flash_map() const {
  std::vector<SectorRun> runs;
  std::uint64_t address = flash_base;
  for (const proto::SectorGroup& group : layout) {
    if (group.count == 0) break;
    const std::uint64_t size = std::uint64_t{group.count} * group.size;
    runs.push_back({AddressRange::sized(address, size), group.size, {true, true, true}});
    address += size;
  }
  return MemoryMap("Internal Flash", std::move(runs));
}

Times Chip::erase_time(std::uint64_t sector_size, ProgramWidth width) const {
  for (const proto::SectorEraseTime& t : times.sector) {
    const bool every_size = &t == &times.sector.front() && t.sector_size == 0;
    if (!every_size && t.sector_size != sector_size) continue;
    return microseconds(width == ProgramWidth::Word ? t.wide : t.usual);
  }
  return {};
}

Times Chip::mass_erase_time(ProgramWidth width) const {
  return microseconds(width == ProgramWidth::Word ? times.mass_wide_us : times.mass_us);
}

Duration Chip::program_time(std::uint64_t bytes, ProgramWidth width) const {
  const std::uint64_t unit = width == ProgramWidth::Word ? kWord : program_unit;
  return program.typ * static_cast<Duration::rep>((bytes + unit - 1) / unit);
}

std::span<const Chip> chips() {
  return kChips;
}

std::vector<const Chip*> find_chips(std::string_view name) {
  std::string wanted = lower(name);
  if (wanted.starts_with(kPrefix)) wanted.erase(0, kPrefix.size());
  if (wanted.empty()) return {};
  return where([&](const Chip& chip) {
    return any_member(chip, [&](std::string_view member) { return may_mean(wanted, member); });
  });
}

const Chip* find_chip(std::string_view name) {
  const auto found = find_chips(name);
  return found.size() == 1 ? found.front() : nullptr;
}

std::vector<const Chip*> find_chips_by_product_id(std::uint16_t product_id) {
  if (product_id == 0) return {};
  return where([&](const Chip& chip) { return chip.product_id == product_id; });
}

}  // namespace sureflash::stm32
