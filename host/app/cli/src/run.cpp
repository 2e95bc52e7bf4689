#include "run.hpp"

#include <sstream>

#include "command_line.hpp"
#include "exit_code.hpp"
#include "failure.hpp"
#include "interrupt.hpp"
#include "terminal.hpp"
#include <fmt/format.h>

namespace sureflash::cli {
namespace {

/// What CLI11 has to say: help and version are results, the rest is an error.
int parse_failed(const CLI::App& app, const CLI::ParseError& error, const Streams& streams) {
  std::ostringstream out;
  std::ostringstream err;
  const int code = app.exit(error, out, err);
  fmt::print(streams.out, "{}", out.str());
  if (code == 0) return 0;
  // CLI11 asks for a command before it says that it does not know the one it was given.
  const std::vector<std::string> unknown = app.remaining();
  const std::string what = app.get_subcommands().empty() && !unknown.empty()
                               ? fmt::format("there is no command \"{}\"", unknown.front())
                               : std::string(error.what());
  fmt::print(streams.err, "error: {}\n  hint: sureflash --help shows the commands\n", what);
  return static_cast<int>(ExitCode::Usage);
}

}  // namespace

int run(const std::vector<std::string>& arguments, const Streams& streams) {
  const auto line = make_command_line();
  try {
    line->app->parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    return parse_failed(*line->app, error, streams);
  }
  Options& options = line->options;
  Output output(streams, options.json, options.color);
  if (!options.devices.empty()) options.device = options.devices.front();
  if (options.devices.size() > 1 && !line->app->got_subcommand("program")) {
    return report(output, Error(Errc::Usage, "only `program` takes several --device"));
  }
  return line->action(options, output);
}

int main(int argc, char** argv) {
  install_interrupt_handler();
  return run({argv + 1, argv + argc}, {.out = stdout,
                                       .err = stderr,
                                       .out_is_terminal = is_terminal(stdout),
                                       .err_is_terminal = is_terminal(stderr),
                                       .in_is_terminal = is_terminal(stdin)});
}

}  // namespace sureflash::cli
