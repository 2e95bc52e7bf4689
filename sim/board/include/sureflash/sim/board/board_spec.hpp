#pragma once

#include <span>
#include <string>
#include <string_view>

#include "sureflash/sim/board/board.hpp"
#include "sureflash/sim/model/profiles.hpp"

/// A board in words: "FIRMWARE[,key=value…]", what follows "board:" in a device specification.
namespace sureflash::sim {

struct BoardSpec {
  std::string firmware;    ///< file; empty: blank flash, or what the state file holds
  std::string state_file;  ///< keeps the chip between runs; goes before `firmware` once it exists
  ClockChoice clock = ClockChoice::Virtual;
  BoardOptions options;
  std::optional<std::uint64_t> cut_at_cycle;            ///< core cycle at which power is lost
  std::optional<std::uint64_t> cut_at_flash_operation;  ///< during this one, counted from 0
};

std::span<const KeyHelp> board_keys();
/// Errors: DeviceSpec, saying what there is.
Result<BoardSpec> parse_board(std::string_view spec);

}  // namespace sureflash::sim
