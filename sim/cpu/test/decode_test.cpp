// Goal: decoding and the disassembly are those of GNU binutils.
// Method: all 16-bit encodings, and random 32-bit ones (a third of them plain random bits), are
// given to arm-none-eabi-objdump; where it shows an instruction of the M3, our text must be the
// same; where it shows none, ours must be undefined. What objdump calls unpredictable is not
// compared.

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "generator.hpp"
#include <gtest/gtest.h>

#include "sureflash/base/text.hpp"
#include "sureflash/sim/cpu/instruction.hpp"

namespace sureflash::sim::cpu {
namespace {

struct Line {
  std::string text;  ///< without comment and symbol; empty: undefined
  bool unpredictable = false;
};

std::string trimmed(std::string text) {
  for (const char* end : {" <", "@", ";"}) {
    const auto at = text.find(end);
    if (at != std::string::npos) text.resize(at);
  }
  for (char& c : text) {
    if (c == '\t') c = ' ';
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

/// Addresses to lines, from `objdump -d`.
std::map<std::uint32_t, Line> objdump(const std::string& assembly, const std::string& name) {
  const std::string base = std::string(SUREFLASH_BINARY_DIR) + "/" + name;
  std::ofstream(base + ".s") << ".syntax unified\n.thumb\n" << assembly;
  const std::string command = std::string(SUREFLASH_ARM_AS) + " -mcpu=cortex-m3 " + base +
                              ".s -o " + base + ".o && " + SUREFLASH_ARM_OBJDUMP + " -d -z " +
                              base + ".o";
  FILE* pipe = popen(command.c_str(), "r");
  std::map<std::uint32_t, Line> lines;
  std::array<char, 512> buffer{};
  while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) {
    std::string text(buffer.data(), std::char_traits<char>::length(buffer.data()) - 1);
    const auto first = text.find(":\t");
    const auto second = first == std::string::npos ? first : text.find('\t', first + 2);
    if (second == std::string::npos) continue;
    const auto address = static_cast<std::uint32_t>(std::strtoul(text.c_str(), nullptr, 16));
    Line line{.text = trimmed(text.substr(second + 1))};
    line.unpredictable = text.find("UNPREDICTABLE") != std::string::npos ||
                         text.find("undefined") != std::string::npos ||
                         text.find("??") != std::string::npos;
    lines[address] = line;
  }
  EXPECT_EQ(pclose(pipe), 0) << command;
  return lines;
}

bool is_none(const Instruction& in) {
  return in.op == Op::Undefined || in.op == Op::Coprocessor;
}

std::string mnemonic(const std::string& text) {
  return text.substr(0, text.find(' '));
}

std::string word(std::uint32_t value, int digits) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "0x%0*x", digits, value);
  return text.data();
}

bool has(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

/// Where objdump shows something for encodings that the manual calls undefined or unpredictable
/// without saying so, or shows them in its own way.
bool is_quirk(std::uint32_t code, const Instruction& in, const std::string& text) {
  const bool single = (code >> 25) == 0b1111100;
  const bool register_form = single && (code >> 23 & 1) == 0 && (code >> 11 & 1) == 0;
  const bool loads_pc = single && (code >> 12 & 15) == 15;
  return (register_form && (code >> 6 & 31) != 0) ||                  // A5.3.7: bits 11:6 are 0
         (single && is_none(in) && has(text, "[pc")) ||               // stores relative to PC
         (single && has(mnemonic(text), "t") && has(text, "[pc")) ||  // LDRT of a literal
         (loads_pc &&
          (in.op != Op::Nop || has(text, "ldrsh"))) ||  // unallocated hints; unpredictable
         (in.imm == 0 && in.writeback) ||               // "[r0, #0]!" or "[r0]!"
         has(text, ", #-0]") ||
         (has(text, "clrm") && in.n == 15) ||                          // ARMv8.1-M
         ((code >> 20) == 0xFA9 && (code >> 16 & 15) != (code & 15));  // REV: Rm twice, unequal
}

TEST(Decode, All16BitEncodings) {
  std::ostringstream assembly;
  std::vector<std::uint32_t> codes;
  for (std::uint32_t code = 0; code < 0xE800; ++code) {
    codes.push_back(code);
    assembly << ".inst.n " << word(code, 4) << "\n";
    // objdump follows IT blocks; four NOPs end each.
    for (int i = 0; code >> 8 == 0xBF && i < 4; ++i) {
      codes.push_back(0x10000);
      assembly << "nop\n";
    }
  }
  const auto lines = objdump(assembly.str(), "decode16");
  ASSERT_EQ(lines.size(), codes.size());
  unsigned compared = 0;
  for (std::uint32_t i = 0; i < codes.size(); ++i) {
    const Line& line = lines.at(2 * i);
    // CPS with A-profile's flag; IT with condition 15; BXNS, BLXNS of ARMv8-M.
    const bool undefined =
        (codes[i] & 0xFFEC) == 0xB664 || codes[i] >> 4 == 0xBFF || (codes[i] & 0xFF07) == 0x4704;
    if (codes[i] > 0xFFFF || line.unpredictable || undefined) continue;
    const Instruction in = decode(static_cast<std::uint16_t>(codes[i]), 0);
    ++compared;
    EXPECT_EQ(in.length, 2);
    static const std::set<std::string> kLater = {"setend", "hlt",  "sevl",
                                                 "setpan", "bxns", "blxns"};
    if (line.text.empty() || kLater.count(mnemonic(line.text)) != 0) {
      EXPECT_TRUE(is_none(in) || in.op == Op::Nop) << word(codes[i], 4);
    } else {
      EXPECT_EQ(disassemble(in, 2 * i), line.text) << word(codes[i], 4);
    }
  }
  std::printf("%u encodings compared\n", compared);
  EXPECT_GT(compared, 58'000U);
}

TEST(Decode, Random32BitEncodings) {
  constexpr std::uint64_t kSeed = 20240501;
  Random random(kSeed);
  std::vector<std::uint32_t> codes;
  while (codes.size() < 60'000) codes.push_back(static_cast<std::uint32_t>(random() | 0xE8000000));
  while (codes.size() < 180'000) {
    const auto all = templates();
    const Generated g = generate(all[random() % all.size()], random);
    if (g.wide) codes.push_back(g.code);
  }
  std::ostringstream assembly;
  for (const std::uint32_t code : codes) assembly << ".inst.w " << word(code, 8) << "\n";
  const auto lines = objdump(assembly.str(), "decode32");
  ASSERT_EQ(lines.size(), codes.size());

  std::map<std::string, std::pair<unsigned, std::string>> strangers;  // mnemonics that are not ours
  std::set<std::string> known;
  unsigned compared = 0;
  unsigned quirks = 0;
  for (std::uint32_t i = 0; i < codes.size(); ++i) {
    const Line& line = lines.at(4 * i);
    if (line.unpredictable) continue;
    const Instruction in =
        decode(static_cast<std::uint16_t>(codes[i] >> 16), static_cast<std::uint16_t>(codes[i]));
    EXPECT_EQ(in.length, 4);
    if (is_quirk(codes[i], in, line.text)) {
      ++quirks;
      continue;
    }
    if (is_none(in)) {
      auto& entry = strangers[mnemonic(line.text)];
      ++entry.first;
      entry.second = word(codes[i], 8) + " " + line.text;
      continue;
    }
    ++compared;
    known.insert(mnemonic(line.text));
    EXPECT_EQ(disassemble(in, 4 * i), line.text) << word(codes[i], 8);
  }
  for (const auto& [text, entry] : strangers) {
    const bool is_udf = text == "udf.w";
    EXPECT_TRUE(is_udf || known.count(text) == 0) << entry.first << " times, as " << entry.second;
  }
  std::printf("seed %llu: %u encodings compared, %zu mnemonics\n",
              static_cast<unsigned long long>(kSeed), compared, known.size());
  EXPECT_GT(compared, 120'000U);
  EXPECT_LT(quirks, 4'000U);
}

}  // namespace
}  // namespace sureflash::sim::cpu
