#include "fault_kind.hpp"

#include "sureflash/base/text.hpp"

namespace sureflash::sim::debug {
namespace {

namespace cfsr = cpu::cfsr;
namespace hfsr = cpu::hfsr;
namespace exception = cpu::exception;

std::string at_address(const cpu::FaultRecord& f) {
  return f.address ? " at " + hex(*f.address) : std::string();
}

/// What the fault was before anything escalated it; empty for a HardFault of its own.
std::string underlying(const cpu::FaultRecord& f) {
  const auto is = [&f](std::uint32_t bit) { return (f.cfsr & bit) != 0; };
  if (is(cfsr::kDivByZero)) return "UsageFault: divide by zero";
  if (is(cfsr::kUnaligned)) return "UsageFault: unaligned access";
  if (is(cfsr::kNoCp)) return "UsageFault: coprocessor instruction";
  if (is(cfsr::kInvPc)) return "UsageFault: invalid exception return";
  if (is(cfsr::kInvState)) return "UsageFault: jump to an address without the Thumb bit";
  if (is(cfsr::kUndefInstr)) return "UsageFault: undefined instruction";
  if (is(cfsr::kIBusErr)) return "BusFault: no code at " + hex(f.pc);
  if (is(cfsr::kPreciseErr)) return "BusFault: precise data access" + at_address(f);
  if (is(cfsr::kImpreciseErr)) return "BusFault: imprecise store" + at_address(f);
  if (is(cfsr::kStkErr)) return "BusFault: exception entry could not push its frame";
  if (is(cfsr::kUnstkErr)) return "BusFault: exception return could not pop its frame";
  if (is(cfsr::kIaccViol)) return "MemManage fault: no code may run at " + hex(f.pc);
  if (is(cfsr::kDaccViol)) return "MemManage fault: data access" + at_address(f);
  if (is(cfsr::kMStkErr)) return "MemManage fault: exception entry could not push its frame";
  if (is(cfsr::kMUnstkErr)) return "MemManage fault: exception return could not pop its frame";
  return {};
}

std::string hard_fault(const cpu::FaultRecord& f) {
  if ((f.hfsr & hfsr::kVectTbl) != 0) return "HardFault: the vector table could not be read";
  if ((f.hfsr & hfsr::kDebugEvt) != 0) return "HardFault: BKPT without a debugger";
  return "HardFault";
}

bool in_range(std::optional<std::uint32_t> address, std::uint64_t begin, std::uint64_t end) {
  return address && *address >= begin && *address < end;
}

std::string hint_for_address(const cpu::FaultRecord& f, bool is_store,
                             const firmware::ChipMemory& chip) {
  constexpr std::uint32_t kGuard = 0x1000;  // a large frame may step over the edge this far
  const std::uint32_t sp = f.registers[13];
  if (sp + kGuard < chip.ram.begin + kGuard && sp + kGuard >= chip.ram.begin) {
    return "stack overflow: the stack pointer " + hex(sp) +
           " is below RAM; a recursion without end, or too much on the stack";
  }
  if (f.address && (chip.flash.contains(*f.address) || *f.address < chip.flash.size()) &&
      is_store) {
    return "a store into flash: unlock it first (both keys into FLASH_KEYR), set PG in FLASH_CR, "
           "write half-words; or is it a null pointer?";
  }
  if (in_range(f.address, chip.ram.end, chip.ram.end + 0x10000)) {
    return "just behind RAM, which ends at " + hex(chip.ram.end) +
           ": an index out of range, or a program for a chip with more RAM";
  }
  if (in_range(f.address, 0x40000000, 0x60000000)) {
    return "there is no such peripheral on this chip, or it cannot be reached so";
  }
  if (f.address) return "a pointer that was not set, or was overwritten";
  return {};
}

}  // namespace

std::string kind_of(const cpu::FaultRecord& f) {
  const std::string cause = underlying(f);
  if (f.exception == 0) {
    return "Lockup: " + (cause.empty() ? hard_fault(f) : cause) +
           ", where no fault handler could run any more";
  }
  if (cause.empty()) return hard_fault(f);
  return f.exception == exception::kHardFault ? cause + ", escalated to HardFault" : cause;
}

std::string hint_for(const cpu::FaultRecord& f, bool is_store, const firmware::ChipMemory& chip) {
  const auto is = [&f](std::uint32_t bit) { return (f.cfsr & bit) != 0; };
  if (is(cfsr::kDivByZero)) return "CCR.DIV_0_TRP is on, so a division by 0 is a fault";
  if (is(cfsr::kNoCp)) {
    return "a Cortex-M3 has no floating-point unit: compile with -mcpu=cortex-m3 -mfloat-abi=soft";
  }
  if (is(cfsr::kInvState)) {
    return "a function pointer or vector with bit 0 clear; was it overwritten, or 0?";
  }
  if (is(cfsr::kUndefInstr)) {
    return "code for another core, data that was executed, or a jump into the middle of an "
           "instruction";
  }
  if (is(cfsr::kIBusErr) || is(cfsr::kIaccViol)) {
    return "a jump to nowhere: a function pointer, a return address on the stack or a vector was "
           "wrong; see where it came from";
  }
  if (is(cfsr::kInvPc)) return "the stack or LR was damaged inside an interrupt handler";
  if ((f.hfsr & hfsr::kVectTbl) != 0) return "VTOR points to where nothing can be read";
  if ((f.hfsr & hfsr::kDebugEvt) != 0) {
    return "a breakpoint instruction, as semihosting uses it: link without --specs=rdimon.specs";
  }
  return hint_for_address(f, is_store, chip);
}

}  // namespace sureflash::sim::debug
