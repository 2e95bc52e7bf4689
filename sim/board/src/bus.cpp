// The memory map as the core sees it. Source: RM0008, 3.1 (bridges), 3.3 (map), 3.4 (boot).
#include <algorithm>
#include <utility>

#include "machine.hpp"

#include "sureflash/base/text.hpp"

namespace sureflash::sim {
namespace {

constexpr std::uint32_t kDbgmcuIdcode = 0xE0042000, kDbgmcuCr = 0xE0042004;
/// DEV_ID 0x418, revision Z. Source: RM0008, 31.6.1.
constexpr std::uint32_t kIdcode = 0x10016418;

std::uint32_t part(std::uint32_t word, std::uint32_t address, unsigned size) {
  const std::uint32_t shifted = word >> 8 * (address & 3);
  return size == 4 ? shifted : shifted & ((1U << 8 * size) - 1);
}

}  // namespace

cpu::BusReply Board::Machine::read(std::uint32_t address, unsigned size, cpu::Purpose purpose) {
  if (address < 0x20000000) return read_memory(address, size, purpose);
  if (const Block* at = find_block(address)) return read_register(*at, address, size, purpose);
  if (address == kDbgmcuIdcode) return {.value = part(kIdcode, address, size)};
  if (address == kDbgmcuCr) return {.value = 0};
  if (behind_apb_bridge(address)) {
    if (purpose != cpu::Purpose::Debug) report_unknown(address, false, 0);
    return {.value = 0};
  }
  if (purpose == cpu::Purpose::Debug) return {.fault = true};
  return nobody_answers(address, false, 0);
}

cpu::BusReply Board::Machine::nobody_answers(std::uint32_t address, bool is_write,
                                             std::uint32_t value) {
  emit(UnknownRegister{register_name(address), address, is_write, value, true});
  return {.fault = true};
}

/// Flash while it is busy, its alias, system memory, option bytes.
cpu::BusReply Board::Machine::read_memory(std::uint32_t address, unsigned size,
                                          cpu::Purpose purpose) {
  const AddressRange flash = chip.flash().range();
  const AddressRange alias = AddressRange::sized(0, flash.size());
  if (flash.contains(address) || (alias.contains(address) && !options.boot0)) {
    return read_flash(address, size, purpose);
  }
  if (purpose == cpu::Purpose::Fetch &&
      (address & ~3U) == (f105_rom_reset_vector(options.rom) & ~3U)) {
    constexpr std::uint32_t kNop = 0xBF00BF00;
    rom_requested_ = true;
    core.request_stop();
    return {.value = kNop};
  }
  std::array<std::uint8_t, 4> bytes{};
  if (!chip.read(address, ByteSpan(bytes).first(size))) {
    if (purpose == cpu::Purpose::Debug) return {.fault = true};
    return nobody_answers(address, false, 0);
  }
  return {.value = load_le32(bytes)};
}

/// An access to flash waits while flash is busy (PM0075, 2.3.3).
cpu::BusReply Board::Machine::read_flash(std::uint32_t address, unsigned size,
                                         cpu::Purpose purpose) {
  std::array<std::uint8_t, 4> bytes{};
  if (!chip.read(address, ByteSpan(bytes).first(size))) return {.fault = true};
  cpu::BusReply reply{.value = load_le32(bytes)};
  if (purpose == cpu::Purpose::Debug) return reply;
  const std::uint64_t free_at = clock_.cycle_at(fpec_.busy_until());
  if (free_at > core.now()) {
    reply.stall_cycles = static_cast<std::uint32_t>(free_at - core.now());
  }
  map_flash();
  return reply;
}

bool Board::Machine::clocked(const Block& block, std::uint32_t address) {
  if (rcc_->enabled(block)) return true;
  misuse(register_name(address) + " is accessed while the clock of " + std::string(block.name) +
         " is off (RCC_" +
         (block.gate == Gate::Ahb    ? "AHBENR"
          : block.gate == Gate::Apb1 ? "APB1ENR"
                                     : "APB2ENR") +
         " bit " + decimal(block.gate_bit) + "): it reads 0 and ignores writes");
  return false;
}

void Board::Machine::report_unknown(std::uint32_t address, bool is_write, std::uint32_t value) {
  if (!reported_.insert(address & ~3U).second) return;
  emit(UnknownRegister{register_name(address & ~3U), address & ~3U, is_write, value, false});
}

cpu::BusReply Board::Machine::read_register(const Block& block, std::uint32_t address,
                                            unsigned size, cpu::Purpose purpose) {
  const std::uint32_t offset = (address - block.base) & ~3U;
  Peripheral* peripheral = at(block);
  if (purpose == cpu::Purpose::Debug) {
    const std::uint32_t word =
        peripheral != nullptr ? peripheral->peek(offset) : fpec_.read(offset, now());
    return {.value = part(word, address, size)};
  }
  if (!clocked(block, address)) return {.value = 0};
  if (!knows(block, offset)) report_unknown(address, false, 0);
  const std::uint32_t word =
      peripheral != nullptr ? peripheral->read(offset) : fpec_.read(offset, now());
  return {.value = part(word, address, size)};
}

cpu::BusReply Board::Machine::write(std::uint32_t address, unsigned size, std::uint32_t value) {
  if (address < 0x20000000) return store_to_flash(address, size, value);
  if (const Block* at = find_block(address)) return write_register(*at, address, size, value);
  if (address == kDbgmcuCr || address == kDbgmcuIdcode) return {};
  if (behind_apb_bridge(address)) {
    report_unknown(address, true, value);
    return {};
  }
  return nobody_answers(address, true, value);
}

cpu::BusReply Board::Machine::write_register(const Block& block, std::uint32_t address,
                                             unsigned size, std::uint32_t value) {
  const std::uint32_t offset = (address - block.base) & ~3U;
  if (!clocked(block, address)) return {};
  if (!knows(block, offset)) report_unknown(address, true, value);
  if (size != 4) {
    if (behind_apb_bridge(address)) {
      // The bridge repeats narrow data over the word (3.1, AHB/APB bridges).
      value = size == 1 ? value * 0x01010101 : value * 0x00010001;
    } else {
      const std::uint32_t old =
          at(block) != nullptr ? at(block)->peek(offset) : fpec_.read(offset, now());
      const std::uint32_t mask = ((1U << 8 * size) - 1) << 8 * (address & 3);
      value = (old & ~mask) | value << 8 * (address & 3);
    }
  }
  if (at(block) == nullptr) return write_fpec(offset, value);
  at(block)->write(offset, value);
  serve_dma();
  if (at(block) == rcc_.get()) {
    schedule();
  } else {
    hurry(at(block)->next_event());
  }
  return {};
}

Dma::Bus Board::Machine::dma_bus() {
  const auto ram = [this](std::uint32_t address, unsigned size) -> std::uint8_t* {
    const AddressRange range = chip.description().ram;
    const bool inside = range.contains(AddressRange::sized(address, size));
    return inside ? chip.ram().data() + (address - range.begin) : nullptr;
  };
  const auto read_bus = [this, ram](std::uint32_t address, unsigned size, std::uint32_t& value) {
    address &= ~(size - 1);
    if (const std::uint8_t* at_ram = ram(address, size)) {
      value = 0;
      std::copy_n(at_ram, size, reinterpret_cast<std::uint8_t*>(&value));
      return true;
    }
    const cpu::BusReply reply = read(address, size, cpu::Purpose::Load);
    value = reply.value;
    return !reply.fault;
  };
  const auto write_bus = [this, ram](std::uint32_t address, unsigned size, std::uint32_t value) {
    address &= ~(size - 1);
    if (std::uint8_t* at_ram = ram(address, size)) {
      std::copy_n(reinterpret_cast<const std::uint8_t*>(&value), size, at_ram);
      return true;
    }
    return !write(address, size, value).fault;
  };
  return {read_bus, write_bus};
}

/// Requests of the USARTs. Source: RM0008, table 78.
void Board::Machine::serve_dma() {
  struct Channels {
    unsigned transmit, receive;
  };
  constexpr std::array<Channels, 3> kChannels{{{4, 5}, {7, 6}, {2, 3}}};
  if (std::exchange(dma_moving_, true)) return;
  for (std::size_t i = 0; i < usarts_.size(); ++i) {
    while (usarts_[i]->wants_dma_write() && dma1_.request(kChannels[i].transmit)) {
    }
    while (usarts_[i]->wants_dma_read() && dma1_.request(kChannels[i].receive)) {
    }
  }
  dma_moving_ = false;
}

cpu::BusReply Board::Machine::write_fpec(std::uint32_t offset, std::uint32_t value) {
  if (fpec_.write(offset, value, now()) == BusAccess::Fault) return {.fault = true};
  if (offset == FpecF1::kAcr) {
    check_latency();
    map_flash();
  }
  flash_busy_changed();
  return {};
}

/// Ordinary stores into flash, option bytes and system memory: how FPEC is told to program.
cpu::BusReply Board::Machine::store_to_flash(std::uint32_t address, unsigned size,
                                             std::uint32_t value) {
  if (address < chip.flash().range().size()) {
    if (!options.boot0) address += static_cast<std::uint32_t>(chip.flash().range().begin);
  }
  const bool option = chip.description().options.range().contains(address);
  if (!chip.flash().range().contains(address) && !option) {
    return nobody_answers(address, true, value);
  }
  std::array<std::uint8_t, 4> bytes{};
  store_le32(bytes, 0, value);
  const auto outcome = fpec_.store(address, ByteView(bytes).first(size), now());
  if (outcome == BusAccess::Fault) {
    misuse("a store to " + hex(address) +
           " in flash: it takes an unlocked FPEC, PG and half-words (PM0075, 2.3.3); bus fault");
    return {.fault = true};
  }
  flash_busy_changed();
  return {};
}

/// While flash is busy every access to it comes to read_flash and waits there; code in RAM goes on.
void Board::Machine::flash_busy_changed() {
  if (fpec_.busy_until() > now() && flash_mapped_) {
    if (!rcc_->hsi_on()) misuse("flash is programmed or erased while HSI is off (PM0075, 2.3.1)");
    map_flash();
  }
  update_flash_irq();
  if (!chip.operations().powered()) lose_power();
  schedule();
}

}  // namespace sureflash::sim
