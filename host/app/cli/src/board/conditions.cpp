#include "conditions.hpp"

#include <charconv>
#include <cmath>
#include <optional>

#include <fmt/format.h>

namespace sureflash::cli {
namespace {

constexpr unsigned kUsarts = 5;

std::unexpected<Error> usage(std::string what) {
  return fail(Errc::Usage, std::move(what));
}

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A number and its unit: "1.5ms".
std::optional<std::pair<double, std::string_view>> with_unit(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || !std::isfinite(value) || value < 0) return std::nullopt;
  return std::pair(value, text.substr(static_cast<std::size_t>(end - text.data())));
}

std::optional<PinName> pin_name(std::string_view text) {
  if (text.size() < 3 || text[0] != 'P' || text[1] < 'A' || text[1] > 'E') return std::nullopt;
  const auto pin = number<unsigned>(text.substr(2));
  if (!pin || *pin > 15) return std::nullopt;
  return PinName{text[1], *pin};
}

/// "1" of "uart1"; 0 of "uart".
std::optional<unsigned> usart_of(std::string_view name) {
  if (!name.starts_with("uart")) return std::nullopt;
  if (name == "uart") return 0;
  const auto n = number<unsigned>(name.substr(4));
  return n && *n >= 1 && *n <= kUsarts ? n : std::nullopt;
}

/// \n, \r, \t, \\ and \xHH, as shells do not pass them on.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    unsigned byte = 0;
    if (c == 'x' && i + 2 < text.size() &&
        std::from_chars(&text[i + 1], &text[i + 1] + 2, byte, 16).ec == std::errc{}) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
    }
  }
  return out;
}

constexpr std::string_view kConditions =
    "PC13=1, uart1:TEXT, usb=attached, usb=configured, usb=suspended, usb=detached, reset, rom, "
    "fault, symbol=NAME";
constexpr std::string_view kActions =
    "PA0=1, PA0=0, PA0=float, vbus=0, vbus=1, reset, power, uart1=TEXT, each with TIME: before it";

std::optional<decltype(Condition::what)> condition(const std::string& text) {
  if (text == "reset") return UntilHappening{Happening::Reset};
  if (text == "rom") return UntilHappening{Happening::Rom};
  if (text == "fault") return UntilHappening{Happening::Fault};
  const std::size_t colon = text.find(':');
  if (colon != text.npos) {
    const auto usart = usart_of(std::string_view(text).substr(0, colon));
    if (usart && colon + 1 < text.size())
      return UntilText{*usart, unescaped(text.substr(colon + 1))};
  }
  const std::size_t equals = text.find('=');
  if (equals == text.npos || equals + 1 == text.size()) return std::nullopt;
  const std::string name = text.substr(0, equals), value = text.substr(equals + 1);
  if (name == "symbol") return UntilSymbol{value};
  if (name == "usb") {
    if (value == "attached") return UntilUsb{UsbState::Attached};
    if (value == "detached") return UntilUsb{UsbState::Detached};
    if (value == "configured") return UntilUsb{UsbState::Configured};
    if (value == "suspended") return UntilUsb{UsbState::Suspended};
  }
  if (const auto pin = pin_name(name); pin && (value == "0" || value == "1")) {
    return UntilPin{*pin, value == "1"};
  }
  return std::nullopt;
}

std::optional<decltype(Action::what)> action(const std::string& text) {
  if (text == "reset") return PressReset{};
  if (text == "power") return CyclePower{};
  const std::size_t equals = text.find('=');
  if (equals == text.npos) return std::nullopt;
  const std::string name = text.substr(0, equals), value = text.substr(equals + 1);
  if (name == "vbus" && (value == "0" || value == "1")) return SetVbus{value == "1"};
  if (const auto usart = usart_of(name); usart && *usart > 0) {
    return SendText{*usart, unescaped(value)};
  }
  if (const auto pin = pin_name(name)) {
    if (value == "0") return SetPin{*pin, sim::PinInput::Low};
    if (value == "1") return SetPin{*pin, sim::PinInput::High};
    if (value == "float") return SetPin{*pin, sim::PinInput::Floating};
  }
  return std::nullopt;
}

}  // namespace

std::string text(PinName pin) {
  return fmt::format("P{}{}", pin.port, pin.pin);
}

Result<Condition> parse_condition(const std::string& text) {
  const auto what = condition(text);
  if (!what) {
    return usage(fmt::format("--until does not know \"{}\"; it knows {}", text, kConditions));
  }
  return Condition{text, *what};
}

Result<Action> parse_action(const std::string& text) {
  Action result{.at = {}, .text = text, .what = PressReset{}};
  const std::size_t colon = text.find(':');
  const std::size_t equals = text.find('=');
  if (colon != text.npos && (equals == text.npos || colon < equals)) {
    TRY_ASSIGN(result.at, parse_duration(text.substr(0, colon)));
    result.text = text.substr(colon + 1);
  }
  const auto what = action(result.text);
  if (!what) {
    return usage(fmt::format("--at does not know \"{}\"; it knows {}", result.text, kActions));
  }
  result.what = *what;
  return result;
}

Result<Duration> parse_duration(const std::string& text) {
  constexpr double kMax = 1e6;  // seconds: 11 days
  if (const auto parts = with_unit(text)) {
    const auto [value, unit] = *parts;
    const double scale = unit == "s"     ? 1
                         : unit == "ms"  ? 1e-3
                         : unit == "us"  ? 1e-6
                         : unit == "ns"  ? 1e-9
                         : unit == "min" ? 60
                                         : 0;
    if (scale > 0 && value * scale <= kMax) {
      return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value * scale));
    }
  }
  return usage(fmt::format("\"{}\" is no time; write 10s, 500ms, 20us or 2min", text));
}

}  // namespace sureflash::cli
