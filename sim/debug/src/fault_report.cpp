#include "sureflash/sim/debug/fault_report.hpp"

#include <algorithm>
#include <array>

#include "fault_kind.hpp"

#include "sureflash/base/text.hpp"
#include "sureflash/sim/cpu/instruction.hpp"

namespace sureflash::sim::debug {
namespace {

constexpr std::size_t kBranchesShown = 8;

struct Bit {
  std::uint32_t mask;
  std::string_view name;
};

std::string names(std::uint32_t value, std::span<const Bit> bits) {
  std::string text;
  for (const Bit& bit : bits) {
    if ((value & bit.mask) == 0) continue;
    if (!text.empty()) text += ' ';
    text += bit.name;
  }
  return text;
}

/// Fills in what the core and the file know; `registers` are those of the moment.
class Writer {
 public:
  Writer(cpu::Core& core, const firmware::Elf* elf) : core_(core), elf_(elf) {}

  Spot spot(std::uint32_t address) const {
    return {address, elf_ == nullptr ? firmware::Place{} : elf_->place(address)};
  }
  std::optional<cpu::Instruction> instruction(std::uint32_t pc) const {
    std::array<std::uint8_t, 4> bytes{};
    const std::size_t there = core_.peek(pc, bytes);
    if (there < 2) return std::nullopt;
    const auto in = cpu::decode(load_le16(bytes), load_le16(bytes, 2));
    return in.length <= there ? std::optional(in) : std::nullopt;
  }
  void place(FaultReport& r, std::uint32_t pc, const std::array<std::uint32_t, 16>& registers,
             std::uint32_t xpsr, std::vector<cpu::Branch> branches) const {
    r.at = spot(pc);
    if (const auto in = instruction(pc)) r.instruction = cpu::disassemble(*in, pc);
    constexpr const char* kNames[] = {"r0", "r1", "r2",  "r3",  "r4",  "r5", "r6", "r7",
                                      "r8", "r9", "r10", "r11", "r12", "sp", "lr", "pc"};
    for (std::size_t i = 0; i < 16; ++i) r.registers.emplace_back(kNames[i], registers[i]);
    r.registers.emplace_back("xpsr", xpsr);
    const std::uint32_t lr = registers[14];
    // Not EXC_RETURN, and a return address has the Thumb bit.
    if (lr < 0xE0000000 && lr % 2 == 1 && instruction(lr & ~1U)) r.caller = spot((lr & ~1U) - 2);
    add_branches(r, std::move(branches));
  }
  /// A loop that waits is shown once.
  void add_branches(FaultReport& r, std::vector<cpu::Branch> branches) const {
    std::ranges::reverse(branches);
    for (std::size_t i = 0; i < branches.size() && r.branches.size() < kBranchesShown; ++i) {
      const cpu::Branch& b = branches[i];
      const bool again = i > 0 && b.from == branches[i - 1].from && b.to == branches[i - 1].to;
      if (!again) r.branches.emplace_back(spot(b.from), spot(b.to));
    }
  }

 private:
  cpu::Core& core_;
  const firmware::Elf* elf_;
};

bool stores(cpu::Op op) {
  const std::string_view name = cpu::name(op);
  return name.starts_with("Str") || name.starts_with("Stm");
}

}  // namespace

std::string text(const Spot& spot) {
  return firmware::text(spot.address, spot.place);
}

std::string cfsr_bits(std::uint32_t value) {
  using namespace cpu::cfsr;
  static constexpr Bit kBits[] = {{kIaccViol, "IACCVIOL"},
                                  {kDaccViol, "DACCVIOL"},
                                  {kMUnstkErr, "MUNSTKERR"},
                                  {kMStkErr, "MSTKERR"},
                                  {kMmarValid, "MMARVALID"},
                                  {kIBusErr, "IBUSERR"},
                                  {kPreciseErr, "PRECISERR"},
                                  {kImpreciseErr, "IMPRECISERR"},
                                  {kUnstkErr, "UNSTKERR"},
                                  {kStkErr, "STKERR"},
                                  {kBfarValid, "BFARVALID"},
                                  {kUndefInstr, "UNDEFINSTR"},
                                  {kInvState, "INVSTATE"},
                                  {kInvPc, "INVPC"},
                                  {kNoCp, "NOCP"},
                                  {kUnaligned, "UNALIGNED"},
                                  {kDivByZero, "DIVBYZERO"}};
  return names(value, kBits);
}

std::string hfsr_bits(std::uint32_t value) {
  using namespace cpu::hfsr;
  static constexpr Bit kBits[] = {
      {kVectTbl, "VECTTBL"}, {kForced, "FORCED"}, {kDebugEvt, "DEBUGEVT"}};
  return names(value, kBits);
}

FaultReport report(const cpu::FaultRecord& fault, cpu::Core& core, const firmware::Elf* elf,
                   const firmware::ChipMemory& chip) {
  const Writer writer(core, elf);
  const auto in = writer.instruction(fault.pc);
  FaultReport r;
  r.kind = kind_of(fault);
  r.hint = hint_for(fault, in && stores(in->op), chip);
  r.address = fault.address;
  if (fault.cfsr != 0) r.cfsr = hex(fault.cfsr) + " " + cfsr_bits(fault.cfsr);
  if (fault.hfsr != 0) r.hfsr = hex(fault.hfsr) + " " + hfsr_bits(fault.hfsr);
  writer.place(r, fault.pc, fault.registers, fault.xpsr, fault.branches);
  return r;
}

FaultReport report(const cpu::MistakeRecord& mistake, cpu::Core& core, const firmware::Elf* elf) {
  FaultReport r;
  if (mistake.what == cpu::Mistake::DividedByZero) {
    r.kind = "divide by zero, which the core lets pass";
    r.hint = "the result is 0; CCR.DIV_0_TRP makes it a fault";
  } else {
    r.kind = "stack overflow: the stack grew into data";
    r.hint = "the stack pointer is " + hex(mistake.registers[13]);
    if (elf != nullptr) {
      r.hint += ", data reaches to " + hex(elf->data_end());
      const std::string victim = text(elf->place(mistake.registers[13]));
      if (!victim.empty()) r.hint += "; " + victim + " is overwritten";
    }
  }
  Writer(core, elf).place(r, mistake.pc, mistake.registers, mistake.xpsr, mistake.branches);
  return r;
}

FaultReport report_before_reset(std::string kind, std::string hint, cpu::Core& core,
                                const firmware::Elf* elf) {
  FaultReport r;
  r.kind = std::move(kind);
  r.hint = std::move(hint);
  const cpu::Moment& then = core.before_reset();
  Writer(core, elf).place(r, then.registers[15], then.registers, then.xpsr, then.branches);
  return r;
}

std::vector<std::string> lines(const FaultReport& r) {
  std::vector<std::string> out;
  out.push_back(r.kind);
  const auto add = [&out](std::string_view label, std::string_view what) {
    std::string line = "  " + std::string(label);
    line.resize(15, ' ');
    out.push_back(line + std::string(what));
  };
  add("at", text(r.at) + (r.instruction.empty() ? "" : ": " + r.instruction));
  if (r.caller) add("called from", text(*r.caller));
  if (!r.hint.empty()) add("hint", r.hint);
  if (!r.cfsr.empty()) add("CFSR", r.cfsr);
  if (!r.hfsr.empty()) add("HFSR", r.hfsr);
  std::string row;
  for (std::size_t i = 0; i < r.registers.size(); ++i) {
    std::string name = r.registers[i].first;
    name.resize(5, ' ');
    row += name + hex(r.registers[i].second) + "  ";
    if (i % 4 == 3 || i + 1 == r.registers.size()) {
      row.erase(row.find_last_not_of(' ') + 1);
      add(i < 4 ? "registers" : "", row);
      row.clear();
    }
  }
  for (std::size_t i = 0; i < r.branches.size(); ++i) {
    add(i == 0 ? "came by" : "", text(r.branches[i].first) + " -> " + text(r.branches[i].second));
  }
  return out;
}

}  // namespace sureflash::sim::debug
