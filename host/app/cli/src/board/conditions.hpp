#pragma once

#include <string>
#include <variant>
#include <vector>

#include "sureflash/base/error.hpp"
#include "sureflash/sim/board/board.hpp"

/// What `sim run` waits for (--until) and does to the board (--at), as values.
namespace sureflash::cli {

struct PinName {
  char port = 'A';
  unsigned pin = 0;
  friend bool operator==(const PinName&, const PinName&) = default;
};
std::string text(PinName pin);

struct UntilPin {
  PinName pin;
  bool high = false;
};
/// On USART `usart`, or on any (0).
struct UntilText {
  unsigned usart = 0;
  std::string text;
};
enum class UsbState : std::uint8_t { Attached, Detached, Configured, Suspended };
struct UntilUsb {
  UsbState state = UsbState::Attached;
};
enum class Happening : std::uint8_t { Reset, Rom, Fault };
struct UntilHappening {
  Happening what = Happening::Reset;
};
/// Execution reaches a symbol.
struct UntilSymbol {
  std::string name;
};

struct Condition {
  std::string text;  ///< as given
  std::variant<UntilPin, UntilText, UntilUsb, UntilHappening, UntilSymbol> what;
};
/// "PC13=1", "uart1:ready", "uart:ready", "usb=configured", "reset", "rom", "fault", "symbol=main".
/// Errors: Usage.
Result<Condition> parse_condition(const std::string& text);

struct SetPin {
  PinName pin;
  sim::PinInput level = sim::PinInput::Floating;
};
struct SetVbus {
  bool on = false;
};
struct PressReset {};
struct SendText {
  unsigned usart = 1;
  std::string text;
};
struct CyclePower {};

struct Action {
  Duration at{};
  std::string text;
  std::variant<SetPin, SetVbus, PressReset, SendText, CyclePower> what;
};
/// "100ms:PA0=1", "1s:PA0=float", "2s:vbus=0", "2s:reset", "2s:power", "1s:uart1=hello\n"; without
/// a time: before the first instruction. Errors: Usage.
Result<Action> parse_action(const std::string& text);

/// "10s", "1.5ms", "20us", "2min". Errors: Usage.
Result<Duration> parse_duration(const std::string& text);

}  // namespace sureflash::cli
