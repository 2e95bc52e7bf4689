#include "sureflash/sim/model/settings.hpp"

#include <algorithm>
#include <charconv>
#include <string>

#include "sureflash/base/text.hpp"

namespace sureflash::sim {
namespace {

std::string names(std::span<const KeyHelp> keys) {
  std::string list;
  for (const KeyHelp& key : keys) list += " " + std::string(key.name);
  return list;
}

bool allowed(std::string_view values, std::string_view value) {
  for (;;) {
    const std::size_t bar = values.find('|');
    const std::string_view one = values.substr(0, bar);
    if (one == value || std::ranges::any_of(one, [](char c) { return c >= 'A' && c <= 'Z'; })) {
      return true;
    }
    if (bar == std::string_view::npos) return false;
    values.remove_prefix(bar + 1);
  }
}

}  // namespace

Result<std::uint64_t> number(std::string_view key, std::string_view text, std::uint64_t max) {
  std::string_view digits = text;
  std::uint64_t unit = 1;
  if (digits.ends_with('k')) unit = 1'000;
  if (digits.ends_with('M')) unit = 1'000'000;
  if (unit != 1) digits.remove_suffix(1);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  if (whole && value <= max / unit) return value * unit;
  return fail(Errc::DeviceSpec, std::string(key) + "=" + std::string(text) +
                                    ": want a number of at most " + decimal(max));
}

Result<Bytes> parse_hex(std::string_view key, std::string_view text, std::size_t size) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    std::uint8_t byte = 0;
    const char* end = text.data() + i + 2;
    if (std::from_chars(text.data() + i, end, byte, 16).ptr != end) break;
    bytes.push_back(byte);
  }
  if (bytes.size() != size || text.size() != 2 * size) {
    return fail(Errc::DeviceSpec,
                std::string(key) + ": want " + decimal(size) + " bytes, two hex digits each");
  }
  return bytes;
}

Result<Settings> Settings::parse(std::string_view name, std::span<const KeyHelp> own,
                                 std::span<const KeyHelp> common, std::string_view text) {
  Settings settings(own, common);
  while (!text.empty()) {
    text.remove_prefix(1);  // the comma
    const std::string_view item = text.substr(0, text.find(','));
    TRY(settings.add(name, item));
    text.remove_prefix(item.size());
  }
  return settings;
}

std::string_view Settings::get(std::string_view key) const {
  const auto found = values_.find(key);
  if (found != values_.end()) return found->second;
  const KeyHelp* known = help(key);
  return known != nullptr ? known->default_value : std::string_view();
}

const KeyHelp* Settings::help(std::string_view key) const {
  for (const auto keys : {own_, common_}) {
    const auto found = std::ranges::find(keys, key, &KeyHelp::name);
    if (found != keys.end()) return &*found;
  }
  return nullptr;
}

Result<void> Settings::add(std::string_view name, std::string_view item) {
  const std::size_t equals = item.find('=');
  const std::string_view key = item.substr(0, equals);
  const KeyHelp* known = help(key);
  if (known == nullptr || equals == std::string_view::npos) {
    return fail(Errc::DeviceSpec, "'" + std::string(item) + "': want key=value; keys of " +
                                      std::string(name) + ":" + names(own_) +
                                      (common_.empty() ? "" : "; of all:" + names(common_)));
  }
  const std::string_view value = item.substr(equals + 1);
  if (!allowed(known->values, value)) {
    return fail(Errc::DeviceSpec, "'" + std::string(item) + "': " + std::string(key) + " is " +
                                      std::string(known->values));
  }
  if (!values_.emplace(key, value).second) {
    return fail(Errc::DeviceSpec, "'" + std::string(key) + "' is given twice");
  }
  return {};
}

}  // namespace sureflash::sim
