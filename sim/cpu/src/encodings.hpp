#pragma once

#include <span>

#include "sureflash/sim/cpu/instruction.hpp"

namespace sureflash::sim::cpu {

/// What turns the field `i` of an encoding into `Instruction::imm`, or says which fields are
/// special.
enum class Fix : std::uint8_t {
  None,
  Times2,
  Times4,
  ShiftByImm,        ///< i is the amount of shift y; LSR, ASR #0 mean 32, ROR #0 means RRX
  ModifiedConstant,  ///< ThumbExpandImm (A5.3.2)
  MoveHalf,          ///< imm4 (field h) : i
  Negative,          ///< offset is -i
  SignedByte,        ///< offset is +i or -i by field u
  SignedWords,       ///< the same, in words
  Branch,            ///< i is a signed number of halfwords
  WideBranch,        ///< J1 and J2 (fields j, k) hold bits 23 and 22, inverted by the sign
  NarrowMultiple,    ///< writeback, unless a load also loads the base
  SpRelative,        ///< base is SP; words
  SpPush,            ///< stack pointer with writeback; field r is LR
  SpPop,             ///< field r is PC
  Rotate8,           ///< i counts bytes
};

enum class Sets : std::uint8_t { Never, Always, OutsideIt, Field };

/// One encoding. `bits` is the diagram of the manual, most significant bit first: 0 and 1 are
/// fixed, x is "should be" 0 or 1, letters are fields (d n m a: registers; e: both d and n; i:
/// constant, its pieces joined from left to right; b: width; c: condition; l: list; y: shift type;
/// p u w: index, add, writeback; s: sets flags; h j k r: see Fix).
struct Encoding {
  std::string_view bits;
  Op op;
  Fix fix;
  Sets sets;
  std::uint8_t cycles;
  std::string_view text;
};

/// In order: the first that matches counts.
std::span<const Encoding> encodings();

}  // namespace sureflash::sim::cpu
