#pragma once

#include <map>
#include <string>

#include "output.hpp"
#include "port_order.hpp"
#include "unit.hpp"

namespace sureflash::cli {

/// What a record says of a unit, and the last event of it with --json.
Json to_json(const Unit& unit, const UnitRequest& request, const std::string& file_sha256);

/// Many units on one screen: a table of progress on a terminal, a line for what happens to each
/// unit elsewhere, events with --json.
class UnitScreen {
 public:
  UnitScreen(Output& output, bool dry_run) : output_(output), dry_run_(dry_run) {}

  void begin(const Unit& unit);
  void progress(const Unit& unit, const Progress& progress);
  /// What became of it. `and_now` is for the person at the line: "unplug it".
  void end(const Unit& unit, Json record, std::string_view and_now);
  void note(std::string_view text);
  /// Draws the table again if it is time. Call it often.
  void refresh();
  void close();

 private:
  struct Row {
    std::string port;
    std::string name;
    std::string doing;
    double share = 0;
  };
  static std::string line(const Row& row);
  void draw();

  Output& output_;
  bool dry_run_;
  std::map<std::string, Row, PortOrder> rows_;  ///< by port
  Duration last_drawn_{};
  bool changed_ = false;
};

}  // namespace sureflash::cli
