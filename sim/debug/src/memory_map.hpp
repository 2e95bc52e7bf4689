#pragma once

#include <string>

#include "sureflash/sim/debug/gdb_session.hpp"

namespace sureflash::sim::debug {

/// The memory map document: GDB touches nothing outside of it, uses hardware breakpoints in flash,
/// and programs flash by sectors. Source: Debugging with GDB, "Memory Map Format".
std::string memory_map(const GdbTarget& target);

}  // namespace sureflash::sim::debug
