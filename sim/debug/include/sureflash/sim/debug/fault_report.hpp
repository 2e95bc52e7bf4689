#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sureflash/sim/cpu/core.hpp"
#include "sureflash/sim/firmware/elf.hpp"

/// What went wrong in a firmware, in words, with everything that helps to find out why.
namespace sureflash::sim::debug {

/// An address with what is known of it.
struct Spot {
  std::uint32_t address = 0;
  firmware::Place place;
};
std::string text(const Spot& spot);

struct FaultReport {
  /// "UsageFault: divide by zero, escalated to HardFault".
  std::string kind;
  /// What usually is behind it; empty: nothing more to say.
  std::string hint;
  Spot at;                     ///< the instruction
  std::string instruction;     ///< disassembled; empty if there is no code
  std::optional<Spot> caller;  ///< in the call before the address in LR, if that is code
  std::vector<std::pair<std::string, std::uint32_t>> registers;
  std::string cfsr;  ///< "0x02000000 DIVBYZERO"
  std::string hfsr;
  std::optional<std::uint32_t> address;  ///< of the access
  /// Newest first.
  std::vector<std::pair<Spot, Spot>> branches;
};

/// @param[in] elf  May be null: addresses stay numbers.
FaultReport report(const cpu::FaultRecord& fault, cpu::Core& core, const firmware::Elf* elf,
                   const firmware::ChipMemory& chip = {});
FaultReport report(const cpu::MistakeRecord& mistake, cpu::Core& core, const firmware::Elf* elf);
/// What the last reset put an end to: for watchdogs.
FaultReport report_before_reset(std::string kind, std::string hint, cpu::Core& core,
                                const firmware::Elf* elf);

/// For people: aligned lines without line ends.
std::vector<std::string> lines(const FaultReport& report);

/// "PRECISERR BFARVALID". Source: DDI 0403E, B3.2.15 and B3.2.16.
std::string cfsr_bits(std::uint32_t cfsr);
std::string hfsr_bits(std::uint32_t hfsr);

}  // namespace sureflash::sim::debug
