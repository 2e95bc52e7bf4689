#include <array>
#include <bit>
#include <vector>

#include "encodings.hpp"

namespace sureflash::sim::cpu {
namespace {

struct Pattern {
  std::uint32_t mask = 0;
  std::uint32_t value = 0;
};

Pattern pattern_of(std::string_view bits) {
  Pattern p;
  for (const char c : bits) {
    p.mask = p.mask << 1 | (c == '0' || c == '1');
    p.value = p.value << 1 | (c == '1');
  }
  return p;
}

/// Patterns of all rows, computed once; rows keep their order.
const std::vector<Pattern>& patterns() {
  static const std::vector<Pattern> all = [] {
    std::vector<Pattern> list;
    for (const Encoding& e : encodings()) list.push_back(pattern_of(e.bits));
    return list;
  }();
  return all;
}

/// The lettered fields of an instruction: pieces with the same letter joined from left to right.
class Fields {
 public:
  Fields(std::string_view bits, std::uint32_t code) {
    for (std::size_t i = 0; i < bits.size(); ++i) {
      if (bits[i] < 'a' || bits[i] > 'z') continue;
      const std::uint32_t bit = code >> (bits.size() - 1 - i) & 1;
      auto& field = values_[static_cast<std::size_t>(bits[i] - 'a')];
      field = field << 1 | bit;
      ++widths_[static_cast<std::size_t>(bits[i] - 'a')];
    }
  }
  std::uint32_t operator[](char letter) const {
    return values_[static_cast<std::size_t>(letter - 'a')];
  }
  unsigned width(char letter) const { return widths_[static_cast<std::size_t>(letter - 'a')]; }
  std::uint8_t byte(char letter) const { return static_cast<std::uint8_t>((*this)[letter]); }

 private:
  std::array<std::uint32_t, 26> values_{};
  std::array<std::uint8_t, 26> widths_{};
};

constexpr std::uint32_t sign_extend(std::uint32_t value, unsigned bits) {
  const std::uint32_t sign = 1U << (bits - 1);
  return (value ^ sign) - sign;
}

/// ThumbExpandImm. Source: DDI 0403E, A5.3.2.
constexpr std::uint32_t expand(std::uint32_t imm12) {
  const std::uint32_t byte = imm12 & 0xFF;
  switch (imm12 >> 8) {
    case 0:
      return byte;
    case 1:
      return byte << 16 | byte;
    case 2:
      return byte << 24 | byte << 8;
    case 3:
      return byte << 24 | byte << 16 | byte << 8 | byte;
    default:
      return std::rotr(0x80U | (imm12 & 0x7F), static_cast<int>(imm12 >> 7));
  }
}

/// DecodeImmShift. Source: DDI 0403E, A7.4.2.
void set_shift(Instruction& in, std::uint32_t type, std::uint32_t amount) {
  in.shift = static_cast<Shift>(type);
  in.amount = static_cast<std::uint8_t>(amount);
  if (amount != 0 || type == 0) return;
  if (in.shift == Shift::Ror) {
    in.shift = Shift::Rrx;
    in.amount = 1;
  } else {
    in.amount = 32;
  }
}

std::uint32_t wide_branch(const Fields& f) {
  const unsigned width = f.width('i') + 2;  // sign, two bits of J, the rest
  const std::uint32_t low_bits = f.width('i') - 1;
  const std::uint32_t low = f['i'] & ((1U << low_bits) - 1);
  const std::uint32_t sign = f['i'] >> low_bits;
  // BCond: S:J2:J1; B, BL: S:NOT(J1 EOR S):NOT(J2 EOR S).
  const std::uint32_t high =
      f.width('c') != 0 ? f['k'] << 1 | f['j'] : (f['j'] ^ sign ^ 1) << 1 | (f['k'] ^ sign ^ 1);
  return sign_extend(sign << (width - 1) | high << low_bits | low, width) * 2;
}

void set_stack_multiple(Instruction& in, std::uint32_t extra) {
  in.n = 13;
  in.writeback = true;
  in.imm |= extra;
}

void fix(Instruction& in, Fix how, const Fields& f, std::uint32_t code) {
  const bool saturates = in.op == Op::Ssat || in.op == Op::Usat;
  switch (how) {
    case Fix::None:
      break;
    case Fix::Times2:
      in.imm *= 2;
      break;
    case Fix::Times4:
      in.imm *= 4;
      break;
    case Fix::ShiftByImm:
      set_shift(in, saturates ? f['y'] * 2 : f['y'], f['i']);
      in.imm = 0;
      break;
    case Fix::ModifiedConstant:
      in.carry_from_imm = in.imm >= 0x400;
      in.imm = expand(in.imm);
      break;
    case Fix::MoveHalf:
      in.imm |= f['h'] << 12;
      break;
    case Fix::Negative:
      in.imm = 0 - in.imm;
      break;
    case Fix::SignedByte:
      if (f['u'] == 0) in.imm = 0 - in.imm;
      if (f.width('p') != 0) {
        in.index = f['p'] != 0;
        in.writeback = true;
      }
      break;
    case Fix::SignedWords:
      in.imm = f['u'] != 0 ? in.imm * 4 : 0 - in.imm * 4;
      in.index = (code >> 24 & 1) != 0;
      in.writeback = (code >> 21 & 1) != 0;
      break;
    case Fix::Branch:
      in.imm = sign_extend(in.imm, f.width('i')) * 2;
      break;
    case Fix::WideBranch:
      in.imm = wide_branch(f);
      break;
    case Fix::NarrowMultiple:
      in.writeback = in.op == Op::StmIa || (in.imm >> in.n & 1) == 0;
      break;
    case Fix::SpRelative:
      in.imm *= 4;
      in.n = 13;
      if (f.width('d') == 0) in.d = 13;
      break;
    case Fix::SpPush:
      set_stack_multiple(in, f['r'] << 14);
      break;
    case Fix::SpPop:
      set_stack_multiple(in, f['r'] << 15);
      break;
    case Fix::Rotate8:
      set_shift(in, f['i'] == 0 ? 0 : 3, f['i'] * 8);
      in.imm = 0;
      break;
  }
}

bool is_multiple(Op op) {
  return op == Op::LdmIa || op == Op::LdmDb || op == Op::StmIa || op == Op::StmDb;
}

Instruction build(const Encoding& e, std::size_t row, std::uint32_t code) {
  const Fields f(e.bits, code);
  Instruction in;
  in.op = e.op;
  in.length = static_cast<std::uint8_t>(e.bits.size() / 8);
  in.cycles = e.cycles;
  in.encoding = static_cast<std::uint16_t>(row);
  in.d = f.width('e') != 0 ? f.byte('e') : f.byte('d');
  in.n = f.width('e') != 0 ? f.byte('e') : f.byte('n');
  in.m = f.byte('m');
  in.a = f.byte('a');
  in.width = f.byte('b');
  in.condition = f.byte('c');
  in.imm = f.width('l') != 0 ? f['l'] : f['i'];
  in.index = true;
  in.writeback = f['w'] != 0;
  in.sets_flags = e.sets == Sets::Field ? f['s'] != 0 : e.sets != Sets::Never;
  in.only_outside_it = e.sets == Sets::OutsideIt;
  fix(in, e.fix, f, code);
  if (is_multiple(in.op)) {
    in.cycles = static_cast<std::uint8_t>(1 + std::popcount(in.imm));
  }
  return in;
}

}  // namespace

Instruction decode(std::uint16_t first, std::uint16_t second) {
  const bool wide = is_wide(first);
  const std::uint32_t code = wide ? std::uint32_t{first} << 16 | second : first;
  const auto rows = encodings();
  const auto& all = patterns();
  for (std::size_t row = 0; row < rows.size(); ++row) {
    if ((rows[row].bits.size() == 32) != wide) continue;
    if ((code & all[row].mask) == all[row].value) return build(rows[row], row, code);
  }
  return {};  // not reached: the last rows match everything
}

std::string_view name(Op op) {
  static constexpr std::string_view kNames[] = {
#define X(name) #name,
      SUREFLASH_THUMB_OPS(X)
#undef X
  };
  return kNames[static_cast<std::size_t>(op)];
}

}  // namespace sureflash::sim::cpu
