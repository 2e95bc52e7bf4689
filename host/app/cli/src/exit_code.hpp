#pragma once

#include "sureflash/base/error.hpp"

namespace sureflash::cli {

/// Exit codes: stable API, listed in --help. None between 13 and 125 is used without a line here.
enum class ExitCode : int {
  Done = 0,
  Unexpected = 1,
  Usage = 2,
  NoDevice = 3,
  SeveralDevices = 4,
  Permission = 5,
  Image = 6,
  Protected = 7,
  Device = 8,
  Mismatch = 9,
  NothingToDo = 10,
  NotMet = 11,
  FirmwareFailed = 12,
  Interrupted = 130,
};

ExitCode exit_code(Errc code);

/// The list for --help and the man page.
std::string_view exit_code_help();

}  // namespace sureflash::cli
