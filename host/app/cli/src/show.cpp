#include "show.hpp"

#include <fmt/format.h>

#include "sureflash/base/text.hpp"
#include "sureflash/image/summary.hpp"

namespace sureflash::cli {
namespace {

constexpr std::size_t kRangesShown = 6;

std::string access_text(const stm32::Access& a) {
  std::string s;
  s += a.readable ? 'r' : '-';
  s += a.erasable ? 'e' : '-';
  s += a.writable ? 'w' : '-';
  return s;
}

/// The first few of a list of ranges, one in a line.
void show_ranges(Output& output, std::string_view label, std::span<const AddressRange> ranges) {
  for (std::size_t i = 0; i < ranges.size() && i < kRangesShown; ++i) {
    output.field(i == 0 ? label : "",
                 fmt::format("  {}  {}", text(ranges[i]), text_size(ranges[i].size())));
  }
  if (ranges.size() > kRangesShown) {
    output.field("", fmt::format("  and {} more", ranges.size() - kRangesShown));
  }
}

/// Sectors that follow one another, joined: for people.
std::vector<AddressRange> joined(std::span<const AddressRange> ranges) {
  std::vector<AddressRange> result;
  for (const AddressRange& r : ranges) {
    if (!result.empty() && result.back().end == r.begin) {
      result.back().end = r.end;
    } else {
      result.push_back(r);
    }
  }
  return result;
}

Json ranges_json(std::span<const AddressRange> ranges) {
  Json j = Json::array();
  for (const AddressRange& r : ranges) j.push_back(to_json(r));
  return j;
}

std::string list_text(std::string_view first, std::string_view second) {
  if (second.empty()) return std::string(first);
  return fmt::format("{}, {}", first, second);
}

}  // namespace

std::string digits(ByteView bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) text += hex(byte, 2).substr(2);
  return text;
}

std::string count(std::uint64_t n, std::string_view thing) {
  return fmt::format("{} {}{}", n, thing, n == 1 ? "" : "s");
}

void show_device(Output& output, const std::string& label, const update::Target& target) {
  const auto& d = target.descriptors;
  output.field("device", fmt::format("{} ({})", target.title(), label));
  output.field("usb", fmt::format("{:04x}:{:04x}, {}", d.device.idVendor, d.device.idProduct,
                                  list_text(fmt::format("\"{}\"", d.product),
                                            d.serial.empty() ? "" : "serial " + d.serial)));
  for (const update::Area& area : target.areas) {
    for (const stm32::SectorRun& run : area.map.runs()) {
      output.field(
          &run == &area.map.runs().front() ? fmt::format("memory {}", area.alt_setting) : "",
          fmt::format("{}  {}  {} x {}  {}{}", text(run.range), access_text(run.access),
                      run.count(), text_size(run.sector_size), area.map.name(),
                      area.assumed             ? " (from the table of chips)"
                      : area.corrected.empty() ? ""
                                               : " (corrected)"));
    }
    if (!area.corrected.empty()) output.field("", area.corrected);
  }
}

namespace {

Json candidates_json(const update::Target& target) {
  Json names = Json::array();
  for (const stm32::Chip* chip : target.candidates) names.push_back(chip->name);
  return names;
}

}  // namespace

Json to_json(const update::Target& target) {
  const auto& d = target.descriptors;
  Json areas = Json::array();
  for (const update::Area& area : target.areas) {
    Json runs = Json::array();
    for (const stm32::SectorRun& run : area.map.runs()) {
      runs.push_back({{"range", to_json(run.range)},
                      {"sector_size", run.sector_size},
                      {"readable", run.access.readable},
                      {"erasable", run.access.erasable},
                      {"writable", run.access.writable}});
    }
    areas.push_back({{"alt_setting", area.alt_setting},
                     {"name", area.map.name()},
                     {"assumed", area.assumed},
                     {"corrected", area.corrected},
                     {"runs", std::move(runs)}});
  }
  Json alts = Json::array();
  for (const auto& alt : d.dfu.alt_settings) alts.push_back(alt.text);
  return {{"title", target.title()},
          {"chip", target.chip != nullptr ? Json(target.chip->name) : Json()},
          {"chip_is_certain", target.chip_source == update::ChipSource::ProductString},
          {"candidates", candidates_json(target)},
          {"chip_evidence", target.chip_evidence},
          {"unique_id", target.unique_id ? Json(digits(*target.unique_id)) : Json()},
          {"flash_size", target.flash_size ? Json(*target.flash_size) : Json()},
          {"vendor_id", d.device.idVendor},
          {"product_id", d.device.idProduct},
          {"bcd_device", d.device.bcdDevice},
          {"manufacturer", d.manufacturer},
          {"product", d.product},
          {"serial", d.serial},
          {"transfer_size", d.dfu.transfer_size},
          {"bcd_dfu_version", d.dfu.functional.bcdDFUVersion},
          {"alt_settings", std::move(alts)},
          {"areas", std::move(areas)},
          {"commands", target.commands},
          {"write_protected", ranges_json(target.write_protected)},
          {"read_protected", target.is_read_protected()},
          {"read_protection_signs", target.read_protection_signs}};
}

namespace {

std::string time_text(const update::Estimate& estimate) {
  return estimate.known ? "about " + text(estimate.total()) : std::string("time not known");
}

/// What was weighed, and why it was not taken.
void show_alternatives(Output& output, const update::Plan& plan) {
  for (const update::Alternative& a : plan.alternatives) {
    output.field(&a == &plan.alternatives.front() ? "choice" : "",
                 a.chosen
                     ? fmt::format("{}, {}", a.name, time_text(a.estimate))
                     : fmt::format("not {}: {} ({})", a.name, a.reason, time_text(a.estimate)));
  }
}

void show_blocks(Output& output, const update::Plan& plan) {
  for (const update::Alternative& a : plan.block_alternatives) {
    output.field(
        "", a.chosen ? fmt::format("blocks of {}, {}", a.name,
                                   count(plan.set_addresses, "Set Address command"))
                     : fmt::format("not of {}: {} ({})", a.name, a.reason, time_text(a.estimate)));
  }
}

/// What an interruption leaves behind.
void show_entry(Output& output, const update::EntryPlan& entry) {
  output.field("way back", fmt::format("{} ({})", update::name(entry.way), entry.said_by));
  for (const std::string& sentence : entry.interruption) output.field("", "  " + sentence);
}

Json to_json(const update::EntryPlan& entry) {
  return {{"way_back", update::name(entry.way)},       {"said_by", entry.said_by},
          {"sectors", ranges_json(entry.sectors)},     {"guessed", entry.guessed},
          {"rewritten", ranges_json(entry.rewritten)}, {"window_us", entry.window / 1us},
          {"window_max_us", entry.window_max / 1us},   {"interruption", entry.interruption}};
}

}  // namespace

void show_plan(Output& output, const update::Plan& plan, PlanDetail detail) {
  if (!plan.kept.empty()) {
    output.field("plan", fmt::format("leave {} as it is: equal to the file already",
                                     text_size(update::total_size(plan.kept))));
  }
  if (plan.nothing_to_write()) {
    output.field("", fmt::format("verify {} by reading back", text_size(plan.bytes_to_verify())));
    return;
  }
  const bool start_last = plan.commit.begin == plan.start && !plan.commit.empty();
  output.field(
      plan.kept.empty() ? "plan" : "",
      fmt::format("erase {}, {}{}{}", count(plan.erase.size(), "sector"),
                  text_size(plan.bytes_to_erase()), plan.mass_erase ? ", by mass erase" : "",
                  !start_last        ? ""
                  : plan.has_vectors ? "; the sector with the vector table first"
                                     : "; the sector that it starts in first"));
  show_ranges(output, "", joined(plan.erase));
  output.field("", fmt::format("write {}{}", text_size(plan.bytes_to_write()),
                               !start_last        ? ""
                               : plan.has_vectors ? "; the reset vector last"
                                                  : "; its first bytes last"));
  show_ranges(output, "", plan.write);
  output.field("", fmt::format("verify {} by reading back", text_size(plan.bytes_to_verify())));
  if (!plan.also_erased.empty()) {
    output.field("", fmt::format("blank afterwards, although not in the image: {}",
                                 text_size(update::total_size(plan.also_erased))));
    show_ranges(output, "", plan.also_erased);
  }
  if (plan.estimate.known) {
    output.field("time", fmt::format("about {}: erase {}, write {}, verify {}",
                                     text(plan.estimate.total()), text(plan.estimate.erase),
                                     text(plan.estimate.write), text(plan.estimate.verify)));
  }
  show_alternatives(output, plan);
  if (detail == PlanDetail::All) show_blocks(output, plan);
  show_entry(output, plan.entry);
}

namespace {

Json alternatives_json(std::span<const update::Alternative> alternatives) {
  Json list = Json::array();
  for (const update::Alternative& a : alternatives) {
    Json j = {{"name", a.name}, {"chosen", a.chosen}, {"reason", a.reason}};
    if (a.estimate.known) {
      j["expected_ms"] =
          std::chrono::duration_cast<std::chrono::milliseconds>(a.estimate.total()).count();
    }
    list.push_back(std::move(j));
  }
  return list;
}

}  // namespace

Json to_json(const update::Plan& plan) {
  Json j = {{"alt_setting", plan.alt_setting},
            {"entry", to_json(plan.entry)},
            {"erase", ranges_json(plan.erase)},
            {"mass_erase", plan.mass_erase},
            {"kept", ranges_json(plan.kept)},
            {"word_wide", plan.width == stm32::ProgramWidth::Word},
            {"alternatives", alternatives_json(plan.alternatives)},
            {"block_size", plan.block_size},
            {"set_addresses", plan.set_addresses},
            {"block_alternatives", alternatives_json(plan.block_alternatives)},
            {"write", ranges_json(plan.write)},
            {"verify", ranges_json(plan.verify)},
            {"also_erased", ranges_json(plan.also_erased)},
            {"start", plan.start}};
  if (plan.estimate.known) {
    j["estimate_ms"] = {{"erase", plan.estimate.erase / 1ms},
                        {"write", plan.estimate.write / 1ms},
                        {"verify", plan.estimate.verify / 1ms}};
  }
  return j;
}

void show_image(Output& output, const std::string& file, image::Format format,
                const image::Image& image) {
  const image::Summary summary = image::summarize(image);
  output.field("image", fmt::format("{}: {}, {} in {}, CRC-32 {:08x}", file, image::name(format),
                                    text_size(summary.size),
                                    count(summary.segments.size(), "segment"), summary.crc32));
  for (const image::SegmentSummary& s : summary.segments) {
    output.field("", fmt::format("{}  {:>10}  CRC-32 {:08x}", text(s.range),
                                 text_size(s.range.size()), s.crc32));
  }
  if (!image.name.empty()) output.field("name", image.name);
  if (summary.vectors) {
    output.field("vectors",
                 fmt::format("at {}: stack pointer {}, reset {}", hex(summary.vectors->address),
                             hex(summary.vectors->sp), hex(summary.vectors->reset)));
  } else {
    output.field("vectors", "no segment starts with a plausible vector table");
  }
  if (image.entry) output.field("entry", hex(*image.entry));
  if (image.ids) {
    output.field("for",
                 fmt::format("{:04x}:{:04x}, bcdDevice {:04x} (ffff: any)", image.ids->idVendor,
                             image.ids->idProduct, image.ids->bcdDevice));
  }
  for (const std::string& warning : image.warnings) output.warning(warning);
}

Json to_json(const image::Image& image) {
  const image::Summary summary = image::summarize(image);
  Json segments = Json::array();
  for (const image::SegmentSummary& s : summary.segments) {
    segments.push_back({{"range", to_json(s.range)}, {"crc32", s.crc32}});
  }
  Json j = {{"size", summary.size}, {"crc32", summary.crc32}, {"segments", std::move(segments)}};
  if (!image.name.empty()) j["name"] = image.name;
  if (summary.vectors) {
    j["vector_table"] = {{"address", summary.vectors->address},
                         {"stack_pointer", summary.vectors->sp},
                         {"reset", summary.vectors->reset}};
  }
  if (image.entry) j["entry"] = *image.entry;
  if (image.ids) {
    j["ids"] = {{"vendor_id", image.ids->idVendor},
                {"product_id", image.ids->idProduct},
                {"bcd_device", image.ids->bcdDevice}};
  }
  j["warnings"] = image.warnings;
  return j;
}

Json to_json(const update::Outcome& o) {
  return {{"bytes_erased", o.bytes_erased},     {"bytes_written", o.bytes_written},
          {"bytes_verified", o.bytes_verified}, {"proven", o.proven},
          {"erase_ms", o.erase_time / 1ms},     {"write_ms", o.write_time / 1ms},
          {"verify_ms", o.verify_time / 1ms},   {"warnings", o.warnings}};
}

}  // namespace sureflash::cli
