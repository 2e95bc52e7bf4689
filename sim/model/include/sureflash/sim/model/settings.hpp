#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string_view>

#include "sureflash/base/bytes.hpp"
#include "sureflash/base/error.hpp"

/// The keys behind the name in a device specification: "stm32f105,rom=2.0,state=chip".
namespace sureflash::sim {

struct KeyHelp {
  std::string_view name;
  /// "2.0|2.1|2.2", "FILE", "N": words joined by '|'; one with a capital stands for anything.
  std::string_view values;
  std::string_view default_value;
  std::string_view help;
};

/// Digits, with k or M for thousands or millions. `key` is for the words of the error. Errors:
/// DeviceSpec
Result<std::uint64_t> number(std::string_view key, std::string_view text, std::uint64_t max);

/// `size` bytes, two hex digits each. Errors: DeviceSpec
Result<Bytes> parse_hex(std::string_view key, std::string_view text, std::size_t size);

/// What a specification says, checked against the keys there are and the words that they take.
class Settings {
 public:
  /// @param name  whose keys `own` are, for the words of an error
  /// @param common  keys that others have as well
  /// @param text  "" or ",key=value…", what follows the name; must outlive this, and the keys too
  /// Errors: DeviceSpec, saying what there is.
  static Result<Settings> parse(std::string_view name, std::span<const KeyHelp> own,
                                std::span<const KeyHelp> common, std::string_view text);

  /// Precondition of all: the key is known.
  std::string_view get(std::string_view key) const;
  bool has(std::string_view key) const { return values_.contains(key); }
  bool on(std::string_view key) const { return get(key) == "1"; }
  bool is(std::string_view key, std::string_view value) const { return get(key) == value; }

 private:
  Settings(std::span<const KeyHelp> own, std::span<const KeyHelp> common)
      : own_(own), common_(common) {}

  const KeyHelp* help(std::string_view key) const;
  Result<void> add(std::string_view name, std::string_view item);

  std::span<const KeyHelp> own_, common_;
  std::map<std::string_view, std::string_view> values_;
};

}  // namespace sureflash::sim
