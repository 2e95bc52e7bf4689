#pragma once

#include <map>
#include <string_view>

#include "sureflash/base/error.hpp"
#include "sureflash/sim/model/profiles.hpp"

/// The text after a profile's name, as keys and values.
namespace sureflash::sim {

/// key=value, checked against what the profile knows; values of closed sets are checked as well.
class Settings {
 public:
  static Result<Settings> parse(const ProfileHelp& profile, std::string_view text);

  std::string_view get(std::string_view key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? help(key)->default_value : found->second;
  }
  bool has(std::string_view key) const { return values_.contains(key); }
  bool on(std::string_view key) const { return get(key) == "1"; }
  bool is(std::string_view key, std::string_view value) const { return get(key) == value; }

 private:
  explicit Settings(const ProfileHelp& profile) : profile_(&profile) {}

  const KeyHelp* help(std::string_view key) const;
  Result<void> add(std::string_view item);

  const ProfileHelp* profile_;
  std::map<std::string_view, std::string_view, std::less<>> values_;
};

/// A decimal number of at most `max`.
Result<std::uint64_t> number(std::string_view key, std::string_view text, std::uint64_t max);
/// `size` bytes, two hex digits each.
Result<Bytes> parse_hex(std::string_view key, std::string_view text, std::size_t size);

}  // namespace sureflash::sim
