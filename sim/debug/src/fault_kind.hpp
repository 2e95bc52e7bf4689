#pragma once

#include <string>

#include "sureflash/sim/cpu/core.hpp"
#include "sureflash/sim/firmware/elf.hpp"

namespace sureflash::sim::debug {

/// "UsageFault: divide by zero, escalated to HardFault".
std::string kind_of(const cpu::FaultRecord& fault);
/// What usually is behind it, and what to do; may be empty.
std::string hint_for(const cpu::FaultRecord& fault, bool is_store,
                     const firmware::ChipMemory& chip);

}  // namespace sureflash::sim::debug
