// Encodings of the Thumb-2 instructions of the Cortex-M3.
// Source: ARMv7-M ARM (DDI 0403E), A5.2 (16 bits), A5.3 (32 bits), A7.7 (fields). Cycles: Cortex-M3
// Technical Reference Manual (DDI 0337I), 3.3.1, without pipeline refill, which the interpreter
// adds. The DSP extension is absent, as on the M3: its encodings are undefined.
//
// Text: %d %n %m %a registers, %i constant, %h shift, %S "s" when flags are set, %M address, %l
// list, %t target of a branch, %c condition, %w "!", %b width as given, %B width plus one, %W width
// of BFI and BFC, %- negative constant, %4 four hex digits, %H the 16-bit shifts, %I an IT block,
// %p flags of CPS, %s special register, %o option of a barrier.

#include "encodings.hpp"

namespace sureflash::sim::cpu {
namespace {

using enum Op;
using enum Fix;
constexpr auto kNever = Sets::Never;
constexpr auto kAlways = Sets::Always;
constexpr auto kOutside = Sets::OutsideIt;
constexpr auto kField = Sets::Field;

// The five ways to address memory, for loads and stores of one register. `a` is bits 31:21 of the
// instruction up to U, `b` the size and load bits after it.
#define STORES(a, b, mnemonic, op, unprivileged)                                                \
  {a "1" b "nnnnddddiiiiiiiiiiii", op##Imm, None, kNever, 2, mnemonic ".w %d, %M"},             \
      {a "0" b "nnnndddd1110iiiiiiii", unprivileged, None, kNever, 2, mnemonic "t %d, %M"},     \
      {a "0" b "nnnndddd1100iiiiiiii", op##Imm, Negative, kNever, 2, mnemonic ".w %d, %M"},     \
      {a "0" b "nnnndddd1pu1iiiiiiii", op##Imm, SignedByte, kNever, 2, mnemonic ".w %d, %M"}, { \
    a "0" b "nnnndddd000000iimmmm", op##Reg, ShiftByImm, kNever, 2, mnemonic ".w %d, %M"        \
  }
#define LOADS(a, b, mnemonic, op, unprivileged)                                           \
  {a "u" b "1111ddddiiiiiiiiiiii", op##Lit, SignedByte, kNever, 2, mnemonic ".w %d, %M"}, \
      STORES(a, b, mnemonic, op, unprivileged)
// Byte and halfword loads to the PC are hints for the cache, which the M3 does not have (A5.3.9).
#define HINTS(a, b, mnemonic)                                                      \
  {a "u" b "11111111iiiiiiiiiiii", Nop, SignedByte, kNever, 1, mnemonic "%M"},     \
      {a "1" b "nnnn1111iiiiiiiiiiii", Nop, None, kNever, 1, mnemonic "%M"},       \
      {a "0" b "nnnn11111100iiiiiiii", Nop, Negative, kNever, 1, mnemonic "%M"}, { \
    a "0" b "nnnn1111000000iimmmm", Nop, ShiftByImm, kNever, 1, mnemonic "%M"      \
  }

constexpr Encoding kEncodings[] = {
    // A5.2.1 shift, add, subtract, move, compare
    {"0000000000mmmddd", MovReg, None, kOutside, 1, "movs %d, %m"},
    {"0001100mmmnnnddd", AddReg, None, kOutside, 1, "adds %d, %n, %m"},
    {"0001101mmmnnnddd", SubReg, None, kOutside, 1, "subs %d, %n, %m"},
    {"0001110iiinnnddd", AddImm, None, kOutside, 1, "adds %d, %n, #%i"},
    {"0001111iiinnnddd", SubImm, None, kOutside, 1, "subs %d, %n, #%i"},
    {"000yyiiiiimmmddd", MovReg, ShiftByImm, kOutside, 1, "%H"},
    {"00100dddiiiiiiii", MovImm, None, kOutside, 1, "movs %d, #%i"},
    {"00101nnniiiiiiii", CmpImm, None, kAlways, 1, "cmp %n, #%i"},
    {"00110eeeiiiiiiii", AddImm, None, kOutside, 1, "adds %d, #%i"},
    {"00111eeeiiiiiiii", SubImm, None, kOutside, 1, "subs %d, #%i"},
    // A5.2.2 data processing
    {"0100000000mmmeee", AndReg, None, kOutside, 1, "ands %d, %m"},
    {"0100000001mmmeee", EorReg, None, kOutside, 1, "eors %d, %m"},
    {"0100000010mmmeee", LslReg, None, kOutside, 1, "lsls %d, %m"},
    {"0100000011mmmeee", LsrReg, None, kOutside, 1, "lsrs %d, %m"},
    {"0100000100mmmeee", AsrReg, None, kOutside, 1, "asrs %d, %m"},
    {"0100000101mmmeee", AdcReg, None, kOutside, 1, "adcs %d, %m"},
    {"0100000110mmmeee", SbcReg, None, kOutside, 1, "sbcs %d, %m"},
    {"0100000111mmmeee", RorReg, None, kOutside, 1, "rors %d, %m"},
    {"0100001000mmmnnn", TstReg, None, kAlways, 1, "tst %n, %m"},
    {"0100001001nnnddd", RsbImm, None, kOutside, 1, "negs %d, %n"},
    {"0100001010mmmnnn", CmpReg, None, kAlways, 1, "cmp %n, %m"},
    {"0100001011mmmnnn", CmnReg, None, kAlways, 1, "cmn %n, %m"},
    {"0100001100mmmeee", OrrReg, None, kOutside, 1, "orrs %d, %m"},
    {"0100001101mmmeee", Mul, None, kOutside, 1, "muls %d, %m"},
    {"0100001110mmmeee", BicReg, None, kOutside, 1, "bics %d, %m"},
    {"0100001111mmmddd", MvnReg, None, kOutside, 1, "mvns %d, %m"},
    // A5.2.3 high registers, branch and exchange
    {"01000100emmmmeee", AddHigh, None, kNever, 1, "add %d, %m"},
    {"01000101nmmmmnnn", CmpReg, None, kAlways, 1, "cmp %n, %m"},
    {"0100011011000000", Nop, None, kNever, 1, "nop"},
    {"01000110dmmmmddd", MovHigh, None, kNever, 1, "mov %d, %m"},
    {"010001110mmmmxxx", Bx, None, kNever, 1, "bx %m"},
    {"010001111mmmm000", Blx, None, kNever, 1, "blx %m"},
    // A5.2.4 loads and stores
    {"01001dddiiiiiiii", LdrLit, Times4, kNever, 2, "ldr %d, %M"},
    {"0101000mmmnnnddd", StrReg, None, kNever, 2, "str %d, %M"},
    {"0101001mmmnnnddd", StrhReg, None, kNever, 2, "strh %d, %M"},
    {"0101010mmmnnnddd", StrbReg, None, kNever, 2, "strb %d, %M"},
    {"0101011mmmnnnddd", LdrsbReg, None, kNever, 2, "ldrsb %d, %M"},
    {"0101100mmmnnnddd", LdrReg, None, kNever, 2, "ldr %d, %M"},
    {"0101101mmmnnnddd", LdrhReg, None, kNever, 2, "ldrh %d, %M"},
    {"0101110mmmnnnddd", LdrbReg, None, kNever, 2, "ldrb %d, %M"},
    {"0101111mmmnnnddd", LdrshReg, None, kNever, 2, "ldrsh %d, %M"},
    {"01100iiiiinnnddd", StrImm, Times4, kNever, 2, "str %d, %M"},
    {"01101iiiiinnnddd", LdrImm, Times4, kNever, 2, "ldr %d, %M"},
    {"01110iiiiinnnddd", StrbImm, None, kNever, 2, "strb %d, %M"},
    {"01111iiiiinnnddd", LdrbImm, None, kNever, 2, "ldrb %d, %M"},
    {"10000iiiiinnnddd", StrhImm, Times2, kNever, 2, "strh %d, %M"},
    {"10001iiiiinnnddd", LdrhImm, Times2, kNever, 2, "ldrh %d, %M"},
    {"10010dddiiiiiiii", StrImm, SpRelative, kNever, 2, "str %d, %M"},
    {"10011dddiiiiiiii", LdrImm, SpRelative, kNever, 2, "ldr %d, %M"},
    // addresses
    {"10100dddiiiiiiii", Adr, Times4, kNever, 1, "add %d, pc, #%i"},
    {"10101dddiiiiiiii", AddImm, SpRelative, kNever, 1, "add %d, %n, #%i"},
    {"101100000iiiiiii", AddImm, SpRelative, kNever, 1, "add sp, #%i"},
    {"101100001iiiiiii", SubImm, SpRelative, kNever, 1, "sub sp, #%i"},
    // A5.2.5 miscellaneous
    {"101100i1iiiiinnn", Cbz, Times2, kNever, 1, "cbz %n, %t"},
    {"101110i1iiiiinnn", Cbnz, Times2, kNever, 1, "cbnz %n, %t"},
    {"1011001000mmmddd", Sxth, None, kNever, 1, "sxth %d, %m"},
    {"1011001001mmmddd", Sxtb, None, kNever, 1, "sxtb %d, %m"},
    {"1011001010mmmddd", Uxth, None, kNever, 1, "uxth %d, %m"},
    {"1011001011mmmddd", Uxtb, None, kNever, 1, "uxtb %d, %m"},
    {"1011010rllllllll", StmDb, SpPush, kNever, 1, "push %l"},
    {"1011110rllllllll", LdmIa, SpPop, kNever, 1, "pop %l"},
    {"10110110011i00ii", Cps, None, kNever, 1, "cps%p"},
    {"1011101000mmmddd", Rev, None, kNever, 1, "rev %d, %m"},
    {"1011101001mmmddd", Rev16, None, kNever, 1, "rev16 %d, %m"},
    {"1011101011mmmddd", Revsh, None, kNever, 1, "revsh %d, %m"},
    {"10111110iiiiiiii", Bkpt, None, kNever, 1, "bkpt 0x%4"},
    {"1011111100000000", Nop, None, kNever, 1, "nop"},
    {"1011111100010000", Nop, None, kNever, 1, "yield"},
    {"1011111100100000", Wfe, None, kNever, 1, "wfe"},
    {"1011111100110000", Wfi, None, kNever, 1, "wfi"},
    {"1011111101000000", Sev, None, kNever, 1, "sev"},
    {"10111111iiii0000", Nop, None, kNever, 1, "nop {%i}"},
    {"10111111iiiiiiii", It, None, kNever, 1, "it%I"},
    {"11000nnnllllllll", StmIa, NarrowMultiple, kNever, 1, "stmia %n!, %l"},
    {"11001nnnllllllll", LdmIa, NarrowMultiple, kNever, 1, "ldmia %n%w, %l"},
    // A5.2.6 conditional branch, supervisor call
    {"11011110iiiiiiii", Undefined, None, kNever, 1, "udf #%i"},
    {"11011111iiiiiiii", Svc, None, kNever, 1, "svc %i"},
    {"1101cccciiiiiiii", BCond, Branch, kNever, 1, "b%c.n %t"},
    {"11100iiiiiiiiiii", B, Branch, kNever, 1, "b.n %t"},

    // A5.3.5 load/store multiple
    {"1110100010w0nnnnllllllllllllllll", StmIa, None, kNever, 1, "stmia.w %n%w, %l"},
    {"1110100010111101llllllllllllllll", LdmIa, SpPop, kNever, 1, "ldmia.w sp!, %l"},
    {"1110100010w1nnnnllllllllllllllll", LdmIa, None, kNever, 1, "ldmia.w %n%w, %l"},
    {"1110100100101101llllllllllllllll", StmDb, SpPush, kNever, 1, "stmdb sp!, %l"},
    {"1110100100w0nnnnllllllllllllllll", StmDb, None, kNever, 1, "stmdb %n%w, %l"},
    {"1110100100w1nnnnllllllllllllllll", LdmDb, None, kNever, 1, "ldmdb %n%w, %l"},
    // A5.3.6 load/store dual, exclusive, table branch
    {"111010000100nnnnddddaaaaiiiiiiii", Strex, Times4, kNever, 2, "strex %a, %d, %M"},
    {"111010000101nnnndddd1111iiiiiiii", Ldrex, Times4, kNever, 2, "ldrex %d, %M"},
    {"111010001100nnnndddd11110100aaaa", Strexb, None, kNever, 2, "strexb %a, %d, %M"},
    {"111010001100nnnndddd11110101aaaa", Strexh, None, kNever, 2, "strexh %a, %d, %M"},
    {"111010001101nnnndddd111101001111", Ldrexb, None, kNever, 2, "ldrexb %d, %M"},
    {"111010001101nnnndddd111101011111", Ldrexh, None, kNever, 2, "ldrexh %d, %M"},
    {"111010001101nnnn111100000000mmmm", Tbb, None, kNever, 2, "tbb [%n, %m]"},
    {"111010001101nnnn111100000001mmmm", Tbh, None, kNever, 2, "tbh [%n, %m, lsl #1]"},
    {"11101001u1w0nnnnddddaaaaiiiiiiii", StrdImm, SignedWords, kNever, 3, "strd %d, %a, %M"},
    {"11101001u1x11111ddddaaaaiiiiiiii", LdrdLit, SignedWords, kNever, 3, "ldrd %d, %a, %M"},
    {"11101001u1w1nnnnddddaaaaiiiiiiii", LdrdImm, SignedWords, kNever, 3, "ldrd %d, %a, %M"},
    {"11101000u110nnnnddddaaaaiiiiiiii", StrdImm, SignedWords, kNever, 3, "strd %d, %a, %M"},
    {"11101000u111nnnnddddaaaaiiiiiiii", LdrdImm, SignedWords, kNever, 3, "ldrd %d, %a, %M"},
    // A5.3.11 data processing, shifted register
    {"111010100001nnnn0iii1111iiyymmmm", TstReg, ShiftByImm, kAlways, 1, "tst.w %n, %m%h"},
    {"11101010000snnnn0iiiddddiiyymmmm", AndReg, ShiftByImm, kField, 1, "and%S.w %d, %n, %m%h"},
    {"11101010001snnnn0iiiddddiiyymmmm", BicReg, ShiftByImm, kField, 1, "bic%S.w %d, %n, %m%h"},
    {"11101010010s11110iiiddddiiyymmmm", MovReg, ShiftByImm, kField, 1, "mov%S.w %d, %m%h"},
    {"11101010010snnnn0iiiddddiiyymmmm", OrrReg, ShiftByImm, kField, 1, "orr%S.w %d, %n, %m%h"},
    {"11101010011s11110iiiddddiiyymmmm", MvnReg, ShiftByImm, kField, 1, "mvn%S.w %d, %m%h"},
    {"11101010011snnnn0iiiddddiiyymmmm", OrnReg, ShiftByImm, kField, 1, "orn%S %d, %n, %m%h"},
    {"111010101001nnnn0iii1111iiyymmmm", TeqReg, ShiftByImm, kAlways, 1, "teq %n, %m%h"},
    {"11101010100snnnn0iiiddddiiyymmmm", EorReg, ShiftByImm, kField, 1, "eor%S.w %d, %n, %m%h"},
    {"111010110001nnnn0iii1111iiyymmmm", CmnReg, ShiftByImm, kAlways, 1, "cmn.w %n, %m%h"},
    {"11101011000snnnn0iiiddddiiyymmmm", AddReg, ShiftByImm, kField, 1, "add%S.w %d, %n, %m%h"},
    {"11101011010snnnn0iiiddddiiyymmmm", AdcReg, ShiftByImm, kField, 1, "adc%S.w %d, %n, %m%h"},
    {"11101011011snnnn0iiiddddiiyymmmm", SbcReg, ShiftByImm, kField, 1, "sbc%S.w %d, %n, %m%h"},
    {"111010111011nnnn0iii1111iiyymmmm", CmpReg, ShiftByImm, kAlways, 1, "cmp.w %n, %m%h"},
    {"11101011101snnnn0iiiddddiiyymmmm", SubReg, ShiftByImm, kField, 1, "sub%S.w %d, %n, %m%h"},
    {"11101011110snnnn0iiiddddiiyymmmm", RsbReg, ShiftByImm, kField, 1, "rsb%S %d, %n, %m%h"},
    // A5.3.1 data processing, modified immediate
    {"11110i000001nnnn0iii1111iiiiiiii", TstImm, ModifiedConstant, kAlways, 1, "tst.w %n, #%i"},
    {"11110i00000snnnn0iiiddddiiiiiiii", AndImm, ModifiedConstant, kField, 1,
     "and%S.w %d, %n, #%i"},
    {"11110i00001snnnn0iiiddddiiiiiiii", BicImm, ModifiedConstant, kField, 1,
     "bic%S.w %d, %n, #%i"},
    {"11110i00010s11110iiiddddiiiiiiii", MovImm, ModifiedConstant, kField, 1, "mov%S.w %d, #%i"},
    {"11110i00010snnnn0iiiddddiiiiiiii", OrrImm, ModifiedConstant, kField, 1,
     "orr%S.w %d, %n, #%i"},
    {"11110i00011s11110iiiddddiiiiiiii", MvnImm, ModifiedConstant, kField, 1, "mvn%S.w %d, #%i"},
    {"11110i00011snnnn0iiiddddiiiiiiii", OrnImm, ModifiedConstant, kField, 1, "orn%S %d, %n, #%i"},
    {"11110i001001nnnn0iii1111iiiiiiii", TeqImm, ModifiedConstant, kAlways, 1, "teq %n, #%i"},
    {"11110i00100snnnn0iiiddddiiiiiiii", EorImm, ModifiedConstant, kField, 1,
     "eor%S.w %d, %n, #%i"},
    {"11110i010001nnnn0iii1111iiiiiiii", CmnImm, ModifiedConstant, kAlways, 1, "cmn.w %n, #%i"},
    {"11110i01000snnnn0iiiddddiiiiiiii", AddImm, ModifiedConstant, kField, 1,
     "add%S.w %d, %n, #%i"},
    {"11110i01010snnnn0iiiddddiiiiiiii", AdcImm, ModifiedConstant, kField, 1,
     "adc%S.w %d, %n, #%i"},
    {"11110i01011snnnn0iiiddddiiiiiiii", SbcImm, ModifiedConstant, kField, 1,
     "sbc%S.w %d, %n, #%i"},
    {"11110i011011nnnn0iii1111iiiiiiii", CmpImm, ModifiedConstant, kAlways, 1, "cmp.w %n, #%i"},
    {"11110i01101snnnn0iiiddddiiiiiiii", SubImm, ModifiedConstant, kField, 1,
     "sub%S.w %d, %n, #%i"},
    {"11110i01110snnnn0iiiddddiiiiiiii", RsbImm, ModifiedConstant, kField, 1, "rsb%S %d, %n, #%i"},
    // A5.3.3 data processing, plain immediate
    {"11110i10000011110iiiddddiiiiiiii", Adr, None, kNever, 1, "addw %d, pc, #%i"},
    {"11110i100000nnnn0iiiddddiiiiiiii", AddImm, None, kNever, 1, "addw %d, %n, #%i"},
    {"11110i100100hhhh0iiiddddiiiiiiii", Movw, MoveHalf, kNever, 1, "movw %d, #%i"},
    {"11110i10101011110iiiddddiiiiiiii", Adr, Negative, kNever, 1, "subw %d, pc, #%-"},
    {"11110i101010nnnn0iiiddddiiiiiiii", SubImm, None, kNever, 1, "subw %d, %n, #%i"},
    {"11110i101100hhhh0iiiddddiiiiiiii", Movt, MoveHalf, kNever, 1, "movt %d, #%i"},
    {"111100110010nnnn0000dddd000bbbbb", Undefined, None, kNever, 1, "ssat16 %d, #%B, %n"},
    {"1111001100y0nnnn0iiiddddii0bbbbb", Ssat, ShiftByImm, kNever, 1, "ssat %d, #%B, %n%h"},
    {"111100110100nnnn0iiiddddii0bbbbb", Sbfx, None, kNever, 1, "sbfx %d, %n, #%i, #%B"},
    {"11110011011011110iiiddddii0bbbbb", Bfc, None, kNever, 1, "bfc %d, #%i, #%W"},
    {"111100110110nnnn0iiiddddii0bbbbb", Bfi, None, kNever, 1, "bfi %d, %n, #%i, #%W"},
    {"111100111010nnnn0000dddd000bbbbb", Undefined, None, kNever, 1, "usat16 %d, #%b, %n"},
    {"1111001110y0nnnn0iiiddddii0bbbbb", Usat, ShiftByImm, kNever, 1, "usat %d, #%b, %n%h"},
    {"111100111100nnnn0iiiddddii0bbbbb", Ubfx, None, kNever, 1, "ubfx %d, %n, #%i, #%B"},
    // A5.3.4 branches and miscellaneous control
    {"111100111000nnnn1000bb00iiiiiiii", Msr, None, kNever, 2, "msr %s, %n"},
    {"11110011101011111000000000000000", Nop, None, kNever, 1, "nop.w"},
    {"11110011101011111000000000000001", Nop, None, kNever, 1, "yield.w"},
    {"11110011101011111000000000000010", Wfe, None, kNever, 1, "wfe.w"},
    {"11110011101011111000000000000011", Wfi, None, kNever, 1, "wfi.w"},
    {"11110011101011111000000000000100", Sev, None, kNever, 1, "sev.w"},
    {"1111001110101111100000001111iiii", Nop, None, kNever, 1, "dbg #%i"},
    {"111100111010111110000000iiiiiiii", Nop, None, kNever, 1, "nop.w {%i}"},
    {"11110011101111111000111100101111", Clrex, None, kNever, 1, "clrex"},
    {"1111001110111111100011110100iiii", Barrier, None, kNever, 1, "dsb %o"},
    {"1111001110111111100011110101iiii", Barrier, None, kNever, 1, "dmb %o"},
    {"1111001110111111100011110110iiii", Isb, None, kNever, 1, "isb %o"},
    {"11110011111011111000ddddiiiiiiii", Mrs, None, kNever, 2, "mrs %d, %s"},
    {"111101111111iiii1010iiiiiiiiiiii", Undefined, None, kNever, 1, "udf.w #%i"},
    {"11110x111xxxxxxx10x0xxxxxxxxxxxx", Undefined, None, kNever, 1, ""},
    {"11110icccciiiiii10j0kiiiiiiiiiii", BCond, WideBranch, kNever, 1, "b%c.w %t"},
    {"11110iiiiiiiiiii10j1kiiiiiiiiiii", B, WideBranch, kNever, 1, "b.w %t"},
    {"11110iiiiiiiiiii11j1kiiiiiiiiiii", Bl, WideBranch, kNever, 1, "bl %t"},
    // A5.3.7 to A5.3.10 loads and stores of one register
    {"11111000xxx01111xxxxxxxxxxxxxxxx", Undefined, None, kNever, 1, "undefined"},
    HINTS("11111000", "001", "pld "),
    HINTS("11111001", "001", "pli "),
    HINTS("11111000", "011", "pldw "),
    HINTS("11111001", "011", "nop.w "),
    LOADS("11111000", "001", "ldrb", Ldrb, Ldrbt),
    LOADS("11111000", "011", "ldrh", Ldrh, Ldrht),
    LOADS("11111000", "101", "ldr", Ldr, Ldrt),
    LOADS("11111001", "001", "ldrsb", Ldrsb, Ldrsbt),
    LOADS("11111001", "011", "ldrsh", Ldrsh, Ldrsht),
    STORES("11111000", "000", "strb", Strb, Strbt),
    STORES("11111000", "010", "strh", Strh, Strht),
    STORES("11111000", "100", "str", Str, Strt),
    // A5.3.12 data processing, register
    {"11111010000snnnn1111dddd0000mmmm", LslReg, None, kField, 1, "lsl%S.w %d, %n, %m"},
    {"11111010001snnnn1111dddd0000mmmm", LsrReg, None, kField, 1, "lsr%S.w %d, %n, %m"},
    {"11111010010snnnn1111dddd0000mmmm", AsrReg, None, kField, 1, "asr%S.w %d, %n, %m"},
    {"11111010011snnnn1111dddd0000mmmm", RorReg, None, kField, 1, "ror%S.w %d, %n, %m"},
    {"11111010000011111111dddd10iimmmm", Sxth, Rotate8, kNever, 1, "sxth.w %d, %m%h"},
    {"11111010000111111111dddd10iimmmm", Uxth, Rotate8, kNever, 1, "uxth.w %d, %m%h"},
    {"11111010010011111111dddd10iimmmm", Sxtb, Rotate8, kNever, 1, "sxtb.w %d, %m%h"},
    {"11111010010111111111dddd10iimmmm", Uxtb, Rotate8, kNever, 1, "uxtb.w %d, %m%h"},
    {"111110101001nnnn1111dddd1000mmmm", Rev, None, kNever, 1, "rev.w %d, %m"},
    {"111110101001nnnn1111dddd1001mmmm", Rev16, None, kNever, 1, "rev16.w %d, %m"},
    {"111110101001nnnn1111dddd1010mmmm", Rbit, None, kNever, 1, "rbit %d, %m"},
    {"111110101001nnnn1111dddd1011mmmm", Revsh, None, kNever, 1, "revsh.w %d, %m"},
    {"111110101011nnnn1111dddd1000mmmm", Clz, None, kNever, 1, "clz %d, %m"},
    // A5.3.16, A5.3.17 multiplication and division
    {"111110110000nnnn1111dddd0000mmmm", Mul, None, kNever, 1, "mul.w %d, %n, %m"},
    {"111110110000nnnnaaaadddd0000mmmm", Mla, None, kNever, 2, "mla %d, %n, %m, %a"},
    {"111110110000nnnnaaaadddd0001mmmm", Mls, None, kNever, 2, "mls %d, %n, %m, %a"},
    {"111110111000nnnnddddaaaa0000mmmm", Smull, None, kNever, 4, "smull %d, %a, %n, %m"},
    {"111110111001nnnn1111dddd1111mmmm", Sdiv, None, kNever, 2, "sdiv %d, %n, %m"},
    {"111110111010nnnnddddaaaa0000mmmm", Umull, None, kNever, 4, "umull %d, %a, %n, %m"},
    {"111110111011nnnn1111dddd1111mmmm", Udiv, None, kNever, 2, "udiv %d, %n, %m"},
    {"111110111100nnnnddddaaaa0000mmmm", Smlal, None, kNever, 5, "smlal %d, %a, %n, %m"},
    {"111110111110nnnnddddaaaa0000mmmm", Umlal, None, kNever, 5, "umlal %d, %a, %n, %m"},
    // A5.3.18 coprocessors: none
    {"111x11xxxxxxxxxxxxxxxxxxxxxxxxxx", Coprocessor, None, kNever, 1, "coprocessor"},
    {"xxxxxxxxxxxxxxxx", Undefined, None, kNever, 1, "undefined"},
    {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", Undefined, None, kNever, 1, "undefined"},
};

}  // namespace

std::span<const Encoding> encodings() {
  return kEncodings;
}

}  // namespace sureflash::sim::cpu
