#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "output.hpp"
#include <CLI/CLI.hpp>

namespace sureflash::cli {

/// Everything a command line can say. One struct, filled by CLI11, read by the commands.
struct Options {
  // for all commands
  std::string device;
  std::string chip;
  bool json = false;
  ColorMode color = ColorMode::Auto;
  std::string trace_file;
  bool trace_firmware = false;

  // files and addresses
  std::string file;
  std::string output_file;
  std::string format;
  std::string output_format;
  std::optional<std::uint64_t> base;
  std::optional<std::uint64_t> address;
  std::optional<std::uint64_t> size;
  std::optional<unsigned> alt_setting;
  std::vector<std::string> ranges;

  // what to do
  bool all = false;
  bool run = false;
  bool yes = false;
  bool dry_run = false;
  bool data = false;
  bool no_blank = false;
  bool force = false;
  std::string shell;

  // doctor
  std::string may_write;

  // sim serve
  std::vector<std::string> profiles;
  std::string testbed;
  std::string usbredir;
  bool usbip = false;
  std::string listen_address = "127.0.0.1";
  unsigned tcp_port = 3240;
};

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
