// Loads and stores that are not plain memory: MMIO, the private peripheral bus, bit-band, unaligned
// accesses, watchpoints. Source: DDI 0403E, A3.2 (alignment), B3.1 (memory map); DDI 0337I, 3.7
// (bit-band).

#include "access.hpp"

#include <algorithm>

namespace sureflash::sim::cpu {
namespace {

constexpr bool is_private_peripheral(std::uint32_t address) {
  return address >= 0xE0000000 && address < 0xE0040000;
}

struct BitBand {
  std::uint32_t address;
  unsigned bit;
};

/// The bit that an address of one of the two alias regions stands for.
std::optional<BitBand> bit_band(std::uint32_t address, unsigned size) {
  const std::uint32_t region = address & 0xFE000000;
  if (region != 0x22000000 && region != 0x42000000) return std::nullopt;
  const std::uint32_t byte = (address & 0x01FFFFFF) >> 5;
  const std::uint32_t aligned = byte & ~(size - 1);
  return BitBand{(region & 0xF0000000) + aligned, (byte - aligned) * 8 + (address >> 2 & 7)};
}

/// The largest naturally aligned piece of an unaligned access, as the M3 splits it.
unsigned piece_size(std::uint32_t address, unsigned left) {
  return address % 2 == 0 && left >= 2 ? 2 : 1;
}

}  // namespace

void Core::map(const Memory& memory) {
  memory_[memory.begin >> 24] = memory;
  code_ = {};
  use_fast_paths();
}

void Core::use_fast_paths() {
  if (watches_.empty()) {
    fast_ = memory_;
  } else {
    fast_.fill({});
  }
}

void Core::check_alignment(std::uint32_t address, unsigned size) const {
  constexpr std::uint32_t kUnalignTrp = 1U << 3;
  if (address % size != 0 && (s_.ccr & kUnalignTrp) != 0) throw Fault{.cfsr = cfsr::kUnaligned};
}

void Core::watch(std::uint32_t address, unsigned size, Access access) {
  for (const Watch& w : watches_) {
    const bool kind = (static_cast<unsigned>(w.access) & static_cast<unsigned>(access)) != 0;
    const std::uint64_t end = std::uint64_t{address} + size;
    if (!kind || end <= w.begin || address >= std::uint64_t{w.begin} + w.size) continue;
    watch_hit_ = address;
    stop_ = Stop::Watchpoint;
    slice_end_ = 0;
  }
}

std::uint32_t Core::load_slow(std::uint32_t address, unsigned size) {
  check_alignment(address, size);
  watch(address, size, Access::Read);
  if (address % size == 0) return load_aligned(address, size, Purpose::Load);
  std::uint32_t value = 0;
  for (unsigned done = 0; done < size;) {
    const unsigned piece = piece_size(address + done, size - done);
    value |= load_aligned(address + done, piece, Purpose::Load) << (8 * done);
    done += piece;
    ++s_.cycles;
  }
  return value;
}

void Core::store_slow(std::uint32_t address, unsigned size, std::uint32_t value) {
  check_alignment(address, size);
  watch(address, size, Access::Write);
  if (address % size == 0) return store_aligned(address, size, value);
  for (unsigned done = 0; done < size;) {
    const unsigned piece = piece_size(address + done, size - done);
    store_aligned(address + done, piece, value >> (8 * done));
    done += piece;
    ++s_.cycles;
  }
}

std::uint32_t Core::load_aligned(std::uint32_t address, unsigned size, Purpose purpose) {
  const BusReply reply = bus_read(address, size, purpose);
  s_.cycles += reply.stall_cycles;
  slice_end_ = std::min(slice_end_, bus_.next_event());
  if (!reply.fault) return reply.value;
  if (purpose == Purpose::Fetch) {
    throw Fault{.exception = exception::kBusFault, .cfsr = cfsr::kIBusErr};
  }
  constexpr std::uint32_t kBfhfNmIgn = 1U << 8;
  if ((s_.ccr & kBfhfNmIgn) != 0 && execution_priority() < 0) {
    s_.cfsr |= cfsr::kPreciseErr | cfsr::kBfarValid;
    s_.bfar = address;
    return 0;
  }
  throw Fault{.exception = exception::kBusFault, .cfsr = cfsr::kPreciseErr, .address = address};
}

void Core::store_aligned(std::uint32_t address, unsigned size, std::uint32_t value) {
  const BusReply reply = bus_write(address, size, value);
  s_.cycles += reply.stall_cycles;
  slice_end_ = std::min(slice_end_, bus_.next_event());
  if (reply.fault) store_failed(address);
}

void Core::store_failed(std::uint32_t address) {
  constexpr std::uint32_t kBfhfNmIgn = 1U << 8;
  constexpr std::uint32_t kDisDefWBuf = 1U << 1;
  const bool precise = !config_.imprecise_store_faults || (s_.actlr & kDisDefWBuf) != 0 ||
                       is_private_peripheral(address);
  if ((s_.ccr & kBfhfNmIgn) != 0 && execution_priority() < 0) {
    s_.cfsr |= precise ? cfsr::kPreciseErr : cfsr::kImpreciseErr;
    return;
  }
  if (precise) {
    throw Fault{.exception = exception::kBusFault, .cfsr = cfsr::kPreciseErr, .address = address};
  }
  s_.cfsr |= cfsr::kImpreciseErr;
  record_fault(exception::kBusFault, cfsr::kImpreciseErr, 0, address);
  if (s_.enabled.test(exception::kBusFault)) return pend(exception::kBusFault);
  s_.hfsr |= hfsr::kForced;
  pend(exception::kHardFault);
}

BusReply Core::bus_read(std::uint32_t address, unsigned size, Purpose purpose) {
  const Memory& memory = memory_[address >> 24];
  if (inside(memory, address, size)) {
    std::uint32_t value = 0;
    std::memcpy(&value, memory.data + (address - memory.begin), size);
    return {.value = value, .stall_cycles = memory.wait_states};
  }
  if (is_private_peripheral(address)) {
    if (!privileged() && purpose != Purpose::Debug) return {.fault = true};
    return {.value = system_read(address, size, purpose)};
  }
  if (const auto target = bit_band(address, size)) {
    BusReply reply = bus_read(target->address, size, purpose);
    reply.value = reply.value >> target->bit & 1;
    return reply;
  }
  return bus_.read(address, size, purpose);
}

BusReply Core::bus_write(std::uint32_t address, unsigned size, std::uint32_t value) {
  const Memory& memory = memory_[address >> 24];
  if (memory.writable && inside(memory, address, size)) {
    std::memcpy(memory.data + (address - memory.begin), &value, size);
    return {};
  }
  if (is_private_peripheral(address)) {
    constexpr std::uint32_t kStir = 0xE000EF00, kUserSetMPend = 1U << 1;
    const bool allowed = privileged() || (address == kStir && (s_.ccr & kUserSetMPend) != 0);
    if (!allowed) return {.fault = true};
    system_write(address, size, value);
    return {};
  }
  if (bit_band(address, size)) return bit_band_write(address, size, value);
  const std::uint32_t mask = size == 4 ? 0xFFFFFFFF : (1U << (8 * size)) - 1;
  return bus_.write(address, size, value & mask);
}

BusReply Core::bit_band_write(std::uint32_t address, unsigned size, std::uint32_t value) {
  const BitBand target = *bit_band(address, size);
  const BusReply old = bus_read(target.address, size, Purpose::Load);
  if (old.fault) return old;
  const std::uint32_t bit = 1U << target.bit;
  BusReply reply =
      bus_write(target.address, size, (value & 1) != 0 ? old.value | bit : old.value & ~bit);
  reply.stall_cycles += old.stall_cycles + 1;
  return reply;
}

std::size_t Core::peek(std::uint32_t address, std::span<std::uint8_t> bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::uint32_t at = address + static_cast<std::uint32_t>(i);
    // Registers answer to whole words only, so ask for one and take the byte.
    const BusReply reply = bus_read(at & ~3U, 4, Purpose::Debug);
    if (reply.fault) return i;
    bytes[i] = static_cast<std::uint8_t>(reply.value >> (8 * (at % 4)));
  }
  return bytes.size();
}

std::size_t Core::poke(std::uint32_t address, std::span<const std::uint8_t> bytes) {
  std::size_t i = 0;
  while (i < bytes.size()) {
    const std::uint32_t at = address + static_cast<std::uint32_t>(i);
    const Memory& memory = memory_[at >> 24];
    if (inside(memory, at, 1)) {
      memory.data[at - memory.begin] = bytes[i++];
      continue;
    }
    const unsigned size = at % 4 == 0 && bytes.size() - i >= 4 ? 4 : 1;
    std::uint32_t value = 0;
    std::memcpy(&value, &bytes[i], size);
    if (bus_write(at, size, value).fault) return i;
    i += size;
  }
  return i;
}

void Core::add_breakpoint(std::uint32_t address) {
  const auto at = std::lower_bound(breakpoints_.begin(), breakpoints_.end(), address);
  if (at == breakpoints_.end() || *at != address) breakpoints_.insert(at, address);
}

void Core::remove_breakpoint(std::uint32_t address) {
  std::erase(breakpoints_, address);
}

void Core::add_watchpoint(std::uint32_t begin, std::uint32_t size, Access access) {
  watches_.push_back({begin, size, access});
  use_fast_paths();
}

void Core::remove_watchpoint(std::uint32_t begin) {
  std::erase_if(watches_, [begin](const Watch& w) { return w.begin == begin; });
  use_fast_paths();
}

}  // namespace sureflash::sim::cpu
