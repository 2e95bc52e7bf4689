// Loads and stores of several registers, exclusive accesses, table branches. Source: DDI 0403E,
// A7.7. An instruction whose access faults has changed no register, so it can be started again.

#include "alu.hpp"

namespace sureflash::sim::cpu {
namespace {

constexpr std::uint32_t kBaseAlign = 3;

}  // namespace

/// @param[in] before  Decrement before (DB), else increment after (IA).
void Core::load_multiple(const Instruction& in, bool before) {
  const std::uint32_t base = s_.r[in.n];
  const auto bytes = 4 * static_cast<std::uint32_t>(std::popcount(in.imm));
  std::uint32_t address = before ? base - bytes : base;
  if ((address & kBaseAlign) != 0) throw Fault{.cfsr = cfsr::kUnaligned};
  std::array<std::uint32_t, 16> values{};
  for (std::uint32_t list = in.imm; list != 0; list &= list - 1) {
    values[static_cast<std::size_t>(std::countr_zero(list))] = load<4>(address);
    address += 4;
  }
  if (in.writeback) write(in.n, before ? base - bytes : base + bytes);
  for (std::uint32_t list = in.imm & 0x7FFF; list != 0; list &= list - 1) {
    const auto number = static_cast<unsigned>(std::countr_zero(list));
    write(number, values[number]);
  }
  if ((in.imm >> 15 & 1) != 0) branch_exchange(values[15]);
}

void Core::store_multiple(const Instruction& in, bool before) {
  const std::uint32_t base = s_.r[in.n];
  const auto bytes = 4 * static_cast<std::uint32_t>(std::popcount(in.imm));
  std::uint32_t address = before ? base - bytes : base;
  if ((address & kBaseAlign) != 0) throw Fault{.cfsr = cfsr::kUnaligned};
  for (std::uint32_t list = in.imm; list != 0; list &= list - 1) {
    store<4>(address, s_.r[static_cast<std::size_t>(std::countr_zero(list))]);
    address += 4;
  }
  if (in.writeback) write(in.n, before ? base - bytes : base + bytes);
  if (in.n == 13) check_stack();
}

void Core::load_dual(const Instruction& in, std::uint32_t base) {
  const std::uint32_t moved = base + in.imm;
  const std::uint32_t address = in.index ? moved : base;
  if ((address & kBaseAlign) != 0) throw Fault{.cfsr = cfsr::kUnaligned};
  const std::uint32_t first = load<4>(address);
  const std::uint32_t second = load<4>(address + 4);
  if (in.writeback && in.op == Op::LdrdImm) write(in.n, moved);
  write(in.d, first);
  write(in.a, second);
}

void Core::store_dual(const Instruction& in) {
  const std::uint32_t base = s_.r[in.n];
  const std::uint32_t moved = base + in.imm;
  const std::uint32_t address = in.index ? moved : base;
  if ((address & kBaseAlign) != 0) throw Fault{.cfsr = cfsr::kUnaligned};
  store<4>(address, s_.r[in.d]);
  store<4>(address + 4, s_.r[in.a]);
  if (in.writeback) write(in.n, moved);
}

/// The local monitor of the M3 does not look at the address (DDI 0337I, 3.8): any store-exclusive
/// after a load-exclusive succeeds, unless CLREX or an exception came between.
void Core::load_exclusive(const Instruction& in, unsigned size) {
  const std::uint32_t address = s_.r[in.n] + in.imm;
  if (address % size != 0) throw Fault{.cfsr = cfsr::kUnaligned};
  const std::uint32_t value = size == 4   ? load<4>(address)
                              : size == 2 ? load<2>(address)
                                          : load<1>(address);
  s_.exclusive = true;
  write(in.d, value);
}

void Core::store_exclusive(const Instruction& in, unsigned size) {
  const std::uint32_t address = s_.r[in.n] + in.imm;
  if (address % size != 0) throw Fault{.cfsr = cfsr::kUnaligned};
  const bool succeeds = s_.exclusive;
  if (succeeds && size == 4) store<4>(address, s_.r[in.d]);
  if (succeeds && size == 2) store<2>(address, s_.r[in.d]);
  if (succeeds && size == 1) store<1>(address, s_.r[in.d]);
  s_.exclusive = false;
  write(in.a, succeeds ? 0 : 1);
}

void Core::table_branch(const Instruction& in, unsigned size) {
  const std::uint32_t base = s_.r[in.n];
  const std::uint32_t index = s_.r[in.m];
  const std::uint32_t halfwords = size == 1 ? load<1>(base + index) : load<2>(base + index * 2);
  branch(s_.r[15] + 2 * halfwords);
}

}  // namespace sureflash::sim::cpu
