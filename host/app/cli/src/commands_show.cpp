#include "commands.hpp"
#include "failure.hpp"
#include "show.hpp"
#include "usb.hpp"
#include <fmt/format.h>

#include "sureflash/base/text.hpp"
#include "sureflash/sim/board/board_spec.hpp"
#include "sureflash/sim/model/profiles.hpp"

namespace sureflash::cli {
namespace {

/// One line of `map`: sectors that are alike.
struct MapRow {
  AddressRange range;
  std::uint64_t sector_size = 0;
  std::uint64_t first_sector = 0;
  std::uint64_t sectors = 0;
  stm32::Access access;
  bool write_protected = false;
  std::optional<bool> blank;

  bool alike(const MapRow& o) const {
    return range.end == o.range.begin && sector_size == o.sector_size && access == o.access &&
           write_protected == o.write_protected && blank == o.blank;
  }
};

std::vector<MapRow> map_rows(const update::Target& target, const update::Area& area,
                             const std::vector<bool>& blank) {
  std::vector<MapRow> rows;
  std::uint64_t index = 0;
  for (const AddressRange& sector : area.map.sectors(area.map.bounds())) {
    MapRow row;
    row.range = sector;
    row.sector_size = sector.size();
    row.first_sector = index;
    row.sectors = 1;
    row.access = area.map.run_at(sector.begin)->access;
    for (const AddressRange& wrp : target.write_protected) {
      row.write_protected = row.write_protected || wrp.overlaps(sector);
    }
    if (index < blank.size()) row.blank = blank[index];
    ++index;
    if (!rows.empty() && rows.back().alike(row)) {
      rows.back().range.end = sector.end;
      ++rows.back().sectors;
    } else {
      rows.push_back(row);
    }
  }
  return rows;
}

std::string sector_numbers(const MapRow& row) {
  if (row.sectors == 1) return fmt::format("{}", row.first_sector);
  return fmt::format("{}..{}", row.first_sector, row.first_sector + row.sectors - 1);
}

void print_row(Output& output, const MapRow& row) {
  output.line(fmt::format(
      "  {:<9} {}  {:>4} x {:<8} {}{}{}  {}{}", sector_numbers(row), text(row.range), row.sectors,
      text_size(row.sector_size), row.access.readable ? 'r' : '-', row.access.erasable ? 'e' : '-',
      row.access.writable ? 'w' : '-', row.write_protected ? "write-protected  " : "",
      !row.blank   ? "content not read"
      : *row.blank ? "blank"
                   : "in use"));
}

Json row_json(const MapRow& row) {
  Json j = {{"range", to_json(row.range)},      {"sector_size", row.sector_size},
            {"first_sector", row.first_sector}, {"sectors", row.sectors},
            {"readable", row.access.readable},  {"erasable", row.access.erasable},
            {"writable", row.access.writable},  {"write_protected", row.write_protected}};
  j["blank"] = row.blank ? Json(*row.blank) : Json();
  return j;
}

/// Sectors beyond this are not listed one by one: a layout may claim a billion.
constexpr std::uint64_t kSectorsMax = 100'000;

/// How sure it is what the chip is, and why.
void show_identity(Output& output, const update::Target& target) {
  if (target.chip != nullptr) {
    const std::string_view sure =
        target.chip_source == update::ChipSource::ProductString ? "certain"
        : target.chip_source == update::ChipSource::User        ? "as --chip says"
                                                                : "likely";
    output.field("chip", fmt::format("{}: {}", target.chip->name, sure));
  } else if (!target.candidates.empty()) {
    std::vector<std::string_view> names;
    names.reserve(target.candidates.size());
    for (const stm32::Chip* chip : target.candidates) names.push_back(chip->name);
    output.field("chip", fmt::format("one of {}", fmt::join(names, ", ")));
  }
  for (const std::string& evidence : target.chip_evidence) output.field("", "  " + evidence);
  if (target.flash_size) {
    output.field("flash",
                 fmt::format("{}, by the chip's own register", text_size(*target.flash_size)));
  }
  if (target.unique_id) output.field("unique id", digits(*target.unique_id));
}

}  // namespace

int info(const Options& options, Output& output) {
  int exit = 0;
  auto opened = open_target(options, output, exit, Mode::AsItIs);
  if (!opened) return exit;
  const update::Target& target = opened->target;
  show_device(output, opened->device->label(), target);
  show_identity(output, target);
  const auto& dfu = target.descriptors.dfu;
  output.field("dfu", fmt::format("{} version {:x}.{:02x}, transfer size {}, {}{}",
                                  dfu.dfuse ? "DfuSe" : "DFU", dfu.functional.bcdDFUVersion >> 8,
                                  dfu.functional.bcdDFUVersion & 0xFF, dfu.transfer_size,
                                  dfu.functional.can_upload() ? "readable" : "not readable",
                                  dfu.functional.can_download() ? ", writable" : ", not writable"));
  if (!target.commands.empty()) {
    std::string codes;
    for (const std::uint8_t c : target.commands) codes += fmt::format("{:02X} ", c);
    output.field("commands", codes);
  }
  if (target.is_read_protected()) {
    output.field("read", "protected (RDP): the flash can be neither read nor changed");
  }
  for (const AddressRange& range : target.write_protected) {
    output.field("write", fmt::format("protected: {}  {}", text(range), text_size(range.size())));
  }
  if (target.options && !target.is_read_protected() && target.write_protected.empty()) {
    output.field("protected", "nothing (option bytes read)");
  }
  output.result("info", to_json(target));
  return 0;
}

int map(const Options& options, Output& output) {
  int exit = 0;
  auto opened = open_target(options, output, exit);
  if (!opened) return exit;
  Json areas = Json::array();
  for (const update::Area& area : opened->target.areas) {
    std::vector<bool> blank;
    std::uint64_t sectors = 0;
    for (const stm32::SectorRun& run : area.map.runs()) sectors += run.count();
    if (sectors > kSectorsMax) {
      output.warning(fmt::format("{} claims {} sectors; not listed", area.map.name(), sectors));
      continue;
    }
    const bool is_flash = &area == opened->target.flash();
    if (is_flash && !options.no_blank && !opened->target.is_read_protected()) {
      auto read = opened->device->run(update::blank_sectors(opened->target, area), output);
      if (!read && read.error().code == Errc::Interrupted) return report(output, read.error());
      if (read) {
        blank = *std::move(read);
      } else {
        output.warning("cannot read the flash: " + message(read.error()));
      }
    }
    output.line(fmt::format("{}, {} (alternate setting {}){}", area.map.name(),
                            text_size(area.map.size()), area.alt_setting,
                            area.assumed ? ", from the table of chips" : ""));
    if (!area.corrected.empty()) output.line(area.corrected);
    Json rows = Json::array();
    for (const MapRow& row : map_rows(opened->target, area, blank)) {
      print_row(output, row);
      rows.push_back(row_json(row));
    }
    areas.push_back({{"alt_setting", area.alt_setting}, {"name", area.map.name()}, {"rows", rows}});
  }
  output.result("map", {{"areas", std::move(areas)}});
  return 0;
}

int options_show(const Options& options, Output& output) {
  int exit = 0;
  auto opened = open_target(options, output, exit);
  if (!opened) return exit;
  const update::Target& target = opened->target;
  if (!target.options) {
    Error error(target.is_read_protected() ? Errc::ReadProtected : Errc::NotReadable,
                target.read_protection_signs.empty() ? "the device shows no option bytes"
                                                     : target.read_protection_signs.front());
    return report(output, *opened->device, target, std::move(error).in(Stage::Options), {});
  }
  Json bytes = Json::array();
  for (const stm32::OptionByte& b : target.options->bytes()) {
    std::string meaning;
    if (b.name == "RDP") meaning = target.options->read_protected() ? "read-protected" : "readable";
    if (b.name == "USER") {
      meaning = fmt::format("watchdog by {}; reset on Stop {}, on Standby {}",
                            target.options->hardware_watchdog() ? "hardware" : "software",
                            target.options->reset_on_stop() ? "yes" : "no",
                            target.options->reset_on_standby() ? "yes" : "no");
    }
    output.line(fmt::format("  {:<6} {}  0x{:02X}  {}{}", b.name, hex(b.address), b.value, meaning,
                            b.complement_matches ? "" : "  (complement does not match)"));
    bytes.push_back({{"name", b.name},
                     {"address", b.address},
                     {"value", b.value},
                     {"complement_matches", b.complement_matches}});
  }
  Json protected_ranges = Json::array();
  for (const AddressRange& range : target.write_protected) {
    output.line(fmt::format("  write-protected: {}  {}", text(range), text_size(range.size())));
    protected_ranges.push_back(to_json(range));
  }
  if (target.write_protected.empty()) output.line("  no sector is write-protected");
  output.result("options show", {{"option_bytes", bytes}, {"write_protected", protected_ranges}});
  return 0;
}

int list(const Options& options, Output& output) {
  if (options.device.empty()) return list_usb(output);
  int exit = 0;
  auto opened = open_target(options, output, exit, Mode::AsItIs);
  if (!opened) return exit;
  show_device(output, opened->device->label(), opened->target);
  output.result("list", {{"devices", Json::array({to_json(opened->target)})}});
  return 0;
}

int sim_list(const Options&, Output& output) {
  Json profiles = Json::array();
  for (const sim::ProfileHelp& profile : sim::profiles()) {
    output.line(fmt::format("sim:{}\n    {}", profile.name, profile.help));
    Json keys = Json::array();
    for (const sim::KeyHelp& key : profile.keys) {
      output.line(
          fmt::format("    {:<34} {}", fmt::format("{}={}", key.name, key.values), key.help));
      keys.push_back({{"name", key.name}, {"values", key.values}, {"help", key.help}});
    }
    profiles.push_back({{"name", profile.name}, {"help", profile.help}, {"keys", keys}});
  }
  std::string names;
  Json chips = Json::array();
  for (const std::string_view name : sim::chip_profiles()) {
    names += fmt::format(" sim:{}", name);
    chips.push_back(name);
  }
  output.line(fmt::format("the ROM boot loader of every line (docs/chips.md):{}", names));
  Json chip_keys = Json::array();
  for (const sim::KeyHelp& key : sim::chip_keys()) {
    output.line(fmt::format("    {:<34} {}", fmt::format("{}={}", key.name, key.values), key.help));
    chip_keys.push_back({{"name", key.name}, {"values", key.values}, {"help", key.help}});
  }
  output.line(
      "board:FIRMWARE\n    a board with an STM32F105 that runs FIRMWARE (ELF, HEX, binary), "
      "instruction by instruction");
  Json board_keys = Json::array();
  for (const sim::KeyHelp& key : sim::board_keys()) {
    output.line(fmt::format("    {:<34} {}", fmt::format("{}={}", key.name, key.values), key.help));
    board_keys.push_back({{"name", key.name}, {"values", key.values}, {"help", key.help}});
  }
  output.line("keys for all sim:");
  Json keys = Json::array();
  for (const sim::KeyHelp& key : sim::common_keys()) {
    output.line(fmt::format("    {:<34} {}", fmt::format("{}={}", key.name, key.values), key.help));
    keys.push_back({{"name", key.name}, {"values", key.values}, {"help", key.help}});
  }
  output.result("sim list", {{"profiles", profiles},
                             {"chips", chips},
                             {"chip_keys", chip_keys},
                             {"board_keys", board_keys},
                             {"keys", keys}});
  return 0;
}

}  // namespace sureflash::cli
