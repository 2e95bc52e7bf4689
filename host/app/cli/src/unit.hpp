#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "files.hpp"
#include "options.hpp"
#include "row_ledger.hpp"
#include "trace_file.hpp"

#include "sureflash/base/task.hpp"
#include "sureflash/update/diagnose.hpp"
#include "sureflash/update/plan.hpp"
#include "sureflash/update/program.hpp"

namespace sureflash::cli {

struct Planned {
  update::Plan plan;
  /// Not with --full.
  std::optional<update::Survey> survey;
};
/// Passes the pre-flight, compares, unless told not to, and plans what differs, as the command line
/// says. Errors: Usage, those of make_plan and survey. The references must outlive the task.
Task<Planned> plan_program(const Options& options, const update::Target& target,
                           const image::Image& image);

/// The chip that --chip names; null without it. Errors: Usage.
Result<const stm32::Chip*> chosen_chip(const Options& options);

/// What all units of a run have in common.
struct UnitRequest {
  Options options;
  update::IdentifyOptions identify;
  /// The file, for devices with DfuSe; not there if it has no addresses.
  std::optional<image::Image> image;
  std::vector<Patch> patches;
  /// Null without --units.
  RowLedger* rows = nullptr;
};

/// One unit: what is to be done, and what became of it, as far as the job came.
struct Unit {
  UnitName name;
  std::optional<update::Target> target;
  /// Of the table of units.
  std::optional<std::size_t> row;
  /// What was put into this unit.
  std::string image_sha256;
  std::optional<update::Plan> plan;
  update::Observations seen;
  std::optional<update::Outcome> outcome;
  std::optional<Error> error;
  std::vector<update::Finding> findings;
  std::string began;  ///< UTC
  Duration compare_time{};
  Duration took{};
  bool started = false;
  std::shared_ptr<TraceFile> trace;  ///< with --trace

  bool proven() const { return outcome && outcome->proven && !error; }
};

/// Everything for one unit: brings it into DFU mode, identifies it, takes its row, compares, plans,
/// programs, proves, starts. A failure is found in `unit`, with its causes. Both must outlive the
/// task.
Task<> program_unit(const UnitRequest& request, Unit& unit);

}  // namespace sureflash::cli
