#include "row_ledger.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <ctime>

#include "sha256.hpp"
#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

namespace sureflash::cli {
namespace {

using Json = nlohmann::ordered_json;

/// 128 bits of SHA-256 tell rows apart.
constexpr std::size_t kIdDigits = 32;
constexpr std::size_t kClaimDigits = 15;

std::uint64_t claim_number(const std::string& id) {
  std::uint64_t value = 0;
  std::from_chars(id.data(), id.data() + kClaimDigits, value, 16);
  return value;
}

std::string upper(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return result;
}

}  // namespace

std::string utc_now() {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
}

RowLedger::RowLedger(std::unique_ptr<AppendFile> file, UnitTable table)
    : file_(std::move(file)), table_(std::move(table)), claimed_(table_.rows.size()) {
  for (const UnitTable::Row& row : table_.rows) {
    ids_.push_back(sha256(UnitTable::text(row)).substr(0, kIdDigits));
  }
}

Result<std::unique_ptr<RowLedger>> RowLedger::open(const std::string& table_file, UnitTable table) {
  TRY_ASSIGN(auto file, AppendFile::open(table_file + ".used"));
  return std::unique_ptr<RowLedger>(new RowLedger(std::move(file), std::move(table)));
}

Result<std::map<std::string, RowLedger::Entry>> RowLedger::entries() const {
  TRY_ASSIGN(const std::string text, file_->read());
  std::map<std::string, Entry> entries;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const Json line = Json::parse(text.substr(at, end - at), nullptr, false);
    at = end + 1;
    if (!line.is_object()) continue;
    const std::string state = line.value("state", "");
    Entry entry{.state = state == "used"    ? State::Used
                         : state == "begun" ? State::Begun
                                            : State::Unused,
                .uid = line.value("uid", "")};
    entries[line.value("row", "")] = std::move(entry);
  }
  return entries;
}

bool RowLedger::fits(const UnitTable::Row& row, const UnitName& unit) const {
  const auto equal = [&](std::string_view name, const std::string& value) {
    const auto column = table_.column(name);
    if (!column || row.cells[*column].empty()) return true;
    return upper(row.cells[*column]) == upper(value);
  };
  return equal("uid", unit.uid) && equal("usb_serial", unit.serial) && equal("port", unit.port);
}

Result<bool> RowLedger::claim(std::size_t row, const Entry& expected) {
  if (claimed_[row] || !file_->claim(claim_number(ids_[row]))) return false;
  claimed_[row] = true;
  TRY_ASSIGN(auto now, entries());
  const Entry& entry = now[ids_[row]];
  if (entry.state == expected.state && entry.uid == expected.uid) return true;
  release(row);
  return false;
}

void RowLedger::release(std::size_t row) {
  file_->give_back(claim_number(ids_[row]));
  claimed_[row] = false;
}

Result<void> RowLedger::write(std::string_view state, std::size_t row, const UnitName& unit) {
  const Json line = {{"row", ids_[row]},
                     {"state", state},
                     {"time", utc_now()},
                     {"uid", unit.uid},
                     {"serial", unit.serial},
                     {"port", unit.port},
                     {"line", table_.rows[row].line}};
  return file_->append(line.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Error RowLedger::none_left(const std::map<std::string, Entry>& entries) const {
  std::size_t used = 0;
  std::size_t begun = 0;
  for (const std::string& id : ids_) {
    const auto entry = entries.find(id);
    if (entry == entries.end()) continue;
    used += entry->second.state == State::Used ? 1 : 0;
    begun += entry->second.state == State::Begun ? 1 : 0;
  }
  return Error(Errc::NoUnitData, fmt::format("{} of {} rows are used, {} begun; no other row fits "
                                             "this unit",
                                             used, ids_.size(), begun));
}

Result<std::size_t> RowLedger::take(const UnitName& unit) {
  TRY_ASSIGN(auto entries, this->entries());
  const auto belongs = [&](const Entry& e) {
    return e.state != State::Unused && !unit.uid.empty() && e.uid == unit.uid;
  };
  // A unit that has a row keeps it: it comes first.
  for (const bool own : {true, false}) {
    for (std::size_t row = 0; row < ids_.size(); ++row) {
      const Entry& entry = entries[ids_[row]];
      if (own ? !belongs(entry) : entry.state != State::Unused) continue;
      if (!fits(table_.rows[row], unit)) continue;
      TRY_ASSIGN(const bool ours, claim(row, entry));
      if (!ours) continue;
      // A row that is used stays used while its unit is programmed again.
      if (entry.state == State::Used) return row;
      auto written = write("begun", row, unit);
      if (written) return row;
      release(row);
      return fail(std::move(written).error());
    }
  }
  return fail(none_left(entries));
}

Result<void> RowLedger::use(std::size_t row, const UnitName& unit) {
  auto written = write("used", row, unit);
  release(row);
  return written;
}

Result<void> RowLedger::give_back(std::size_t row, const UnitName& unit) {
  TRY_ASSIGN(auto entries, this->entries());
  Result<void> written;
  if (entries[ids_[row]].state == State::Begun) written = write("unused", row, unit);
  release(row);
  return written;
}

}  // namespace sureflash::cli
