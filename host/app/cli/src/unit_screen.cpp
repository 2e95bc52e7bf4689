#include "unit_screen.hpp"

#include <chrono>

#include "show.hpp"
#include <fmt/format.h>

#include "sureflash/base/text.hpp"

namespace sureflash::cli {
namespace {

constexpr Duration kRedraw = 100ms;
constexpr int kBarWidth = 24;
/// More would not fit on a screen, and what scrolls cannot be drawn again.
constexpr std::size_t kRowsMax = 20;

Duration wall_clock() {
  return std::chrono::steady_clock::now().time_since_epoch();
}

std::int64_t ms(Duration d) {
  return d / 1ms;
}

std::string_view result_name(const Unit& unit, bool dry_run) {
  if (unit.error) return unit.error->code == Errc::Interrupted ? "interrupted" : "failed";
  return dry_run ? "dry-run" : "done";
}

std::string chip_name(const update::Target& target) {
  if (target.chip != nullptr) return std::string(target.chip->name);
  std::string names;
  for (const stm32::Chip* chip : target.candidates) {
    names += (names.empty() ? "" : "|") + std::string(chip->name);
  }
  return names;
}

/// The shortest thing that a person can tell the unit by.
std::string short_name(const Unit& unit) {
  if (!unit.name.uid.empty()) return unit.name.uid;
  return unit.name.serial;
}

}  // namespace

Json to_json(const Unit& unit, const UnitRequest& request, const std::string& file_sha256) {
  const update::Target* target = unit.target ? &*unit.target : nullptr;
  const update::Outcome outcome = unit.outcome.value_or(update::Outcome{});
  const auto row_line = [&]() -> Json {
    if (!unit.row) return nullptr;
    return request.rows->table().rows[*unit.row].line;
  };
  return {{"time", unit.began},
          {"port", unit.name.port},
          {"serial", unit.name.serial},
          {"uid", unit.name.uid},
          {"chip", target != nullptr ? chip_name(*target) : ""},
          {"chip_certain", target != nullptr && target->chip != nullptr &&
                               target->chip_source != update::ChipSource::OnlyFit},
          {"loader", target != nullptr ? target->title() : ""},
          {"file", request.options.file},
          {"file_sha256", file_sha256},
          {"image_sha256", unit.image_sha256},
          {"row", row_line()},
          {"result", result_name(unit, request.options.dry_run)},
          {"error", unit.error ? Json(name(unit.error->code)) : Json()},
          {"message", unit.error ? message(*unit.error) : ""},
          {"cause", unit.findings.empty() ? "" : unit.findings.front().id},
          {"bytes_verified", outcome.bytes_verified},
          {"compare_ms", ms(unit.compare_time)},
          {"erase_ms", ms(outcome.erase_time)},
          {"write_ms", ms(outcome.write_time)},
          {"verify_ms", ms(outcome.verify_time)},
          {"total_ms", ms(unit.took)}};
}

void UnitScreen::begin(const Unit& unit) {
  rows_[unit.name.port] = {.port = unit.name.port, .name = {}, .doing = "identifying"};
  changed_ = true;
  if (!output_.draws_tables()) output_.note(fmt::format("{:<9} begins", unit.name.port));
  output_.event("unit-begins", {{"port", unit.name.port}});
}

void UnitScreen::progress(const Unit& unit, const Progress& p) {
  Row& row = rows_[unit.name.port];
  row.name = short_name(unit);
  row.doing = name(p.activity);
  row.share = p.total == 0 ? 0 : static_cast<double>(p.done) / static_cast<double>(p.total);
  changed_ = true;
  refresh();
}

void UnitScreen::end(const Unit& unit, Json record, std::string_view and_now) {
  rows_.erase(unit.name.port);
  changed_ = true;
  output_.clear_table();
  const std::string more = and_now.empty() ? "" : fmt::format("; {}", and_now);
  if (unit.error) {
    output_.unit_failed(unit.name.port, *unit.error, unit.findings, and_now);
  } else if (dry_run_) {
    output_.line(fmt::format("{:<9} {}", unit.name.port,
                             unit.target ? unit.target->title() : std::string()));
    if (unit.plan) show_plan(output_, *unit.plan, PlanDetail::All);
  } else {
    const std::string who = short_name(unit);
    output_.good(fmt::format(
        "{:<9} done: {}{} proven in {}{}{}", unit.name.port, who.empty() ? "" : who + ", ",
        text_size(unit.outcome->bytes_verified), text(unit.took),
        record["row"].is_null()
            ? ""
            : fmt::format(", line {} of the table", record["row"].get<std::size_t>()),
        more));
  }
  output_.event("unit", std::move(record));
  output_.flush();
  refresh();
}

void UnitScreen::note(std::string_view text) {
  output_.clear_table();
  output_.note(text);
  changed_ = true;
}

std::string UnitScreen::line(const Row& row) {
  std::string bar(static_cast<std::size_t>(row.share * kBarWidth), '#');
  bar.resize(kBarWidth, '.');
  return fmt::format("{:<9} {:<24.24}  {:<11} [{}] {:3.0f} %", row.port, row.name, row.doing, bar,
                     row.share * 100);
}

void UnitScreen::draw() {
  std::vector<std::string> lines;
  for (const auto& [port, row] : rows_) {
    if (lines.size() == kRowsMax) {
      lines.push_back(fmt::format("          and {} more", rows_.size() - kRowsMax));
      break;
    }
    lines.push_back(line(row));
  }
  output_.table(lines);
}

void UnitScreen::refresh() {
  const Duration now = wall_clock();
  if (!changed_ || !output_.draws_tables() || now - last_drawn_ < kRedraw) return;
  last_drawn_ = now;
  changed_ = false;
  draw();
}

void UnitScreen::close() {
  output_.clear_table();
}

}  // namespace sureflash::cli
