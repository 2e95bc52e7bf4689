#include "program_many.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "failure.hpp"
#include "fleet.hpp"
#include "interrupt.hpp"
#include "record.hpp"
#include "sha256.hpp"
#include "show.hpp"
#include "trace_file.hpp"
#include "unit_screen.hpp"
#include <fmt/format.h>

namespace sureflash::cli {
namespace {

/// How often --watch looks at the ports.
constexpr Duration kLook = 200ms;
constexpr Duration kPatience = 100ms;

Duration wall_clock() {
  return std::chrono::steady_clock::now().time_since_epoch();
}

/// A production line: units come, are programmed side by side, and go.
class Line {
 public:
  Line(const UnitRequest& request, Fleet& fleet, Records& records, Output& output,
       std::string file_sha256)
      : request_(request),
        fleet_(fleet),
        records_(records),
        output_(output),
        screen_(output, request.options.dry_run),
        file_sha256_(std::move(file_sha256)) {}

  /// Returns the exit code.
  int run() {
    if (!watching()) {
      for (const std::string& port : chosen_ports()) start(port);
      if (exits_.empty() && units_.empty()) {
        return report(output_, Error(Errc::NoDevice).in(Stage::Open));
      }
    }
    while (true) {
      if (watching() && may_start()) look_at_ports();
      const bool busy = fleet_.driver->work(kPatience);
      if (busy) say_that_it_stops();
      screen_.refresh();
      if (!busy && (!watching() || !may_start())) break;
      if (!busy) std::this_thread::sleep_for(kPatience);
    }
    screen_.close();
    return conclude();
  }

 private:
  bool watching() const { return request_.options.watch; }
  bool may_start() const { return interrupt_count() == 0 && !record_error_; }

  std::vector<std::string> chosen_ports() const {
    if (!request_.options.all_devices) return fleet_.ports;
    std::vector<std::string> ports;
    for (const transport::OccupiedPort& port : fleet_.driver->ports()) {
      if (fleet_.fits(port)) ports.push_back(port.name);
    }
    std::ranges::sort(ports, PortOrder());
    return ports;
  }

  void look_at_ports() {
    const Duration now = wall_clock();
    if (looked_at_ && now - *looked_at_ < kLook) return;
    looked_at_ = now;
    std::vector<transport::OccupiedPort> ports = fleet_.driver->ports();
    std::erase_if(ports, [&](const auto& port) { return !fleet_.fits(port); });
    const Arrivals::Changes changes = arrivals_.look(ports, now);
    for (const std::string& port : changes.unplugged) {
      screen_.note(fmt::format("{:<9} unplugged", port));
    }
    for (const std::string& port : changes.came_back) {
      screen_.note(fmt::format("{:<9} came back after its start: taken for the same unit", port));
    }
    for (const std::string& port : changes.arrived) start(port);
  }

  void say_that_it_stops() {
    if (interrupt_count() == 0 || std::exchange(says_that_it_stops_, true)) return;
    screen_.note("stopping at a safe point; Ctrl-C again stops at once");
  }

  transport::Observer observer(Unit& unit) {
    return {.on_progress =
                [this, &unit](const Progress& progress) {
                  screen_.progress(unit, progress);
                  return interrupt_count() >= 1;
                },
            .stop_at_once = [] { return interrupt_count() >= 2; }};
  }

  void start(const std::string& port) {
    arrivals_.begin(port);
    Unit& unit = units_[port] = {};
    unit.name.port = port;
    unit.began = utc_now();
    screen_.begin(unit);
    auto started = start(unit);
    if (started) return;
    unit.error = std::move(started).error().in(Stage::Open);
    end(unit);
  }

  Result<void> start(Unit& unit) {
    const Options& options = request_.options;
    Task<> job = program_unit(request_, unit);
    if (!options.trace_file.empty()) {
      TRY_ASSIGN(unit.trace, create_unit_trace(options.trace_file, unit.name.port));
      job = transport::trace::recorded(
          std::move(job),
          transport::trace::Log([trace = unit.trace](std::string_view line) { trace->write(line); },
                                trace_firmware(options), unit.name.port));
    }
    return fleet_.driver->start_at<void>(unit.name.port, std::move(job), observer(unit),
                                         [this, &unit](Result<void> done) {
                                           if (!done) unit.error = done.error();
                                           end(unit);
                                         });
  }

  void end(Unit& unit) {
    arrivals_.end(unit.name.port, unit.started, wall_clock());
    const Json record = to_json(unit, request_, file_sha256_);
    if (!request_.options.dry_run) {
      auto kept = records_.append(record);
      if (!kept && !record_error_) record_error_ = std::move(kept).error();
    }
    const int code = unit.error ? static_cast<int>(exit_code(unit.error->code)) : 0;
    exits_.push_back(code);
    if (code == static_cast<int>(ExitCode::Interrupted)) {
      interrupted_ports_.push_back(unit.name.port);
    } else if (code != 0) {
      failed_ports_.push_back(unit.name.port);
    }
    const std::string_view next = !watching() ? "" : unit.error ? "put it aside" : "unplug it";
    if (auto error = unit.trace ? unit.trace->take_error() : std::nullopt) {
      screen_.note(fmt::format("{:<9} {}", unit.name.port, message(*error)));
    }
    screen_.end(unit, record, next);
    units_.erase(unit.name.port);
  }

  /// 0 if all are; else the one that all failures have in common, or 8.
  int common_exit() const {
    int common = 0;
    for (const int code : exits_) {
      if (code == 0) continue;
      if (code == static_cast<int>(ExitCode::Interrupted)) return code;
      common = common == 0 || common == code ? code : static_cast<int>(ExitCode::Device);
    }
    return common;
  }

  int conclude() {
    if (auto saved = fleet_.save(); !saved) return report(output_, saved.error());
    if (record_error_) {
      screen_.note("no further unit was begun, because the record cannot be kept");
      return report(output_, *record_error_);
    }
    const std::size_t done = exits_.size() - failed_ports_.size() - interrupted_ports_.size();
    std::string text = fmt::format("{} of {} {}", done, count(exits_.size(), "unit"),
                                   request_.options.dry_run ? "could be programmed" : "done");
    const auto add = [&](std::string_view what, std::vector<std::string>& ports) {
      if (ports.empty()) return;
      std::ranges::sort(ports, PortOrder());
      text += fmt::format(", {} {}: {}", ports.size(), what, fmt::join(ports, ", "));
    };
    // The terminal shows "^C" at the cursor when Ctrl-C ends an idle line.
    if (output_.draws_tables() && interrupt_count() > 0 && !says_that_it_stops_) screen_.note("");
    add("failed", failed_ports_);
    add("interrupted", interrupted_ports_);
    const int code = common_exit();
    code == 0 ? output_.good(text) : output_.line(text);
    if (!interrupted_ports_.empty()) {
      screen_.note(fmt::format("  hint: {}", update::remedy(Error(Errc::Interrupted)).hint));
    }
    output_.event("result", {{"command", "program"},
                             {"ok", code == 0},
                             {"units", exits_.size()},
                             {"done", done},
                             {"failed", failed_ports_.size()},
                             {"interrupted", interrupted_ports_.size()}});
    return code;
  }

  const UnitRequest& request_;
  Fleet& fleet_;
  Records& records_;
  Output& output_;
  UnitScreen screen_;
  std::string file_sha256_;
  Arrivals arrivals_;
  std::map<std::string, Unit> units_;  ///< those that are worked on, by port
  std::vector<int> exits_;
  std::vector<std::string> failed_ports_;
  std::vector<std::string> interrupted_ports_;
  bool says_that_it_stops_ = false;
  std::optional<Error> record_error_;
  std::optional<Duration> looked_at_;
};

Result<void> check_options(const Options& options) {
  if (options.units_file.empty()) return {};
  if (options.patches.empty()) return fail(Errc::Usage, "--units without --patch changes nothing");
  return {};
}

Result<std::unique_ptr<RowLedger>> open_rows(const Options& options, UnitRequest& request) {
  if (options.units_file.empty()) return nullptr;
  for (const std::string& text : options.patches) {
    TRY_ASSIGN(Patch patch, parse_patch(text));
    request.patches.push_back(std::move(patch));
  }
  TRY_ASSIGN(const Bytes bytes, read_file(options.units_file));
  auto table = parse_units(bytes);
  if (!table) return fail(std::move(table).error().named(options.units_file));
  // Every row, so that no unit is stopped by a cell in the middle of the night.
  if (auto checked = check_units(*table, request.patches); !checked) {
    return fail(std::move(checked).error().named(options.units_file));
  }
  return RowLedger::open(options.units_file, *std::move(table));
}

Result<UnitRequest> make_request(const Options& options, const Result<LoadedImage>& loaded) {
  TRY(check_options(options));
  UnitRequest request{.options = options, .identify = {}, .image = {}, .patches = {}};
  TRY_ASSIGN(request.identify.chip, chosen_chip(options));
  if (loaded) request.image = loaded->image;
  return request;
}

bool consent(const Options& options, Output& output) {
  if (options.yes || options.dry_run || !output.interactive()) return true;
  return output.ask(options.watch ? "Program whatever is plugged in?" : "Program them all?");
}

}  // namespace

bool concerns_many(const Options& options) {
  return options.all_devices || options.watch || options.devices.size() > 1 ||
         !options.records.empty() || !options.units_file.empty();
}

int program_many(const Options& options, Output& output, const Result<LoadedImage>& loaded) {
  auto request = make_request(options, loaded);
  if (!request) return report(output, request.error());
  auto rows = open_rows(options, *request);
  if (!rows) return report(output, rows.error());
  request->rows = rows->get();
  auto records = Records::open(options.records);
  if (!records) return report(output, records.error());
  auto file = read_file(options.file);
  if (!file) return report(output, file.error());
  auto fleet = open_fleet(options.devices, options.all_devices || options.watch);
  if (!fleet) return report(output, fleet.error());
  if (loaded) show_image(output, options.file, loaded->format, loaded->image);
  if (!consent(options, output)) {
    return report(output, Error(Errc::Interrupted, "nothing was changed"));
  }
  if (options.watch) output.note("plug in a unit; Ctrl-C ends it");
  Line line(*request, *fleet, *records, output,
            sha256({reinterpret_cast<const char*>(file->data()), file->size()}));
  return line.run();
}

}  // namespace sureflash::cli
