#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sureflash/update/diagnose.hpp"

/// What the log of another program means. Text in, words out: no device is asked.
namespace sureflash::update {

/// A line that means something.
struct LoggedEvent {
  std::size_t line = 0;  ///< first is 1
  std::string text;      ///< as it stands there, trimmed
  std::string_view words;
};

struct LogReading {
  /// "STM32CubeProgrammer", "dfu-util", "fwupd"; empty: none of them.
  std::string_view program;
  std::vector<LoggedEvent> story;
  /// Likely causes, likeliest first. Never certain: a log is what a program believed.
  std::vector<Finding> findings;
};

/// Reads a pasted log. At most kLogEventsMax lines are told, each meaning at most twice.
LogReading explain_log(std::string_view log);

inline constexpr std::size_t kLogEventsMax = 100;

}  // namespace sureflash::update
