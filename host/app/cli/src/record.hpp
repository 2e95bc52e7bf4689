#pragma once

#include <memory>
#include <string>
#include <vector>

#include "append_file.hpp"
#include "output.hpp"

namespace sureflash::cli {

/// What is written down of each unit: `--record FILE`. CSV if the file is called so, else JSON
/// lines; both have the same fields.
class Records {
 public:
  /// Opens all of them, so that a file that cannot be written is found out before any unit is
  /// touched. Errors: FileUnwritable.
  static Result<Records> open(const std::vector<std::string>& paths);

  /// Errors: FileUnwritable; the other files have the record.
  Result<void> append(const Json& unit);

 private:
  struct File {
    std::unique_ptr<AppendFile> file;
    bool csv = false;
  };
  std::vector<File> files_;
};

/// The names of the fields, as a row of CSV, and the values of a record.
std::string csv_header(const Json& record);
std::string csv_row(const Json& record);

}  // namespace sureflash::cli
