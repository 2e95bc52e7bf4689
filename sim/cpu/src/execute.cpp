// The interpreter's loop. Source of every operation: DDI 0403E, A7.7.
//
// Decoding is remembered by address, and a remembered instruction counts only while memory holds
// the very bytes it came from: nothing has to be told of stores, erased flash or another program in
// the same place.

#include <algorithm>

#include "load_store.hpp"

namespace sureflash::sim::cpu {
namespace {

constexpr std::uint32_t align4(std::uint32_t address) {
  return address & ~3U;
}

/// Regions of the default memory map that hold no code (DDI 0403E, B3.1).
constexpr bool is_execute_never(std::uint32_t address) {
  return (address >= 0x40000000 && address < 0x60000000) || address >= 0xA0000000;
}

constexpr std::uint32_t reverse_bytes(std::uint32_t x) {
  return x >> 24 | (x >> 8 & 0xFF00) | (x << 8 & 0xFF0000) | x << 24;
}
constexpr std::uint32_t reverse_halves(std::uint32_t x) {
  return (x >> 8 & 0x00FF00FF) | (x << 8 & 0xFF00FF00);
}
constexpr std::uint32_t reverse_signed_half(std::uint32_t x) {
  return static_cast<std::uint32_t>(static_cast<std::int16_t>(reverse_halves(x) & 0xFFFF));
}
constexpr std::uint32_t reverse_bits(std::uint32_t x) {
  x = (x >> 1 & 0x55555555) | (x << 1 & 0xAAAAAAAA);
  x = (x >> 2 & 0x33333333) | (x << 2 & 0xCCCCCCCC);
  x = (x >> 4 & 0x0F0F0F0F) | (x << 4 & 0xF0F0F0F0);
  return reverse_bytes(x);
}

constexpr auto kAnd = [](std::uint32_t x, std::uint32_t y) { return x & y; };
constexpr auto kBic = [](std::uint32_t x, std::uint32_t y) { return x & ~y; };
constexpr auto kOrr = [](std::uint32_t x, std::uint32_t y) { return x | y; };
constexpr auto kOrn = [](std::uint32_t x, std::uint32_t y) { return x | ~y; };
constexpr auto kEor = [](std::uint32_t x, std::uint32_t y) { return x ^ y; };
constexpr auto kMov = [](std::uint32_t, std::uint32_t y) { return y; };
constexpr auto kMvn = [](std::uint32_t, std::uint32_t y) { return ~y; };

}  // namespace

inline const Instruction& Core::fetch() {
  if (!inside(code_, s_.pc, 4)) [[unlikely]]
    return fetch_slow();
  const std::uint32_t code = load_host<4>(code_.data + (s_.pc - code_.begin));
  Cached& entry = (*cache_)[s_.pc / 2 % kCacheSize];
  if (entry.code != code) [[unlikely]] {
    entry.instruction =
        decode(static_cast<std::uint16_t>(code), static_cast<std::uint16_t>(code >> 16));
    entry.code = code;
  }
  return entry.instruction;
}

/// Another memory, the last halfword of one, or no plain memory at all.
const Instruction& Core::fetch_slow() {
  it_of_current_ = s_.it;
  if (inside(memory_[s_.pc >> 24], s_.pc, 4)) {
    code_ = memory_[s_.pc >> 24];
    return fetch();
  }
  if (is_execute_never(s_.pc)) {
    throw Fault{.exception = exception::kMemManage, .cfsr = cfsr::kIaccViol};
  }
  const auto half = [this](std::uint32_t address) {
    return static_cast<std::uint16_t>(load_aligned(address, 2, Purpose::Fetch));
  };
  const std::uint16_t first = half(s_.pc);
  uncached_ = decode(first, is_wide(first) ? half(s_.pc + 2) : std::uint16_t{0});
  return uncached_;
}

/// ConditionPassed().
bool Core::condition_holds(unsigned condition) const {
  bool holds = true;
  switch (condition >> 1) {
    case 0:
      holds = s_.z;
      break;
    case 1:
      holds = s_.c;
      break;
    case 2:
      holds = s_.n;
      break;
    case 3:
      holds = s_.v;
      break;
    case 4:
      holds = s_.c && !s_.z;
      break;
    case 5:
      holds = s_.n == s_.v;
      break;
    case 6:
      holds = s_.n == s_.v && !s_.z;
      break;
    default:
      return true;
  }
  return holds != ((condition & 1) != 0);
}

/// Moves ITSTATE on. @returns the instruction as it counts here, or null if it is skipped.
const Instruction* Core::in_it_block(const Instruction& in) {
  const bool holds = condition_holds(s_.it >> 4);
  const bool last = (s_.it & 7) == 0;
  s_.it = last ? std::uint8_t{0} : static_cast<std::uint8_t>((s_.it & 0xE0) | (s_.it << 1 & 0x1F));
  // The debugger sees BKPT whatever the condition says (DDI 0403E, A7.7.17).
  if (!holds && in.op != Op::Bkpt) return nullptr;
  if (!in.only_outside_it) return &in;
  if (&in != &uncached_) uncached_ = in;
  uncached_.sets_flags = false;
  return &uncached_;
}

template <bool kTraced>
void Core::execute_slice() {
  while (s_.cycles < slice_end_) {
    if constexpr (kTraced) {
      if (!single_step_ && resume_at_ != s_.pc &&
          std::binary_search(breakpoints_.begin(), breakpoints_.end(), s_.pc)) {
        stop_ = Stop::Breakpoint;
        return;
      }
      resume_at_.reset();
    }
    const Instruction* in = &fetch();
    s_.r[15] = s_.pc + 4;
    next_pc_ = s_.pc + in->length;
    s_.cycles += in->cycles;
    ++s_.instructions;
    it_of_current_ = s_.it;
    if (s_.it != 0) [[unlikely]]
      in = in_it_block(*in);
    if (in != nullptr) [[likely]]
      execute(*in);
    s_.pc = next_pc_;
    if constexpr (kTraced) {
      if (single_step_) return;
    }
  }
}

// One case per operation: long, but flat. This is the inner loop, so it is inlined into it.
[[gnu::always_inline]] inline void Core::execute(const Instruction& in) {
  auto& r = s_.r;
  const auto offset_address = [&] { return r[in.n] + (r[in.m] << in.amount); };
  const auto literal_address = [&] { return align4(r[15]) + in.imm; };
  switch (in.op) {
    case Op::AndImm:
      logic_imm(in, kAnd);
      break;
    case Op::AndReg:
      logic_reg(in, kAnd);
      break;
    case Op::BicImm:
      logic_imm(in, kBic);
      break;
    case Op::BicReg:
      logic_reg(in, kBic);
      break;
    case Op::OrrImm:
      logic_imm(in, kOrr);
      break;
    case Op::OrrReg:
      logic_reg(in, kOrr);
      break;
    case Op::OrnImm:
      logic_imm(in, kOrn);
      break;
    case Op::OrnReg:
      logic_reg(in, kOrn);
      break;
    case Op::EorImm:
      logic_imm(in, kEor);
      break;
    case Op::EorReg:
      logic_reg(in, kEor);
      break;
    case Op::MovImm:
      logic_imm(in, kMov);
      break;
    case Op::MovReg:
      logic_reg(in, kMov);
      break;
    case Op::MvnImm:
      logic_imm(in, kMvn);
      break;
    case Op::MvnReg:
      logic_reg(in, kMvn);
      break;
    case Op::TstImm:
      logic_imm<false>(in, kAnd);
      break;
    case Op::TstReg:
      logic_reg<false>(in, kAnd);
      break;
    case Op::TeqImm:
      logic_imm<false>(in, kEor);
      break;
    case Op::TeqReg:
      logic_reg<false>(in, kEor);
      break;

    case Op::AddImm:
      write(in.d, add(r[in.n], in.imm, false, in.sets_flags));
      break;
    case Op::AddReg:
      write(in.d, add(r[in.n], operand(in), false, in.sets_flags));
      break;
    case Op::AdcImm:
      write(in.d, add(r[in.n], in.imm, s_.c, in.sets_flags));
      break;
    case Op::AdcReg:
      write(in.d, add(r[in.n], operand(in), s_.c, in.sets_flags));
      break;
    case Op::SubImm:
      write(in.d, add(r[in.n], ~in.imm, true, in.sets_flags));
      break;
    case Op::SubReg:
      write(in.d, add(r[in.n], ~operand(in), true, in.sets_flags));
      break;
    case Op::SbcImm:
      write(in.d, add(r[in.n], ~in.imm, s_.c, in.sets_flags));
      break;
    case Op::SbcReg:
      write(in.d, add(r[in.n], ~operand(in), s_.c, in.sets_flags));
      break;
    case Op::RsbImm:
      write(in.d, add(~r[in.n], in.imm, true, in.sets_flags));
      break;
    case Op::RsbReg:
      write(in.d, add(~r[in.n], operand(in), true, in.sets_flags));
      break;
    case Op::CmpImm:
      add(r[in.n], ~in.imm, true, true);
      break;
    case Op::CmpReg:
      add(r[in.n], ~operand(in), true, true);
      break;
    case Op::CmnImm:
      add(r[in.n], in.imm, false, true);
      break;
    case Op::CmnReg:
      add(r[in.n], operand(in), false, true);
      break;

    case Op::AddHigh:
      if (in.d == 15) {
        branch((r[in.n] + r[in.m]) & ~1U);
      } else {
        write(in.d, r[in.n] + r[in.m]);
      }
      break;
    case Op::MovHigh:
      if (in.d == 15) {
        branch(r[in.m] & ~1U);
      } else {
        write(in.d, r[in.m]);
      }
      break;
    case Op::Adr:
      write(in.d, literal_address());
      break;
    case Op::Movw:
      write(in.d, in.imm);
      break;
    case Op::Movt:
      write(in.d, (r[in.d] & 0xFFFF) | in.imm << 16);
      break;
    case Op::LslReg:
      shift_by_register(in, Shift::Lsl);
      break;
    case Op::LsrReg:
      shift_by_register(in, Shift::Lsr);
      break;
    case Op::AsrReg:
      shift_by_register(in, Shift::Asr);
      break;
    case Op::RorReg:
      shift_by_register(in, Shift::Ror);
      break;

    case Op::Mul:
      write(in.d, r[in.n] * r[in.m]);
      if (in.sets_flags) set_nz(r[in.d]);
      break;
    case Op::Mla:
      write(in.d, r[in.n] * r[in.m] + r[in.a]);
      break;
    case Op::Mls:
      write(in.d, r[in.a] - r[in.n] * r[in.m]);
      break;
    case Op::Umull:
    case Op::Smull:
    case Op::Umlal:
    case Op::Smlal:
      multiply_long(in);
      break;
    case Op::Sdiv:
    case Op::Udiv:
      divide(in);
      break;
    case Op::Bfi:
    case Op::Bfc:
    case Op::Ubfx:
    case Op::Sbfx:
      bit_field(in);
      break;
    case Op::Ssat:
    case Op::Usat:
      saturate(in);
      break;
    case Op::Clz:
      write(in.d, static_cast<std::uint32_t>(std::countl_zero(r[in.m])));
      break;
    case Op::Rbit:
      write(in.d, reverse_bits(r[in.m]));
      break;
    case Op::Rev:
      write(in.d, reverse_bytes(r[in.m]));
      break;
    case Op::Rev16:
      write(in.d, reverse_halves(r[in.m]));
      break;
    case Op::Revsh:
      write(in.d, reverse_signed_half(r[in.m]));
      break;
    case Op::Sxtb:
    case Op::Sxth:
    case Op::Uxtb:
    case Op::Uxth:
      extend(in);
      break;

    case Op::LdrImm: {
      const std::uint32_t base = r[in.n];
      const std::uint32_t moved = base + in.imm;
      const std::uint32_t value = load<4>(in.index ? moved : base);
      if (in.writeback) write(in.n, moved);
      if (in.d == 15) {
        branch_exchange(value);
      } else {
        write(in.d, value);
      }
      break;
    }
    case Op::LdrReg:
    case Op::LdrLit: {
      const std::uint32_t value =
          load<4>(in.op == Op::LdrReg ? offset_address() : literal_address());
      if (in.d == 15) {
        branch_exchange(value);
      } else {
        write(in.d, value);
      }
      break;
    }
    case Op::LdrbImm:
      load_indexed<1>(in);
      break;
    case Op::LdrbReg:
      load_register<1>(in, offset_address());
      break;
    case Op::LdrbLit:
      load_register<1>(in, literal_address());
      break;
    case Op::LdrhImm:
      load_indexed<2>(in);
      break;
    case Op::LdrhReg:
      load_register<2>(in, offset_address());
      break;
    case Op::LdrhLit:
      load_register<2>(in, literal_address());
      break;
    case Op::LdrsbImm:
      load_indexed<1, true>(in);
      break;
    case Op::LdrsbReg:
      load_register<1, true>(in, offset_address());
      break;
    case Op::LdrsbLit:
      load_register<1, true>(in, literal_address());
      break;
    case Op::LdrshImm:
      load_indexed<2, true>(in);
      break;
    case Op::LdrshReg:
      load_register<2, true>(in, offset_address());
      break;
    case Op::LdrshLit:
      load_register<2, true>(in, literal_address());
      break;
    case Op::StrImm:
      store_indexed<4>(in);
      break;
    case Op::StrReg:
      store<4>(offset_address(), r[in.d]);
      break;
    case Op::StrbImm:
      store_indexed<1>(in);
      break;
    case Op::StrbReg:
      store<1>(offset_address(), r[in.d]);
      break;
    case Op::StrhImm:
      store_indexed<2>(in);
      break;
    case Op::StrhReg:
      store<2>(offset_address(), r[in.d]);
      break;
    case Op::Ldrt:
      unprivileged([&] { load_indexed<4>(in); });
      break;
    case Op::Ldrbt:
      unprivileged([&] { load_indexed<1>(in); });
      break;
    case Op::Ldrht:
      unprivileged([&] { load_indexed<2>(in); });
      break;
    case Op::Ldrsbt:
      unprivileged([&] { load_indexed<1, true>(in); });
      break;
    case Op::Ldrsht:
      unprivileged([&] { load_indexed<2, true>(in); });
      break;
    case Op::Strt:
      unprivileged([&] { store_indexed<4>(in); });
      break;
    case Op::Strbt:
      unprivileged([&] { store_indexed<1>(in); });
      break;
    case Op::Strht:
      unprivileged([&] { store_indexed<2>(in); });
      break;
    case Op::LdrdImm:
      load_dual(in, r[in.n]);
      break;
    case Op::LdrdLit:
      load_dual(in, align4(r[15]));
      break;
    case Op::StrdImm:
      store_dual(in);
      break;
    case Op::Ldrex:
      load_exclusive(in, 4);
      break;
    case Op::Ldrexb:
      load_exclusive(in, 1);
      break;
    case Op::Ldrexh:
      load_exclusive(in, 2);
      break;
    case Op::Strex:
      store_exclusive(in, 4);
      break;
    case Op::Strexb:
      store_exclusive(in, 1);
      break;
    case Op::Strexh:
      store_exclusive(in, 2);
      break;
    case Op::Clrex:
      s_.exclusive = false;
      break;
    case Op::LdmIa:
      load_multiple(in, false);
      break;
    case Op::LdmDb:
      load_multiple(in, true);
      break;
    case Op::StmIa:
      store_multiple(in, false);
      break;
    case Op::StmDb:
      store_multiple(in, true);
      break;

    case Op::B:
      branch(r[15] + in.imm);
      break;
    case Op::BCond:
      if (condition_holds(in.condition)) branch(r[15] + in.imm);
      break;
    case Op::Bl:
      r[14] = next_pc_ | 1;
      branch(r[15] + in.imm);
      break;
    case Op::Bx:
      branch_exchange(r[in.m]);
      break;
    case Op::Blx: {
      const std::uint32_t target = r[in.m];
      r[14] = next_pc_ | 1;
      s_.thumb = (target & 1) != 0;
      if (!s_.thumb) attention();
      branch(target & ~1U);
      break;
    }
    case Op::Cbz:
      if (r[in.n] == 0) branch(r[15] + in.imm);
      break;
    case Op::Cbnz:
      if (r[in.n] != 0) branch(r[15] + in.imm);
      break;
    case Op::Tbb:
      table_branch(in, 1);
      break;
    case Op::Tbh:
      table_branch(in, 2);
      break;
    case Op::It:
      s_.it = static_cast<std::uint8_t>(in.imm);
      break;

    case Op::Mrs:
      write(in.d, read_special(in.imm));
      break;
    case Op::Msr:
      write_special(in);
      break;
    case Op::Cps:
      change_masks(in);
      break;
    case Op::Nop:
    case Op::Isb:
    case Op::Barrier:
      break;
    case Op::Wfe:
      wait_for(State::Sleep::UntilEvent);
      break;
    case Op::Wfi:
      wait_for(State::Sleep::UntilInterrupt);
      break;
    case Op::Sev:
      s_.event = true;
      break;
    case Op::Svc:
      supervisor_call();
      break;
    case Op::Bkpt:
      breakpoint_instruction();
      break;
    case Op::Coprocessor:
      throw Fault{.cfsr = cfsr::kNoCp};
    case Op::Undefined:
      throw Fault{.cfsr = cfsr::kUndefInstr};
  }
}

template void Core::execute_slice<true>();
template void Core::execute_slice<false>();

}  // namespace sureflash::sim::cpu
