#include "json.hpp"

#include "sureflash/base/text.hpp"

namespace sureflash::web {

void Json::begin_value() {
  if (!first_) text_ += ',';
  first_ = false;
}

void Json::quote(std::string_view value) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  text_ += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      text_ += '\\';
      text_ += c;
    } else if (byte < 0x20) {
      text_ += "\\u00";
      text_ += kHexDigits[byte >> 4];
      text_ += kHexDigits[byte & 0xF];
    } else {
      text_ += c;
    }
  }
  text_ += '"';
}

Json& Json::object() {
  begin_value();
  text_ += '{';
  open_ += '}';
  first_ = true;
  return *this;
}

Json& Json::array() {
  begin_value();
  text_ += '[';
  open_ += ']';
  first_ = true;
  return *this;
}

Json& Json::end() {
  text_ += open_.back();
  open_.pop_back();
  first_ = false;
  return *this;
}

Json& Json::key(std::string_view name) {
  begin_value();
  quote(name);
  text_ += ':';
  first_ = true;
  return *this;
}

Json& Json::text(std::string_view value) {
  begin_value();
  quote(value);
  return *this;
}

Json& Json::number(std::uint64_t value) {
  begin_value();
  text_ += decimal(value);
  return *this;
}

Json& Json::boolean(bool value) {
  begin_value();
  text_ += value ? "true" : "false";
  return *this;
}

}  // namespace sureflash::web
