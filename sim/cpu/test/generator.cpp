#include "generator.hpp"

#include <array>
#include <bit>
#include <string>

namespace sureflash::sim::cpu {
namespace {

constexpr unsigned kMem = kMemory;
constexpr unsigned kMemDistinct = kMemory | kDistinct;
constexpr unsigned kMemAligned = kMemory | kAligned | kDistinct;
constexpr unsigned kControl = kNotInIt;
constexpr unsigned kJump = kLastInIt;

#define DATA_REG(op) \
  { "1110101" op "snnnn0iiiddddiiyymmmm" }
#define DATA_IMM(op) \
  { "11110i0" op "snnnn0iiiddddiiiiiiii" }
#define SINGLE(head, size)                                                                    \
  {head "1" size "bbbbddddiiiiiiiiiiii", kMem}, {head "0" size "bbbbdddd1100iiiiiiii", kMem}, \
      {head "0" size "bbbbdddd1110iiiiiiii", kMem},                                           \
      {head "0" size "bbbbdddd10u1iiiiiiii", kMemDistinct},                                   \
      {head "0" size "bbbbdddd11u1iiiiiiii", kMemDistinct}, {                                 \
    head "0" size "bbbbdddd000000iixxxx", kMemDistinct                                        \
  }
#define LITERAL(head, size) \
  { head "u" size "1111dddd0000iiiiiiii" }

constexpr Template kTemplates[] = {
    // 16 bits
    {"00000iiiiimmmddd"},
    {"00001iiiiimmmddd"},
    {"00010iiiiimmmddd"},
    {"0000000000mmmddd", kNotInIt},
    {"0001100mmmnnnddd"},
    {"0001101mmmnnnddd"},
    {"0001110iiinnnddd"},
    {"0001111iiinnnddd"},
    {"00100dddiiiiiiii"},
    {"00101dddiiiiiiii"},
    {"00110dddiiiiiiii"},
    {"00111dddiiiiiiii"},
    {"0100000000mmmddd"},
    {"0100000001mmmddd"},
    {"0100000010mmmddd"},
    {"0100000011mmmddd"},
    {"0100000100mmmddd"},
    {"0100000101mmmddd"},
    {"0100000110mmmddd"},
    {"0100000111mmmddd"},
    {"0100001000mmmddd"},
    {"0100001001mmmddd"},
    {"0100001010mmmddd"},
    {"0100001011mmmddd"},
    {"0100001100mmmddd"},
    {"0100001101mmmddd"},
    {"0100001110mmmddd"},
    {"0100001111mmmddd"},
    {"010001000mmmmddd"},
    {"010001001mmmm0dd"},
    {"010001010NNNN1dd"},
    {"010001100NNNNddd"},
    {"010001101mmmm0dd"},
    {"0100011010mmm101", kControl},
    {"0100011010mmm111", kJump | kTargetInM},
    {"010001011mmmm0dd"},
    {"010001110mmmm000", kJump | kTargetInM},
    {"010001111mmmm000", kJump | kTargetInM},
    {"01001dddiiiiiiii"},
    {"0101000xxxbbbddd", kMemDistinct},
    {"0101001xxxbbbddd", kMemDistinct},
    {"0101010xxxbbbddd", kMemDistinct},
    {"0101011xxxbbbddd", kMemDistinct},
    {"0101100xxxbbbddd", kMemDistinct},
    {"0101101xxxbbbddd", kMemDistinct},
    {"0101110xxxbbbddd", kMemDistinct},
    {"0101111xxxbbbddd", kMemDistinct},
    {"01100iiiiibbbddd", kMem},
    {"01101iiiiibbbddd", kMem},
    {"01110iiiiibbbddd", kMem},
    {"01111iiiiibbbddd", kMem},
    {"10000iiiiibbbddd", kMem},
    {"10001iiiiibbbddd", kMem},
    {"10010dddiiiiiiii", kUsesSp},
    {"10011dddiiiiiiii", kUsesSp},
    {"10100dddiiiiiiii"},
    {"10101dddiiiiiiii"},
    {"101100000iiiiiii"},
    {"101100001iiiiiii"},
    {"101100i1iiiiinnn", kControl},
    {"101110i1iiiiinnn", kControl},
    {"1011001000mmmddd"},
    {"1011001001mmmddd"},
    {"1011001010mmmddd"},
    {"1011001011mmmddd"},
    {"1011010jllllllll", kUsesSp},
    {"10111100llllllll", kUsesSp},
    {"10111101llllllll", kUsesSp | kJump | kLoadsPc},
    {"1011011001100010", kControl},
    {"1011011001110010", kControl},
    {"1011011001100001", kControl},
    {"1011011001110001", kControl},
    {"1011101000mmmddd"},
    {"1011101001mmmddd"},
    {"1011101011mmmddd"},
    {"10111110iiiiiiii", kControl},
    {"1011111100000000"},
    {"1011111100010000", kControl},
    {"1011111100100000", kControl},
    {"1011111100110000", kControl},
    {"1011111101000000"},
    {"11000bbbllllllll", kMemAligned},
    {"11001bbbllllllll", kMemAligned},
    {"11011110iiiiiiii"},
    {"11011111iiiiiiii", kControl},
    {"1101cccciiiiiiii", kControl},
    {"11100iiiiiiiiiii", kJump},
    // 32 bits: load/store multiple, dual, exclusive, table branch
    {"1110100010w0bbbb0j0lllllllllllll", kMemAligned},
    {"1110100010w1bbbb0j0lllllllllllll", kMemAligned},
    {"1110100010w1bbbb100lllllllllllll", kMemAligned | kJump | kLoadsPc},
    {"1110100100w0bbbb0j0lllllllllllll", kMemAligned},
    {"1110100100w1bbbb0j0lllllllllllll", kMemAligned},
    {"11101000101111010j0lllllllllllll", kUsesSp},
    {"11101001001011010j0lllllllllllll", kUsesSp},
    {"11101001u1w0bbbbddddaaaaiiiiiiii", kMemAligned},
    {"11101001u1w1bbbbddddaaaaiiiiiiii", kMemAligned},
    {"11101000u110bbbbddddaaaaiiiiiiii", kMemAligned},
    {"11101000u111bbbbddddaaaaiiiiiiii", kMemAligned},
    {"11101001u1011111ddddaaaa00iiiiii", kDistinct},
    {"111010000101bbbbdddd1111iiiiiiii", kMemAligned},
    {"111010001101bbbbdddd111101001111", kMemAligned},
    {"111010001101bbbbdddd111101011111", kMemAligned},
    {"111010000100bbbbddddaaaaiiiiiiii", kMemAligned | kExclusive},
    {"111010001100bbbbdddd11110100aaaa", kMemAligned | kExclusive},
    {"111010001100bbbbdddd11110101aaaa", kMemAligned | kExclusive},
    {"111010001101bbbb111100000000xxxx", kMemDistinct | kJump | kTable},
    {"111010001101bbbb111100000001xxxx", kMemDistinct | kJump | kTable},
    // data processing
    DATA_REG("0000"),
    DATA_REG("0001"),
    DATA_REG("0010"),
    DATA_REG("0011"),
    DATA_REG("0100"),
    DATA_REG("1000"),
    DATA_REG("1010"),
    DATA_REG("1011"),
    DATA_REG("1101"),
    DATA_REG("1110"),
    {"111010100001nnnn0iii1111iiyymmmm"},
    {"111010101001nnnn0iii1111iiyymmmm"},
    {"111010110001nnnn0iii1111iiyymmmm"},
    {"111010111011nnnn0iii1111iiyymmmm"},
    {"11101010010s11110iiiddddiiyymmmm"},
    {"11101010011s11110iiiddddiiyymmmm"},
    DATA_IMM("0000"),
    DATA_IMM("0001"),
    DATA_IMM("0010"),
    DATA_IMM("0011"),
    DATA_IMM("0100"),
    DATA_IMM("1000"),
    DATA_IMM("1010"),
    DATA_IMM("1011"),
    DATA_IMM("1101"),
    DATA_IMM("1110"),
    {"11110i000001nnnn0iii1111iiiiiiii"},
    {"11110i001001nnnn0iii1111iiiiiiii"},
    {"11110i010001nnnn0iii1111iiiiiiii"},
    {"11110i011011nnnn0iii1111iiiiiiii"},
    {"11110i00010s11110iiiddddiiiiiiii"},
    {"11110i00011s11110iiiddddiiiiiiii"},
    {"11110i01000s11010iiiddddiiiiiiii"},
    {"11110i01101s11010iiiddddiiiiiiii"},
    {"11110i010000110100001101iiiiiiii", kControl},
    {"11110i100000nnnn0iiiddddiiiiiiii"},
    {"11110i101010nnnn0iiiddddiiiiiiii"},
    {"11110i10000011110iiiddddiiiiiiii"},
    {"11110i10101011110iiiddddiiiiiiii"},
    {"11110i100100iiii0iiiddddiiiiiiii"},
    {"11110i101100iiii0iiiddddiiiiiiii"},
    {"1111001100y0nnnn0iiiddddii0kkkkk"},
    {"1111001110y0nnnn0iiiddddii0kkkkk"},
    {"111100110100nnnn0iiiddddii0kkkkk", kFieldFits},
    {"111100111100nnnn0iiiddddii0kkkkk", kFieldFits},
    {"111100110110nnnn0iiiddddii0kkkkk", kFieldOrder},
    {"11110011011011110iiiddddii0kkkkk", kFieldOrder},
    // branches, system
    {"111100cccciiiiii10101iiiiiiiiiii", kControl},  // sign and J1 = J2 such that it stays near
    {"1111000000iiiiii10111iiiiiiiiiii", kJump},
    {"1111000000iiiiii11111iiiiiiiiiii", kJump},
    {"1111010000iiiiii10111iiiiiiiiiii", kJump},
    {"1111011111iiiiii11111iiiiiiiiiii", kJump},
    {"111100111000nnnn1000100000000000"},  // MSR APSR_nzcvq
    {"111100111000nnnn1000100000000011"},
    {"111100111000nnnn1000100000001001"},
    {"111100111000nnnn1000100000010000"},
    {"111100111000nnnn1000100000010001"},
    {"111100111000nnnn1000100000010010"},
    {"111100111000nnnn1000100000010011"},
    {"1111001111101111"
     "1000dddd00000000"},
    {"1111001111101111"
     "1000dddd00000011"},
    {"1111001111101111"
     "1000dddd00000101"},
    {"1111001111101111"
     "1000dddd00001000"},
    {"1111001111101111"
     "1000dddd00001001",
     kControl},
    {"1111001111101111"
     "1000dddd00010000"},
    {"1111001111101111"
     "1000dddd00010001"},
    {"1111001111101111"
     "1000dddd00010011"},
    {"1111001111101111"
     "1000dddd00010100"},
    {"11110011101011111000000000000000"},
    {"11110011101011111000000000000001", kControl},
    {"11110011101011111000000000000010", kControl},
    {"11110011101011111000000000000011", kControl},
    {"11110011101011111000000000000100"},
    {"1111001110101111100000001111iiii"},
    {"11110011101111111000111100101111"},
    {"11110011101111111000111101001111"},
    {"11110011101111111000111101011111"},
    {"11110011101111111000111101101111", kControl},
    {"111101111111iiii1010iiiiiiiiiiii"},
    // one register
    SINGLE("11111000", "000"),
    SINGLE("11111000", "010"),
    SINGLE("11111000", "100"),
    SINGLE("11111000", "001"),
    SINGLE("11111000", "011"),
    SINGLE("11111000", "101"),
    SINGLE("11111001", "001"),
    SINGLE("11111001", "011"),
    LITERAL("11111000", "001"),
    LITERAL("11111000", "011"),
    LITERAL("11111000", "101"),
    LITERAL("11111001", "001"),
    LITERAL("11111001", "011"),
    {"111110001101bbbb1111iiiiiiiiii00", kMem | kAligned | kJump | kLoadsPc},
    {"111110001001bbbb1111iiiiiiiiiiii", kMem},
    {"111110011001bbbb1111iiiiiiiiiiii", kMem},
    // register, multiply
    {"11111010000snnnn1111dddd0000mmmm"},
    {"11111010001snnnn1111dddd0000mmmm"},
    {"11111010010snnnn1111dddd0000mmmm"},
    {"11111010011snnnn1111dddd0000mmmm"},
    {"11111010000011111111dddd10iimmmm"},
    {"11111010000111111111dddd10iimmmm"},
    {"11111010010011111111dddd10iimmmm"},
    {"11111010010111111111dddd10iimmmm"},
    {"111110101001mmmm1111dddd1000mmmm"},
    {"111110101001mmmm1111dddd1001mmmm"},
    {"111110101001mmmm1111dddd1010mmmm"},
    {"111110101001mmmm1111dddd1011mmmm"},
    {"111110101011mmmm1111dddd1000mmmm"},
    {"111110110000nnnn1111dddd0000mmmm"},
    {"111110110000nnnnaaaadddd0000mmmm"},
    {"111110110000nnnnaaaadddd0001mmmm"},
    {"111110111000nnnnddddaaaa0000mmmm", kDistinct},
    {"111110111001nnnn1111dddd1111mmmm"},
    {"111110111010nnnnddddaaaa0000mmmm", kDistinct},
    {"111110111011nnnn1111dddd1111mmmm"},
    {"111110111100nnnnddddaaaa0000mmmm", kDistinct},
    {"111110111110nnnnddddaaaa0000mmmm", kDistinct},
    // Coprocessors: absent. The DSP extension is absent too, but Unicorn's M3 has it.
    {"11101110iiii0000iiii0001iiiiiiii"},
    {"11111110iiii0000iiii0010iiii0000"},
};

unsigned letter_index(char c) {
  return static_cast<unsigned char>(c) % 128;
}

bool is_register(char c) {
  return std::string_view("dmnatNbx").find(c) != std::string_view::npos;
}

unsigned pick_register(char letter, unsigned width, Random& random) {
  if (width == 2) return static_cast<unsigned>(random() % 4);
  if (width == 3) return static_cast<unsigned>(random() % 8);
  for (;;) {
    const auto r = static_cast<unsigned>(random() % 15);
    if (r != 13 || letter == 'N') return r;
  }
}

struct Values {
  std::array<unsigned, 128> value{};
  std::array<unsigned, 128> width{};
  unsigned of(char c) const { return value[letter_index(c)]; }
  bool has(char c) const { return width[letter_index(c)] != 0; }
};

bool all_distinct(const Values& v) {
  unsigned seen = 0;
  for (const char c : std::string_view("dmnatNbx")) {
    if (!v.has(c)) continue;
    const unsigned bit = 1U << v.of(c);
    if ((seen & bit) != 0) return false;
    seen |= bit;
  }
  return true;
}

bool acceptable(const Values& v, const Template& t) {
  if ((t.needs & kDistinct) != 0 && !all_distinct(v)) return false;
  if ((t.needs & kFieldOrder) != 0 && v.of('k') < v.of('i')) return false;
  if ((t.needs & kFieldFits) != 0 && v.of('k') + v.of('i') > 31) return false;
  const bool is_saturation = v.has('y') && v.has('k');  // SSAT16, USAT16: DSP
  if (is_saturation && v.of('y') == 1 && v.of('i') == 0) return false;
  if (v.has('c') && v.of('c') >= 14) return false;
  if (v.has('l')) {
    const bool wide = t.bits.size() == 32;
    if (std::popcount(v.of('l')) < (wide ? 2 : 1)) return false;
    if (v.has('b') && (v.of('l') >> v.of('b') & 1) != 0) return false;
    if (v.has('b') && wide && v.of('b') == 14) return false;  // r14 may be in the list, as j
  }
  return true;
}

Values pick(const Template& t, Random& random) {
  Values v;
  for (const char c : t.bits) ++v.width[letter_index(c)];
  // Rm stands twice in REV and CLZ.
  for (char c = 'A'; c <= 'z'; ++c) {
    const unsigned width = v.width[letter_index(c)];
    if (width == 0) continue;
    const unsigned register_width = width == 8 ? 4 : width;
    v.value[letter_index(c)] = is_register(c)
                                   ? pick_register(c, register_width, random)
                                   : static_cast<unsigned>(random() & ((1ULL << width) - 1));
  }
  return v;
}

}  // namespace

std::span<const Template> templates() {
  return kTemplates;
}

Generated generate(const Template& t, Random& random) {
  Values v = pick(t, random);
  while (!acceptable(v, t)) v = pick(t, random);
  Generated g{.wide = t.bits.size() == 32, .needs = t.needs};
  std::array<unsigned, 128> left = v.width;
  for (const char c : t.bits) {
    unsigned bit = c == '1' ? 1 : 0;
    if (c != '0' && c != '1') {
      unsigned position = --left[letter_index(c)];
      if (is_register(c) && v.width[letter_index(c)] == 8) position %= 4;
      bit = v.of(c) >> position & 1;
    }
    g.code = g.code << 1 | bit;
  }
  g.base = v.of('b');
  g.index = v.of('x');
  g.m = v.of('m');
  return g;
}

}  // namespace sureflash::sim::cpu
