#pragma once

#include <map>
#include <memory>
#include <string>

#include "append_file.hpp"
#include "units.hpp"

namespace sureflash::cli {

/// What a unit shows of itself. Empty: nothing.
struct UnitName {
  std::string port;
  std::string uid;     ///< of the chip, in upper-case hex digits
  std::string serial;  ///< of the USB device; many units may have the same
};

/// Which rows of a table of units are used, kept beside it in FILE.used (JSON lines, only
/// appended).
///
/// | a row is | when | who may get it |
/// |---|---|---|
/// | unused | nothing is known of it, or its unit failed | any unit that its columns fit |
/// | begun | its unit is being programmed | nobody; after a crash, the unit with the same UID |
/// | used | its unit is proven | the unit with the same UID, which keeps it |
///
/// Several processes may share a table: a row that one of them works with is locked.
class RowLedger {
 public:
  /// Errors: those of AppendFile.
  static Result<std::unique_ptr<RowLedger>> open(const std::string& table_file, UnitTable table);

  const UnitTable& table() const { return table_; }

  /// Claims a row for this unit and writes down that it begins. If the table has columns called
  /// "uid", "usb_serial" or "port", only rows fit whose cells there are empty or equal to the
  /// unit's. Errors: NoUnitData (says how many rows are used and begun), those of AppendFile.
  Result<std::size_t> take(const UnitName& unit);
  /// The unit with this row is proven: nobody else gets it.
  Result<void> use(std::size_t row, const UnitName& unit);
  /// The unit failed: the row is as before.
  Result<void> give_back(std::size_t row, const UnitName& unit);

 private:
  enum class State : std::uint8_t { Unused, Begun, Used };
  struct Entry {
    State state = State::Unused;
    std::string uid;
  };

  RowLedger(std::unique_ptr<AppendFile> file, UnitTable table);
  /// By id of a row. Lines that a crash left unfinished are passed over: what they would say had
  /// not happened yet.
  Result<std::map<std::string, Entry>> entries() const;
  bool fits(const UnitTable::Row& row, const UnitName& unit) const;
  /// Claims it, and makes sure that nobody used it in the meantime.
  Result<bool> claim(std::size_t row, const Entry& expected);
  void release(std::size_t row);
  Result<void> write(std::string_view state, std::size_t row, const UnitName& unit);
  Error none_left(const std::map<std::string, Entry>& entries) const;

  std::unique_ptr<AppendFile> file_;
  UnitTable table_;
  std::vector<std::string> ids_;  ///< by row
  std::vector<bool> claimed_;     ///< by row
};

/// "2026-11-26T22:04:37Z"
std::string utc_now();

}  // namespace sureflash::cli
