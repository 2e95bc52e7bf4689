#include "profile_settings.hpp"

#include <algorithm>
#include <charconv>

#include "sureflash/base/text.hpp"

namespace sureflash::sim {
namespace {

std::string names(std::span<const KeyHelp> keys) {
  std::string list;
  for (const KeyHelp& key : keys) list += " " + std::string(key.name);
  return list;
}

/// Lower-case words and numbers joined by '|' are a closed set; upper case stands for anything.
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
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > max) {
    return fail(Errc::DeviceSpec, std::string(key) + "=" + std::string(text) +
                                      ": want a number of at most " + decimal(max));
  }
  return value;
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

const KeyHelp* Settings::help(std::string_view key) const {
  for (const auto keys : {profile_->keys, common_keys()}) {
    const auto found = std::ranges::find(keys, key, &KeyHelp::name);
    if (found != keys.end()) return &*found;
  }
  return nullptr;
}

Result<void> Settings::add(std::string_view item) {
  const std::size_t equals = item.find('=');
  const std::string_view key = item.substr(0, equals);
  const KeyHelp* known = help(key);
  if (known == nullptr || equals == std::string_view::npos) {
    return fail(Errc::DeviceSpec, "'" + std::string(item) + "': want key=value; keys of " +
                                      std::string(profile_->name) + ":" + names(profile_->keys) +
                                      "; of all:" + names(common_keys()));
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

Result<Settings> Settings::parse(const ProfileHelp& profile, std::string_view text) {
  Settings settings(profile);
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    TRY(settings.add(text.substr(0, comma)));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return settings;
}

}  // namespace sureflash::sim
