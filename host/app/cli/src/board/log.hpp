#pragma once

#include <array>
#include <string>

#include "../output.hpp"

#include "sureflash/sim/board/board.hpp"
#include "sureflash/sim/debug/fault_report.hpp"

namespace sureflash::cli {

/// The log of `sim run`: one line, or one JSON object, for each thing that happens on the board.
class BoardLog {
 public:
  BoardLog(Output& output, const sim::firmware::Elf& elf) : output_(output), elf_(elf) {}

  /// Everything but faults, which want a report.
  void event(const sim::BoardEvent& event);
  void usb(Duration time, std::string_view text, Json details);
  void action(Duration time, std::string_view text);
  /// `type`: "fault" or "warning".
  void report(Duration time, std::string_view type, const sim::debug::FaultReport& report);
  /// Lines of text that have not ended yet.
  void finish();

 private:
  void entry(Duration time, std::string_view kind, std::string_view text, std::uint32_t pc,
             Json details);
  void entry(Duration time, std::string_view kind, std::string_view text, Json details);
  void sent(Duration time, const sim::UartSent& sent);
  void flush_uart(unsigned usart);

  struct Line {
    Duration last{};  ///< when its latest byte left
    std::string text;
  };
  Output& output_;
  const sim::firmware::Elf& elf_;
  std::array<Line, 6> uart_;  ///< by number of the USART
};

std::string_view name(sim::ResetCause cause);

}  // namespace sureflash::cli
