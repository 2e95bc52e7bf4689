#include "registers.hpp"

#include <algorithm>
#include <array>

#include "sureflash/base/text.hpp"

namespace sureflash::sim::debug {
namespace {

enum Number : unsigned {
  kSp = 13,
  kPc = 15,
  kXpsr = 25,
  kMsp,
  kPsp,
  kPrimask,
  kBasepri,
  kFaultmask,
  kControl
};

constexpr std::array<Register, 23> kRegisters{{
    {"r0", 0, 4},
    {"r1", 1, 4},
    {"r2", 2, 4},
    {"r3", 3, 4},
    {"r4", 4, 4},
    {"r5", 5, 4},
    {"r6", 6, 4},
    {"r7", 7, 4},
    {"r8", 8, 4},
    {"r9", 9, 4},
    {"r10", 10, 4},
    {"r11", 11, 4},
    {"r12", 12, 4},
    {"sp", kSp, 4},
    {"lr", 14, 4},
    {"pc", kPc, 4},
    {"xpsr", kXpsr, 4},
    {"msp", kMsp, 4},
    {"psp", kPsp, 4},
    {"primask", kPrimask, 1},
    {"basepri", kBasepri, 1},
    {"faultmask", kFaultmask, 1},
    {"control", kControl, 1},
}};

std::string_view type_of(const Register& r) {
  if (r.number == kSp || r.number == kMsp || r.number == kPsp) return " type=\"data_ptr\"";
  if (r.number == kPc) return " type=\"code_ptr\"";
  return {};
}

void append_feature(std::string& xml, std::string_view name, unsigned first, unsigned last) {
  xml += "<feature name=\"org.gnu.gdb.arm." + std::string(name) + "\">";
  for (const Register& r : kRegisters) {
    if (r.number < first || r.number > last) continue;
    xml += "<reg name=\"" + std::string(r.name) + "\" bitsize=\"" + decimal(r.bytes * 8) +
           "\" regnum=\"" + decimal(r.number) + "\"" + std::string(type_of(r)) + "/>";
  }
  xml += "</feature>";
}

void write_special(cpu::State& s, unsigned number, std::uint32_t value) {
  switch (number) {
    case kMsp:
      (s.uses_psp ? s.other_sp : s.r[13]) = value & ~3U;
      break;
    case kPsp:
      (s.uses_psp ? s.r[13] : s.other_sp) = value & ~3U;
      break;
    case kPrimask:
      s.primask = (value & 1) != 0;
      break;
    case kBasepri:
      s.basepri = static_cast<std::uint8_t>(value);
      break;
    case kFaultmask:
      s.faultmask = (value & 1) != 0;
      break;
    case kControl: {
      s.unprivileged = (value & 1) != 0;
      const bool process = (value & 2) != 0 && s.ipsr == 0;
      if (process != s.uses_psp) std::swap(s.r[13], s.other_sp);
      s.uses_psp = process;
      break;
    }
    default:
      break;
  }
}

}  // namespace

std::span<const Register> registers() {
  return kRegisters;
}

const Register* find_register(unsigned number) {
  const auto at = std::ranges::find(kRegisters, number, &Register::number);
  return at == kRegisters.end() ? nullptr : &*at;
}

std::uint32_t read(const cpu::Core& core, const Register& which) {
  switch (which.number) {
    case kXpsr:
      return core.xpsr();
    case kMsp:
      return core.msp();
    case kPsp:
      return core.psp();
    case kPrimask:
      return core.state().primask ? 1 : 0;
    case kBasepri:
      return core.state().basepri;
    case kFaultmask:
      return core.state().faultmask ? 1 : 0;
    case kControl:
      return core.control();
    default:
      return core.reg(which.number);
  }
}

void write(cpu::Core& core, const Register& which, std::uint32_t value) {
  if (which.number <= kPc) return core.set_reg(which.number, value);
  if (which.number == kXpsr) return core.set_xpsr(value);
  cpu::State state = core.state();
  write_special(state, which.number, value);
  core.restore(state);
}

std::string target_description() {
  std::string xml =
      "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">"
      "<architecture>arm</architecture>";
  append_feature(xml, "m-profile", 0, kXpsr);
  append_feature(xml, "m-system", kMsp, kControl);
  return xml + "</target>";
}

}  // namespace sureflash::sim::debug
