// Goal: the core computes what another implementation of the architecture computes.
// Method: random instructions, one at a time or in IT blocks of one to four, with random registers,
// flags and memory, run here and in Unicorn; registers, flags, program counter, masks, RAM and "was
// it a fault" are compared. Every operation the core knows must have been executed.
// SUREFLASH_CPU_ROUNDS and SUREFLASH_CPU_SEED choose others than the defaults. Unicorn 2.0.1 is
// given each instruction at an address of its own and is started anew every few thousand rounds: it
// crashes when code is rewritten too often.

#include <array>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <sstream>

#include "generator.hpp"
#include <gtest/gtest.h>
#include <unicorn/unicorn.h>

#include "sureflash/base/text.hpp"
#include "sureflash/sim/cpu/core.hpp"

namespace sureflash::sim::cpu {
namespace {

constexpr std::uint32_t kCode = 0x08000000, kCodeSize = 1U << 24, kSlots = kCode + (6U << 20);
constexpr std::uint32_t kSlotSize = 1024, kProgramSize = 32, kProgramsPerEngine = 4096;
constexpr std::uint32_t kRunsPerProgram =
    8;  ///< with other registers; translating is what takes Unicorn long
constexpr std::uint32_t kRam = 0x20000000, kRamSize = 1U << 14;
constexpr std::uint32_t kFlags = 0xF8000000;

enum class Outcome : std::uint8_t { Done, Faulted, Called, Broke };

struct Machine {
  std::array<std::uint32_t, 16> r{};  ///< 13: MSP; 15: program counter
  std::uint32_t psp = 0;
  std::uint32_t xpsr = 0;
  std::uint32_t primask = 0, basepri = 0, faultmask = 0;
};

struct Program {
  std::vector<Generated> instructions;
  unsigned it = 0;  ///< the IT instruction before them, or 0
  bool exclusive_first = false;
  std::uint32_t address = 0;
  std::uint32_t length = 0;  ///< bytes
  unsigned count() const {
    return static_cast<unsigned>(instructions.size()) + (it != 0) + exclusive_first;
  }
};

class NoBus : public Bus {
 public:
  BusReply read(std::uint32_t, unsigned, Purpose) override { return {.fault = true}; }
  BusReply write(std::uint32_t, unsigned, std::uint32_t) override { return {.fault = true}; }
};

/// Unicorn with the same memory contents.
class Oracle {
 public:
  Oracle(std::uint8_t* code, std::uint8_t* ram) {
    check(uc_open(UC_ARCH_ARM, static_cast<uc_mode>(UC_MODE_THUMB | UC_MODE_MCLASS), &uc_));
    check(uc_ctl_set_cpu_model(uc_, UC_CPU_ARM_CORTEX_M3));
    check(uc_mem_map_ptr(uc_, kCode, kCodeSize, UC_PROT_READ | UC_PROT_EXEC, code));
    check(uc_mem_map_ptr(uc_, kRam, kRamSize, UC_PROT_READ | UC_PROT_WRITE, ram));
    uc_hook hook = 0;
    check(
        uc_hook_add(uc_, &hook, UC_HOOK_INTR, reinterpret_cast<void*>(&on_interrupt), this, 1, 0));
    check(uc_hook_add(uc_, &hook, UC_HOOK_CODE, reinterpret_cast<void*>(&on_code), this, 1, 0));
  }
  ~Oracle() { uc_close(uc_); }
  Oracle(const Oracle&) = delete;
  Oracle& operator=(const Oracle&) = delete;

  Outcome run(Machine& m, unsigned count) {
    access(m, uc_reg_write_batch);
    interrupt_ = 0;
    const std::uint32_t start = m.r[15];
    const uc_err err = uc_emu_start(uc_, m.r[15] | 1, 0, 0, count);
    access(m, uc_reg_read_batch);
    if (interrupt_ == kSwi) return Outcome::Called;
    if (interrupt_ == kBkpt) return Outcome::Broke;
    // Unicorn ends WFE and YIELD with "invalid instruction", behind it.
    if (err == UC_ERR_INSN_INVALID && count == 1 && m.r[15] != start) return Outcome::Done;
    return err == UC_ERR_OK && interrupt_ == 0 ? Outcome::Done : Outcome::Faulted;
  }

 private:
  static constexpr std::uint32_t kSwi = 2, kBkpt = 7;

  static void check(uc_err err) {
    if (err != UC_ERR_OK) {
      ADD_FAILURE() << uc_strerror(err);
      std::abort();
    }
  }
  static void on_interrupt(uc_engine* uc, std::uint32_t number, void* self) {
    static_cast<Oracle*>(self)->interrupt_ = number;
    uc_emu_stop(uc);
  }
  static void on_code(uc_engine*, std::uint64_t, std::uint32_t, void*) {}

  template <class F>
  void access(Machine& m, F transfer) {
    int ids[] = {UC_ARM_REG_R0,  UC_ARM_REG_R1,      UC_ARM_REG_R2,      UC_ARM_REG_R3,
                 UC_ARM_REG_R4,  UC_ARM_REG_R5,      UC_ARM_REG_R6,      UC_ARM_REG_R7,
                 UC_ARM_REG_R8,  UC_ARM_REG_R9,      UC_ARM_REG_R10,     UC_ARM_REG_R11,
                 UC_ARM_REG_R12, UC_ARM_REG_SP,      UC_ARM_REG_LR,      UC_ARM_REG_XPSR,
                 UC_ARM_REG_PSP, UC_ARM_REG_PRIMASK, UC_ARM_REG_BASEPRI, UC_ARM_REG_FAULTMASK,
                 UC_ARM_REG_PC};
    std::array<void*, std::size(ids)> places{};
    for (std::size_t i = 0; i < 15; ++i) places[i] = &m.r[i];
    places[15] = &m.xpsr;
    places[16] = &m.psp;
    places[17] = &m.primask;
    places[18] = &m.basepri;
    places[19] = &m.faultmask;
    places[20] = &m.r[15];
    transfer(uc_, ids, places.data(), static_cast<int>(std::size(ids)));
  }

  uc_engine* uc_ = nullptr;
  std::uint32_t interrupt_ = 0;
};

/// The core under test, driven like the oracle.
class Subject {
 public:
  Subject(std::uint8_t* code, std::uint8_t* ram) : core_(bus_, Config{.priority_bits = 8}) {
    core_.map({.begin = kCode, .size = kCodeSize, .data = code});
    core_.map({.begin = kRam, .size = kRamSize, .data = ram, .writable = true});
    fresh_.vtor = kCode;
    fresh_.enabled.assign(exception::kHardFault, true);
    fresh_.enabled.assign(exception::kSvCall, true);
  }

  Outcome run(Machine& m, unsigned count) {
    put(m);
    Outcome outcome = Outcome::Done;
    for (unsigned i = 0; i < count && outcome == Outcome::Done; ++i) {
      const std::uint32_t pc = core_.reg(15);
      const bool skipped = is_skipped();
      if (core_.asleep()) wake();
      core_.step();
      if (!skipped) ++executed_[op_at(pc)];
      outcome = outcome_now();
    }
    get(m);
    return outcome;
  }
  /// Whether a program, by chance, reaches what Unicorn does not have: system registers, bit-band.
  bool touches_system(const Machine& start, unsigned count) {
    constexpr std::uint32_t kSystem = 0xE0000000, kBitBand = 0x22000000;
    core_.add_watchpoint(kSystem, 1U << 20, Access::ReadWrite);
    core_.add_watchpoint(kBitBand, 1U << 25, Access::ReadWrite);
    put(start);
    bool touched = false;
    for (unsigned i = 0; i < count; ++i) touched |= core_.step() == Stop::Watchpoint;
    core_.remove_watchpoint(kSystem);
    core_.remove_watchpoint(kBitBand);
    return touched;
  }
  const std::map<Op, std::uint64_t>& executed() const { return executed_; }
  std::uint64_t instructions() const { return core_.instructions(); }

 private:
  Outcome outcome_now() const {
    const State& s = core_.state();
    if (s.pending.test(exception::kSvCall)) return Outcome::Called;
    if (s.ipsr == 0 && !s.lockup) return Outcome::Done;
    return (s.dfsr & 2) != 0 ? Outcome::Broke : Outcome::Faulted;
  }
  Op op_at(std::uint32_t pc) {
    std::array<std::uint8_t, 4> b{};
    core_.peek(pc, b);
    return decode(static_cast<std::uint16_t>(b[0] | b[1] << 8),
                  static_cast<std::uint16_t>(b[2] | b[3] << 8))
        .op;
  }
  /// Whether an IT block skips the next instruction; written out once more, on purpose.
  bool is_skipped() const {
    const State& s = core_.state();
    if (s.it == 0) return false;
    const bool holds[] = {s.z, s.c, s.n, s.v, s.c && !s.z, s.n == s.v, s.n == s.v && !s.z, true};
    return holds[s.it >> 5] == ((s.it & 0x10) != 0 && (s.it >> 5) != 7);
  }
  void wake() {
    State s = core_.state();
    s.sleep = State::Sleep::Awake;
    core_.restore(s);
  }
  void put(const Machine& m) {
    State s = fresh_;
    s.r = m.r;
    s.other_sp = m.psp;
    s.instructions = core_.instructions();
    s.primask = (m.primask & 1) != 0;
    s.basepri = static_cast<std::uint8_t>(m.basepri);
    s.faultmask = (m.faultmask & 1) != 0;
    core_.restore(s);
    core_.set_xpsr(m.xpsr);
    core_.set_reg(15, m.r[15]);
  }
  void get(Machine& m) const {
    const State& s = core_.state();
    m.r = s.r;
    m.r[15] = s.pc;
    m.psp = s.other_sp;
    m.xpsr = core_.xpsr();
    m.primask = s.primask;
    m.basepri = s.basepri;
    m.faultmask = s.faultmask;
  }

  NoBus bus_;
  Core core_;
  State fresh_;
  std::map<Op, std::uint64_t> executed_;
};

class Differential {
 public:
  explicit Differential(std::uint64_t seed)
      : random_(seed),
        code_(kCodeSize),
        ram_a_(kRamSize),
        ram_b_(kRamSize),
        subject_(code_.data(), ram_a_.data()) {
    for (auto& byte : ram_a_) byte = static_cast<std::uint8_t>(random_());
    ram_b_ = ram_a_;
    // NOPs everywhere: behind an IT block, Unicorn may run on for a few instructions.
    for (std::uint32_t i = 0; i < kCodeSize; i += 2) put16(code_, i, 0xBF00);
    for (std::uint32_t i = 0; i < 16; ++i) put32(code_, 4 * i, kCode + 0x100 + 1);
  }

  /// @returns whether both agreed throughout.
  bool run(std::uint64_t rounds) {
    for (std::uint64_t done = 0; done < rounds; done += kProgramsPerEngine * kRunsPerProgram) {
      std::vector<Program> programs;
      for (std::uint32_t i = 0; i < kProgramsPerEngine; ++i) programs.push_back(make_program(i));
      Oracle oracle(code_.data(), ram_b_.data());
      for (std::uint32_t i = 0; i < kProgramsPerEngine * kRunsPerProgram; ++i) {
        if (!round(programs[i % kProgramsPerEngine], oracle)) return false;
      }
    }
    return true;
  }
  const Subject& subject() const { return subject_; }
  std::uint64_t faults() const { return faults_; }
  std::uint64_t not_compared() const { return not_compared_; }

 private:
  static void put16(std::vector<std::uint8_t>& to, std::size_t at, std::uint32_t value) {
    to[at] = static_cast<std::uint8_t>(value);
    to[at + 1] = static_cast<std::uint8_t>(value >> 8);
  }
  static void put32(std::vector<std::uint8_t>& to, std::size_t at, std::uint32_t value) {
    put16(to, at, value);
    put16(to, at + 2, value >> 16);
  }

  Generated pick(unsigned forbidden) {
    for (;;) {
      const auto all = templates();
      const Generated g = generate(all[random_() % all.size()], random_);
      if ((g.needs & forbidden) == 0) return g;
    }
  }

  void emit(Program& p, std::uint32_t code, bool wide) {
    const std::size_t at = p.address - kCode + p.length;
    if (wide) {
      put16(code_, at, code >> 16);
      put16(code_, at + 2, code);
    } else {
      put16(code_, at, code);
    }
    p.length += wide ? 4 : 2;
  }

  Program make_program(std::uint32_t slot) {
    Program p{.instructions = {}, .address = kSlots + slot * kSlotSize};
    for (std::uint32_t i = 0; i < kProgramSize; i += 2) put16(code_, p.address - kCode + i, 0xBF00);
    if (random_() % 4 == 0) {
      make_it_block(p);
    } else {
      const Generated g = pick(0);
      if ((g.needs & kExclusive) != 0) {
        p.exclusive_first = true;
        constexpr std::uint32_t kClrex = 0xF3BF8F2F;
        emit(p, random_() % 4 != 0 ? matching_load_exclusive(g) : kClrex, true);
      }
      emit(p, g.code, g.wide);
      p.instructions = {g};
    }
    return p;
  }

  /// Of the same size and place: Unicorn's monitor looks at the address, that of the M3 does not.
  static std::uint32_t matching_load_exclusive(const Generated& g) {
    const std::uint32_t register_and_base = g.base << 16 | (g.base == 0 ? 1U : 0U) << 12;
    const bool word = (g.code >> 20 & 15) == 4;
    return word ? 0xE8500F00 | register_and_base | (g.code & 0xFF)
                : 0xE8D00F0F | register_and_base | (g.code & 0xF0);
  }

  void make_it_block(Program& p) {
    const auto size = static_cast<unsigned>(random_() % 4 + 1);
    const auto condition = static_cast<unsigned>(random_() % 15);
    unsigned mask = 0;
    for (unsigned i = 1; i < size; ++i) {
      const unsigned bit = condition == 14 ? 0 : static_cast<unsigned>(random_() & 1);
      mask |= bit << (4 - i);
    }
    mask |= 1U << (4 - size);
    p.it = 0xBF00 | condition << 4 | mask;
    emit(p, p.it, false);
    for (unsigned i = 0; i < size; ++i) {
      const bool last = i + 1 == size;
      // Behind others, a branch to a register might go where Unicorn has no memory.
      const unsigned far = size == 1 ? 0 : kLoadsPc | kTargetInM;
      // Nor may another have spoiled a base that must be aligned: Unicorn does not check.
      const unsigned aligned = i == 0 ? 0U : unsigned{kAligned};
      const Generated g =
          pick(kNotInIt | kExclusive | far | aligned | (last ? 0U : unsigned{kLastInIt}));
      emit(p, g.code, g.wide);
      p.instructions.push_back(g);
    }
  }

  std::uint32_t random_value() {
    switch (random_() % 8) {
      case 0:
        return static_cast<std::uint32_t>(random_() % 64);
      case 1:
        return 0U - static_cast<std::uint32_t>(random_() % 64);
      case 2:
        return 0x80000000U - static_cast<std::uint32_t>(random_() % 3) + 1;
      default:
        return static_cast<std::uint32_t>(random_());
    }
  }
  std::uint32_t ram_address(bool aligned) {
    const auto at = static_cast<std::uint32_t>(kRam + kRamSize / 2 + random_() % 512);
    return aligned || random_() % 4 != 0 ? at & ~3U : at;
  }
  std::uint32_t code_address() {
    return static_cast<std::uint32_t>(kSlots + random_() % (kProgramsPerEngine * kSlotSize)) | 1;
  }

  Machine make_machine(const Program& p) {
    Machine m;
    for (auto& r : m.r) r = random_value();
    m.r[13] = ram_address(true);
    m.psp = ram_address(true);
    m.r[15] = p.address;
    m.xpsr = 0x01000000 | (static_cast<std::uint32_t>(random_()) & kFlags);
    for (auto at = p.instructions.rbegin(); at != p.instructions.rend(); ++at) {
      const Generated& g = *at;
      // Now and then an address without memory; not for exclusives, which Unicorn checks in another
      // order.
      const bool wild = random_() % 32 == 0 && (g.needs & kExclusive) == 0;
      if ((g.needs & kMemory) != 0) {
        m.r[g.base] = wild ? 0x30000000 | (static_cast<std::uint32_t>(random_()) & 0x00FFFFFC)
                           : ram_address((g.needs & kAligned) != 0);
        if (g.index != g.base) m.r[g.index] = static_cast<std::uint32_t>(random_() % 256);
      }
      if ((g.needs & kTargetInM) != 0) m.r[g.m] = code_address();
    }
    if (p.instructions.size() == 1) prepare_pc(p.instructions[0], m);
    return m;
  }

  /// Makes what a load to the PC will find an address of code.
  void prepare_pc(const Generated& g, const Machine& m) {
    if ((g.needs & kLoadsPc) == 0) return;
    const Instruction in = decode(static_cast<std::uint16_t>(g.wide ? g.code >> 16 : g.code),
                                  static_cast<std::uint16_t>(g.code));
    const std::uint32_t base = (g.needs & kUsesSp) != 0 ? m.r[13] : m.r[g.base];
    const bool multiple = in.op == Op::LdmIa || in.op == Op::LdmDb;
    const std::uint32_t at =
        multiple ? base + 4 * static_cast<std::uint32_t>(std::popcount(in.imm) - 1) : base + in.imm;
    if (at < kRam || at + 4 > kRam + kRamSize) return;
    const std::uint32_t target = code_address();
    put32(ram_a_, at - kRam, target);
    put32(ram_b_, at - kRam, target);
  }

  /// Unicorn runs on for a few instructions behind an IT block; by then it must not meet another
  /// program.
  bool only_nops_at(std::uint32_t address) const {
    for (std::uint32_t i = 0; i < 16; i += 2) {
      const std::size_t at = address - kCode + i;
      if (at + 1 >= code_.size() || code_[at] != 0x00 || code_[at + 1] != 0xBF) return false;
    }
    return true;
  }

  bool round(const Program& p, Oracle& oracle) {
    const Machine start = make_machine(p);
    Machine a = start;
    Machine b = start;
    const Outcome oa = subject_.run(a, p.count());
    if (p.it != 0 && !only_nops_at(a.r[15])) {
      ++not_compared_;
      ram_a_ = ram_b_;
      return true;
    }
    const Outcome ob = oracle.run(b, p.count());
    if (oa == Outcome::Done && ob == Outcome::Faulted &&
        subject_.touches_system(start, p.count())) {
      ++not_compared_;
      ram_a_ = ram_b_;
      return true;
    }
    if (oa != ob) return explain(p, start, a, b, "outcome", oa, ob);
    if (oa != Outcome::Done) {
      ++faults_;
      ram_a_ = ram_b_;
      return true;
    }
    // Unicorn keeps bits 1:0 of a stack pointer written by MOV, ADD or MSR; they do not exist
    // (DDI 0403E, B1.4.1).
    b.r[13] &= ~3U;
    b.psp &= ~3U;
    for (std::size_t i = 0; i < 15; ++i) {
      if (a.r[i] != b.r[i]) return explain(p, start, a, b, "registers", oa, ob);
    }
    if (p.it == 0 && a.r[15] != (b.r[15] & ~1U)) return explain(p, start, a, b, "pc", oa, ob);
    if (((a.xpsr ^ b.xpsr) & kFlags) != 0) return explain(p, start, a, b, "flags", oa, ob);
    if (a.psp != b.psp || a.primask != b.primask || a.basepri != b.basepri ||
        a.faultmask != b.faultmask) {
      return explain(p, start, a, b, "masks", oa, ob);
    }
    if (std::memcmp(ram_a_.data(), ram_b_.data(), kRamSize) != 0) {
      return explain(p, start, a, b, "memory", oa, ob);
    }
    return true;
  }

  bool explain(const Program& p, const Machine& start, const Machine& a, const Machine& b,
               const char* what, Outcome oa, Outcome ob) {
    std::ostringstream text;
    text << what << " differ; outcomes " << static_cast<int>(oa) << " and " << static_cast<int>(ob);
    for (std::uint32_t at = p.address; at < p.address + p.length;) {
      const std::size_t i = at - kCode;
      const auto half = [&](std::size_t k) {
        return static_cast<std::uint16_t>(code_[k] | code_[k + 1] << 8);
      };
      const Instruction in = decode(half(i), half(i + 2));
      text << "\n  " << hex(at) << " " << hex(half(i), 4) << " " << hex(half(i + 2), 4) << "  "
           << disassemble(in, at);
      at += in.length;
    }
    for (std::size_t i = 0; i < 16; ++i) {
      text << "\n  r" << i << " " << hex(start.r[i]) << " -> " << hex(a.r[i]) << " unicorn "
           << hex(b.r[i]) << (a.r[i] != b.r[i] ? "  <--" : "");
    }
    text << "\n  xpsr " << hex(start.xpsr) << " -> " << hex(a.xpsr) << " unicorn " << hex(b.xpsr);
    text << "\n  masks " << a.primask << a.basepri << a.faultmask << " unicorn " << b.primask
         << b.basepri << b.faultmask << " psp " << hex(a.psp) << " " << hex(b.psp);
    ADD_FAILURE() << text.str();
    return false;
  }

  Random random_;
  std::vector<std::uint8_t> code_, ram_a_, ram_b_;
  Subject subject_;
  std::uint64_t faults_ = 0;
  std::uint64_t not_compared_ = 0;
};

std::uint64_t from_environment(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 0) : otherwise;
}

class DifferentialTest : public testing::TestWithParam<std::uint64_t> {};

// CTest runs each seed in a process of its own.
INSTANTIATE_TEST_SUITE_P(Seeds, DifferentialTest, testing::Values(1, 2, 3, 4));

TEST_P(DifferentialTest, EveryInstructionDoesWhatUnicornDoes) {
  const std::uint64_t seed = from_environment("SUREFLASH_CPU_SEED", GetParam());
  const std::uint64_t rounds = from_environment("SUREFLASH_CPU_ROUNDS", 172'032);
  Differential test(seed);
  ASSERT_TRUE(test.run(rounds)) << "seed " << seed;
  std::printf(
      "seed %llu: %llu instructions in %llu rounds, %llu ended in a fault or call, "
      "%llu not compared\n",
      static_cast<unsigned long long>(seed),
      static_cast<unsigned long long>(test.subject().instructions()),
      static_cast<unsigned long long>(rounds), static_cast<unsigned long long>(test.faults()),
      static_cast<unsigned long long>(test.not_compared()));
  EXPECT_LT(test.not_compared() * 100, rounds);
  EXPECT_GT(test.subject().instructions(), 1.5 * static_cast<double>(rounds));
  const auto& executed = test.subject().executed();
  for (unsigned i = 0; i < kOpCount; ++i) {
    const Op op = static_cast<Op>(i);
    const auto found = executed.find(op);
    const std::uint64_t times = found != executed.end() ? found->second : 0;
    std::printf("%-12s %8llu%c", std::string(name(op)).c_str(),
                static_cast<unsigned long long>(times), i % 5 == 4 ? '\n' : ' ');
    EXPECT_GT(times, 0U) << name(op) << " was never executed";
  }
  std::printf("\n");
}

}  // namespace
}  // namespace sureflash::sim::cpu
