#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <string_view>

/// Random Thumb-2 instructions of the M3, from a transcription of the manual of its own (DDI 0403E,
/// A7.7), so that a mistake in the table of the core is not repeated here.
namespace sureflash::sim::cpu {

using Random = std::mt19937_64;

/// What a template needs beyond its bits.
enum Need : unsigned {
  kPlain = 0,
  kMemory = 1,        ///< register b points into RAM, x is a small index
  kAligned = 2,       ///< ... at a word
  kDistinct = 4,      ///< all registers differ
  kNotInIt = 8,       ///< unpredictable inside an IT block
  kLastInIt = 16,     ///< a branch
  kLoadsPc = 32,      ///< the last word loaded must be an address of code
  kTargetInM = 64,    ///< register m holds an address of code
  kFieldOrder = 128,  ///< BFI, BFC: msb (k) >= lsb (i)
  kFieldFits = 256,   ///< UBFX, SBFX: lsb (i) + widthm1 (k) <= 31
  kUsesSp = 512,      ///< SP is the base
  kExclusive = 1024,  ///< needs LDREX or CLREX before it
  kTable = 2048,      ///< TBB, TBH
};

/// Letters: d m n a t: register (3 bits: r0-r7; 4 bits: not SP, PC); N: SP too; b: base; x: index;
/// l: register list; c: condition below 14; k, others: random bits.
struct Template {
  std::string_view bits;
  unsigned needs = kPlain;
};

std::span<const Template> templates();

struct Generated {
  std::uint32_t code = 0;  ///< first halfword in the high half, when wide
  bool wide = false;
  unsigned needs = kPlain;
  unsigned base = 0;   ///< register, when kMemory
  unsigned index = 0;  ///< register, when the template has x
  unsigned m = 0;      ///< register, when kTargetInM
};

Generated generate(const Template& t, Random& random);

}  // namespace sureflash::sim::cpu
