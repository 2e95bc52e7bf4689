#include "record.hpp"

#include <fmt/format.h>

namespace sureflash::cli {
namespace {

/// RFC 4180.
std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n;") == std::string::npos) return text;
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"') result += '"';
    result += c;
  }
  return result + '"';
}

std::string cell(const Json& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return quoted(value.get<std::string>());
  return quoted(value.dump());
}

}  // namespace

std::string csv_header(const Json& record) {
  std::string row;
  for (const auto& [name, value] : record.items()) row += (row.empty() ? "" : ",") + name;
  return row;
}

std::string csv_row(const Json& record) {
  std::vector<std::string> cells;
  for (const auto& [name, value] : record.items()) cells.push_back(cell(value));
  return fmt::format("{}", fmt::join(cells, ","));
}

Result<Records> Records::open(const std::vector<std::string>& paths) {
  Records records;
  for (const std::string& path : paths) {
    TRY_ASSIGN(auto file, AppendFile::open(path));
    records.files_.push_back({std::move(file), path.ends_with(".csv")});
  }
  return records;
}

Result<void> Records::append(const Json& unit) {
  Result<void> result;
  for (const File& file : files_) {
    auto done = file.csv
                    ? file.file->append(csv_row(unit), csv_header(unit))
                    : file.file->append(unit.dump(-1, ' ', false, Json::error_handler_t::replace));
    if (!done && result) result = std::move(done);
  }
  return result;
}

}  // namespace sureflash::cli
