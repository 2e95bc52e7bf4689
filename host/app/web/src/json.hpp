#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sureflash::web {

/// Writes JSON, in the order of the calls: no tree, no library. Commas come by themselves.
///
///     Json json;
///     json.object().key("name").text("a").key("sizes").array().number(1).number(2).end().end();
///     std::move(json).take();  // {"name":"a","sizes":[1,2]}
class Json {
 public:
  Json& object();
  Json& array();
  /// Closes the innermost object or array.
  Json& end();
  Json& key(std::string_view name);
  /// UTF-8; everything below 0x20 is escaped.
  Json& text(std::string_view value);
  Json& number(std::uint64_t value);
  Json& boolean(bool value);

  std::string take() && { return std::move(text_); }

 private:
  void begin_value();
  void quote(std::string_view value);

  std::string text_;
  /// One closing bracket for each open one.
  std::string open_;
  bool first_ = true;
};

}  // namespace sureflash::web
