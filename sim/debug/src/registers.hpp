#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sureflash/sim/cpu/core.hpp"

/// The registers of a Cortex-M3 as GDB knows them: features org.gnu.gdb.arm.m-profile and m-system.
/// Source: Debugging with GDB, "ARM Features"; the numbers are those of other servers for such
/// cores.
namespace sureflash::sim::debug {

struct Register {
  std::string_view name;
  unsigned number;
  std::size_t bytes;
};

/// By number; the packets g and G hold them in this order.
std::span<const Register> registers();
const Register* find_register(unsigned number);
std::uint32_t read(const cpu::Core& core, const Register& which);
void write(cpu::Core& core, const Register& which, std::uint32_t value);
/// target.xml.
std::string target_description();

}  // namespace sureflash::sim::debug
