#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// Thumb-2 instructions of the Cortex-M3 as values. One table (src/encodings.cpp) serves the
/// interpreter, the disassembler and the tests.
/// Source: ARMv7-M Architecture Reference Manual (DDI 0403E), chapters A5 to A7.
namespace sureflash::sim::cpu {

/// What an instruction does. `…Imm`: the second operand is `Instruction::imm`; `…Reg`: a register
/// with a constant shift; `…Lit`: the address is relative to the program counter.
// clang-format off
#define SUREFLASH_THUMB_OPS(X)                                                                     \
  X(AndImm) X(AndReg) X(BicImm) X(BicReg) X(OrrImm) X(OrrReg) X(OrnImm) X(OrnReg) X(EorImm)        \
  X(EorReg) X(TstImm) X(TstReg) X(TeqImm) X(TeqReg) X(MovImm) X(MovReg) X(MvnImm) X(MvnReg)        \
  X(AddImm) X(AddReg) X(AdcImm) X(AdcReg) X(SubImm) X(SubReg) X(SbcImm) X(SbcReg) X(RsbImm)        \
  X(RsbReg) X(CmpImm) X(CmpReg) X(CmnImm) X(CmnReg) X(AddHigh) X(MovHigh) X(Adr) X(Movw) X(Movt)   \
  X(LslReg) X(LsrReg) X(AsrReg) X(RorReg)                                                          \
  X(Mul) X(Mla) X(Mls) X(Umull) X(Smull) X(Umlal) X(Smlal) X(Sdiv) X(Udiv)                         \
  X(Bfi) X(Bfc) X(Ubfx) X(Sbfx) X(Ssat) X(Usat) X(Clz) X(Rbit) X(Rev) X(Rev16) X(Revsh)            \
  X(Sxtb) X(Sxth) X(Uxtb) X(Uxth)                                                                  \
  X(LdrImm) X(LdrReg) X(LdrLit) X(LdrbImm) X(LdrbReg) X(LdrbLit) X(LdrhImm) X(LdrhReg) X(LdrhLit)  \
  X(LdrsbImm) X(LdrsbReg) X(LdrsbLit) X(LdrshImm) X(LdrshReg) X(LdrshLit)                          \
  X(StrImm) X(StrReg) X(StrbImm) X(StrbReg) X(StrhImm) X(StrhReg)                                  \
  X(Ldrt) X(Ldrbt) X(Ldrht) X(Ldrsbt) X(Ldrsht) X(Strt) X(Strbt) X(Strht)                          \
  X(LdrdImm) X(LdrdLit) X(StrdImm) X(Ldrex) X(Ldrexb) X(Ldrexh) X(Strex) X(Strexb) X(Strexh)       \
  X(Clrex) X(LdmIa) X(LdmDb) X(StmIa) X(StmDb)                                                     \
  X(B) X(BCond) X(Bl) X(Bx) X(Blx) X(Cbz) X(Cbnz) X(Tbb) X(Tbh) X(It)                              \
  X(Mrs) X(Msr) X(Cps) X(Nop) X(Wfe) X(Wfi) X(Sev) X(Isb) X(Barrier) X(Svc) X(Bkpt)                \
  X(Coprocessor) X(Undefined)
// clang-format on

enum class Op : std::uint8_t {
#define X(name) name,
  SUREFLASH_THUMB_OPS(X)
#undef X
};
inline constexpr unsigned kOpCount = static_cast<unsigned>(Op::Undefined) + 1;
/// "AddImm".
std::string_view name(Op op);

enum class Shift : std::uint8_t { Lsl, Lsr, Asr, Ror, Rrx };

/// A decoded instruction. Fields an operation does not use are zero.
struct Instruction {
  Op op = Op::Undefined;
  std::uint8_t length = 2;  ///< bytes: 2 or 4
  std::uint8_t cycles = 1;  ///< without wait states, refills of the pipeline and data dependencies
  std::uint8_t d = 0;       ///< destination; the register moved by loads and stores; RdLo
  std::uint8_t n = 0;       ///< first operand, base
  std::uint8_t m = 0;       ///< second operand, offset
  std::uint8_t a = 0;       ///< accumulator; RdHi; second register of a pair; status of STREX
  std::uint8_t width = 0;   ///< widthm1, msb or sat_imm
  Shift shift = Shift::Lsl;
  std::uint8_t amount = 0;     ///< of the shift: 0 to 32
  std::uint8_t condition = 0;  ///< BCond: 0 to 13
  bool sets_flags : 1 = false;
  bool only_outside_it : 1 = false;  ///< `sets_flags` is void inside an IT block (16-bit encodings)
  bool carry_from_imm : 1 = false;  ///< a rotated constant: logical operations copy its bit 31 to C
  bool index : 1 = false;           ///< the access is at base + offset, not at base
  bool writeback : 1 = false;       ///< base := base + offset
  std::uint16_t encoding = 0;       ///< row of the table, for the disassembler
  /// Constant, signed offset (relative to the PC value for branches) or register list.
  std::uint32_t imm = 0;
};

/// @param[in] second  Used when `first` begins a 32-bit instruction.
Instruction decode(std::uint16_t first, std::uint16_t second);
/// Whether a halfword is the first of two. Source: DDI 0403E, A5.1.
constexpr bool is_wide(std::uint16_t first) {
  return (first >> 11) >= 0b11101;
}
/// In the syntax of GNU objdump, as outside of an IT block. Branch targets are absolute: "b.n
/// 0x8000100".
std::string disassemble(const Instruction& instruction, std::uint32_t address);

}  // namespace sureflash::sim::cpu
