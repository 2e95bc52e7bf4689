#include <array>
#include <bit>

#include "encodings.hpp"

namespace sureflash::sim::cpu {
namespace {

constexpr std::array<std::string_view, 16> kRegisters = {
    "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "sl", "fp", "ip", "sp", "lr", "pc"};
constexpr std::array<std::string_view, 16> kConditions = {
    "eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "", ""};
constexpr std::array<std::string_view, 5> kShifts = {"lsl", "lsr", "asr", "ror", "rrx"};

std::string number(std::uint32_t value) {
  return std::to_string(value);
}

std::string plain_hex(std::uint32_t value) {
  std::string digits;
  do {
    digits.insert(digits.begin(), "0123456789abcdef"[value & 15]);
    value >>= 4;
  } while (value != 0);
  return digits;
}

std::string shift_suffix(const Instruction& in) {
  if (in.shift == Shift::Rrx) return ", rrx";
  if (in.amount == 0) return "";
  return ", " + std::string(kShifts[static_cast<std::size_t>(in.shift)]) + " #" + number(in.amount);
}

/// The 16-bit MOV (register) has the name of its shift.
std::string shifted_move(const Instruction& in) {
  std::string text(kShifts[static_cast<std::size_t>(in.shift)]);
  text += "s ";
  text += kRegisters[in.d];
  text += ", ";
  text += kRegisters[in.m];
  return text + ", #" + number(in.amount);
}

bool has_register_offset(Op op) {
  switch (op) {
    case Op::LdrReg:
    case Op::LdrbReg:
    case Op::LdrhReg:
    case Op::LdrsbReg:
    case Op::LdrshReg:
    case Op::StrReg:
    case Op::StrbReg:
    case Op::StrhReg:
      return true;
    default:
      return false;
  }
}

bool is_literal(const Instruction& in) {
  switch (in.op) {
    case Op::LdrLit:
    case Op::LdrbLit:
    case Op::LdrhLit:
    case Op::LdrsbLit:
    case Op::LdrshLit:
    case Op::LdrdLit:
      return true;
    case Op::Nop:
      return encodings()[in.encoding].bits.find('n') == std::string_view::npos;
    default:
      return false;
  }
}

std::string memory_operand(const Instruction& in) {
  const bool by_register = has_register_offset(in.op) ||
                           (in.op == Op::Nop && encodings()[in.encoding].fix == Fix::ShiftByImm);
  const std::string base(is_literal(in) ? "pc" : kRegisters[in.n]);
  if (by_register) {
    return "[" + base + ", " + std::string(kRegisters[in.m]) + shift_suffix(in) + "]";
  }
  const bool negative = (in.imm >> 31) != 0;
  const std::string offset = (negative ? "#-" : "#") + number(negative ? 0 - in.imm : in.imm);
  if (!in.index) return "[" + base + "], " + offset;
  if (in.imm == 0 && !in.writeback && in.length == 4) return "[" + base + "]";
  return "[" + base + ", " + offset + "]" + (in.writeback ? "!" : "");
}

std::string register_list(std::uint32_t list) {
  std::string text = "{";
  for (std::size_t i = 0; i < 16; ++i) {
    if ((list >> i & 1) == 0) continue;
    if (text.size() > 1) text += ", ";
    text += kRegisters[i];
  }
  return text + "}";
}

/// "te eq": the mask as letters, then the condition.
std::string it_block(std::uint32_t imm) {
  const std::uint32_t condition = imm >> 4;
  const std::uint32_t mask = imm & 15;
  std::string text;
  const int others = 3 - std::countr_zero(mask);
  for (int i = 0; i < others; ++i) {
    text += (mask >> (3 - i) & 1) == (condition & 1) ? 't' : 'e';
  }
  return text + " " + std::string(condition == 14 ? "al" : kConditions[condition]);
}

std::string special_register(const Instruction& in) {
  const bool writes = in.op == Op::Msr;
  static constexpr std::string_view kFields[] = {"", "_s", "_f", "_fs"};
  const std::string bits(writes ? kFields[in.width & 3] : "");
  switch (in.imm) {
    case 0:
      return "CPSR" + bits;
    case 1:
      return "IAPSR";
    case 2:
      return "EAPSR";
    case 3:
      return "PSR";
    case 5:
      return "IPSR";
    case 6:
      return "EPSR";
    case 7:
      return "IEPSR";
    case 8:
      return "MSP";
    case 9:
      return "PSP";
    case 16:
      return "PRIMASK";
    case 17:
      return "BASEPRI";
    case 18:
      return "BASEPRI_MAX";
    case 19:
      return "FAULTMASK";
    case 20:
      return "CONTROL";
    default:
      return "(UNDEF: " + number(in.imm) + ")";
  }
}

std::string barrier_option(std::uint32_t option) {
  switch (option) {
    case 15:
      return "sy";
    case 14:
      return "st";
    case 11:
      return "ish";
    case 10:
      return "ishst";
    case 7:
      return "un";
    case 6:
      return "unst";
    case 3:
      return "osh";
    case 2:
      return "oshst";
    default:
      return "#" + number(option);
  }
}

std::string interrupt_flags(std::uint32_t imm) {
  std::string text = (imm & 4) != 0 ? "id" : "ie";
  if ((imm & 3) != 0) text += ' ';
  if ((imm & 2) != 0) text += 'i';
  if ((imm & 1) != 0) text += 'f';
  return text;
}

std::string field(char code, const Instruction& in, std::uint32_t address) {
  switch (code) {
    case 'd':
      return std::string(kRegisters[in.d]);
    case 'n':
      return std::string(kRegisters[in.n]);
    case 'm':
      return std::string(kRegisters[in.m]);
    case 'a':
      return std::string(kRegisters[in.a]);
    case 'i':
      return number(in.imm);
    case '-':
      return number(0 - in.imm);
    case '4':
      return std::string(4 - plain_hex(in.imm).size(), '0') + plain_hex(in.imm);
    case 'b':
      return number(in.width);
    case 'B':
      return number(in.width + 1U);
    case 'W':
      return number(in.width + 1U - in.imm);
    case 'S':
      return in.sets_flags ? "s" : "";
    case 'w':
      return in.writeback ? "!" : "";
    case 'h':
      return shift_suffix(in);
    case 'H':
      return shifted_move(in);
    case 'M':
      return memory_operand(in);
    case 'l':
      return register_list(in.imm);
    case 't':
      return plain_hex(address + 4 + in.imm);
    case 'c':
      return std::string(kConditions[in.condition]);
    case 'I':
      return it_block(in.imm);
    case 's':
      return special_register(in);
    case 'o':
      return barrier_option(in.imm);
    case 'p':
      return interrupt_flags(in.imm);
    default:
      return "?";
  }
}

}  // namespace

std::string disassemble(const Instruction& in, std::uint32_t address) {
  const std::string_view format = encodings()[in.encoding].text;
  std::string text;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] == '%') {
      text += field(format[++i], in, address);
    } else {
      text += format[i];
    }
  }
  return text;
}

}  // namespace sureflash::sim::cpu
