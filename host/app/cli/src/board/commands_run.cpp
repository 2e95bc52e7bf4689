#include "../commands.hpp"
#include "../failure.hpp"
#include "runner.hpp"
#include <fmt/format.h>

#include "sureflash/base/text.hpp"

namespace sureflash::cli {
namespace {

std::string_view name(Runner::End end) {
  switch (end) {
    case Runner::End::Time:
      return "time";
    case Runner::End::Met:
      return "condition";
    case Runner::End::Failed:
      return "failed";
    case Runner::End::Killed:
      return "debugger";
    case Runner::End::Interrupted:
      return "interrupted";
  }
  return "";
}

ExitCode exit_code(const Runner& runner, Runner::End end) {
  switch (end) {
    case Runner::End::Time:
      return runner.has_conditions() ? ExitCode::NotMet : ExitCode::Done;
    case Runner::End::Met:
    case Runner::End::Killed:
      return ExitCode::Done;
    case Runner::End::Failed:
      return ExitCode::FirmwareFailed;
    case Runner::End::Interrupted:
      return ExitCode::Interrupted;
  }
  return ExitCode::Unexpected;
}

void say(const Runner& runner, const Runner::Ending& ending, Output& output) {
  const std::string after =
      fmt::format("after {} of virtual time, {} instructions",
                  sureflash::text(runner.board().now()), runner.board().core().instructions());
  switch (ending.how) {
    case Runner::End::Met:
      return output.good(fmt::format("met {} {}", ending.why, after));
    case Runner::End::Failed:
      return output.failed(fmt::format("the firmware failed {}: {}", after, ending.why),
                           "the report above says where; --go-on does not stop there, --gdb PORT "
                           "lets a debugger look");
    case Runner::End::Time:
      if (!runner.has_conditions()) return output.line(fmt::format("ended {}", after));
      return output.failed(fmt::format("no condition was met {}", after),
                           "the log shows what happened instead; --for gives more time");
    case Runner::End::Killed:
      return output.line(fmt::format("ended by GDB {}", after));
    case Runner::End::Interrupted:
      return output.note(fmt::format("interrupted {}", after));
  }
}

/// Firmware that the chip cannot start: the file's own advice is better than that for its kind. So
/// it is for a port that is taken: no device is behind it.
int refuse(const Error& error, Output& output) {
  if (error.code == Errc::DeviceBusy && !output.json()) {
    output.failed(
        fmt::format("{}: {}; another program has the port", error.where.name, error.detail),
        "choose another with --gdb, or 0 for any that is free");
    return static_cast<int>(ExitCode::Permission);
  }
  const std::size_t advice = error.detail.find("; ");
  const ExitCode code = cli::exit_code(error.code);
  if (code != ExitCode::Image || output.json() || advice == error.detail.npos) {
    return report(output, error);
  }
  output.failed(fmt::format("{}: {}", error.where.name, error.detail.substr(0, advice)),
                error.detail.substr(advice + 2));
  return static_cast<int>(code);
}

}  // namespace

int sim_run(const Options& options, Output& output) {
  auto runner = Runner::create(options, output);
  if (!runner) return refuse(runner.error(), output);
  const Runner::Ending ending = (*runner)->run();
  if (auto saved = (*runner)->save(); !saved) return report(output, saved.error());
  say(**runner, ending, output);
  const ExitCode code = exit_code(**runner, ending.how);
  const sim::Board& board = (*runner)->board();
  output.result("sim run", {{"ok", code == ExitCode::Done},
                            {"end", name(ending.how)},
                            {"why", ending.why},
                            {"time_s", std::chrono::duration<double>(board.now()).count()},
                            {"instructions", board.core().instructions()},
                            {"exit", static_cast<int>(code)}});
  return static_cast<int>(code);
}

}  // namespace sureflash::cli
