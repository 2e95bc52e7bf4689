#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include <fmt/color.h>
#include <nlohmann/json.hpp>

#include "sureflash/base/error.hpp"
#include "sureflash/base/step.hpp"
#include "sureflash/update/diagnose.hpp"

namespace sureflash::cli {

using Json = nlohmann::ordered_json;

enum class ColorMode : std::uint8_t { Auto, Always, Never };

/// Where text goes. Results on `out`; progress, warnings, errors on `err`.
struct Streams {
  std::FILE* out = stdout;
  std::FILE* err = stderr;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  bool in_is_terminal = false;
};

/// Everything the command says. With --json the same facts go to `out` as one object per line, each
/// with "schema" and "type"; the last is "result" or "error".
class Output {
 public:
  Output(Streams streams, bool json, ColorMode color);

  bool json() const { return json_; }
  bool interactive() const { return streams_.in_is_terminal && streams_.err_is_terminal && !json_; }

  /// A line of the result, for people. Nothing with --json.
  void line(std::string_view text);
  /// "Device    ROM bootloader …": an aligned label and text.
  void field(std::string_view label, std::string_view text);
  void good(std::string_view text);
  void warning(std::string_view text);
  void note(std::string_view text);

  /// Progress: a bar on a terminal, one line for each activity elsewhere, events with --json.
  void progress(const Progress& progress, Duration now);
  void end_progress();

  /// A table that is drawn again over itself, on a terminal.
  bool draws_tables() const { return streams_.err_is_terminal && !json_; }
  void table(const std::vector<std::string>& lines);
  /// How many lines of a table can be drawn again: what has scrolled off cannot.
  std::size_t table_lines_max() const;
  /// Takes the table off the screen, so that something else can be said.
  void clear_table();
  /// One of many units failed: in a few lines, with the first cause.
  void unit_failed(std::string_view port, const Error& error,
                   const std::vector<update::Finding>& findings, std::string_view and_now);

  void event(std::string_view type, const Json& object);
  /// The last object of a run that ended well.
  void result(std::string_view command, const Json& object);
  void error(const Error& error, const std::vector<update::Finding>& findings);
  /// A run whose result is a failure, for people: what happened, and what to do.
  void failed(std::string_view text, std::string_view hint);
  /// What was given as the causes of the last error, for a support bundle.
  const std::vector<update::Finding>& causes_of_last_error() const { return causes_; }
  /// A finding that is a result, not the reason of a failure.
  void show(const update::Finding& finding);

  /// Asks on the terminal; true for "y" or "yes". Precondition: interactive().
  bool ask(std::string_view question);

  std::FILE* out() const { return streams_.out; }
  /// For whoever waits at the other end of a pipe.
  void flush() { std::fflush(streams_.out); }

 private:
  /// The stream for progress, warnings and errors; what was said on `out` comes before it.
  std::FILE* err() const;
  void draw_bar(const Progress& progress, Duration now);
  std::string styled(std::string_view text, fmt::text_style style, bool terminal) const;
  void finding(std::FILE* to, bool terminal, const update::Finding& f);

  Streams streams_;
  bool json_;
  ColorMode color_;
  std::vector<update::Finding> causes_;
  std::optional<Progress::Activity> activity_;
  Duration activity_began_{};
  Duration last_drawn_{};
  std::uint64_t first_done_ = 0;
  bool bar_is_open_ = false;
  std::size_t table_lines_ = 0;
};

std::string_view name(Progress::Activity activity);
Json to_json(AddressRange range);
Json to_json(const Error& error);
Json to_json(const update::Finding& finding);

}  // namespace sureflash::cli
