#pragma once

#include <functional>
#include <memory>
#include <string>

#include "options.hpp"
#include <CLI/CLI.hpp>

namespace sureflash::cli {

/// The command line, described once: help, man page and shell completion are made from it.
struct CommandLine {
  std::unique_ptr<CLI::App> app;
  /// What the chosen subcommand does; set when parsing succeeded.
  std::function<int(const Options&, Output&)> action;
  Options options;
};

/// Builds the description. The result must stay where it is (CLI11 keeps references).
std::unique_ptr<CommandLine> make_command_line();

/// troff source of sureflash(1).
std::string man_page(const CLI::App& app);
/// Completion script for "bash", "zsh" or "fish"; empty for another shell.
std::string completion(const CLI::App& app, std::string_view shell);

}  // namespace sureflash::cli
