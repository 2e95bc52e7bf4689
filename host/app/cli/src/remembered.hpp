#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "failure.hpp"

namespace sureflash::cli {

/// The write protection that a unit had before `unprotect write`: "WRP0=0xFC", one a line, in a
/// file under $XDG_STATE_HOME (or ~/.local/state). A unit is known by its serial number; where many
/// have the same ("STM32", FFFFFFFEFFFF) by its port as well.
class Remembered {
 public:
  explicit Remembered(const Opened& opened);

  /// What is remembered already stays: the first setting is the one to restore. Error:
  /// FileUnwritable.
  Result<void> keep(const std::vector<std::string>& assignments) const;
  /// Empty: nothing is remembered.
  std::vector<std::string> assignments() const;
  void forget() const;
  /// Many units have this serial number: the port stands for the unit.
  bool by_port() const { return by_port_; }

 private:
  bool by_port_ = false;
  std::filesystem::path file_;
};

}  // namespace sureflash::cli
