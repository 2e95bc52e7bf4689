#include "machine.hpp"

#include <algorithm>
#include <utility>

#include "sureflash/base/text.hpp"

namespace sureflash::sim {

Board::Machine::Machine(BoardOptions board_options)
    : options(board_options),
      chip(stm32f105(board_options.flash_kib), board_options.seed),
      core(*this, {.imprecise_store_faults = board_options.imprecise_store_faults}),
      fpec_(chip) {
  chip.set_time_choice(options.flash_time);
  chip.boot0 = options.boot0;
  chip.boot1 = options.boot1;
  Bytes vectors;
  // The initial stack pointer of the ROM is not known: the end of the RAM it uses (AN2606).
  append_le32(vectors, 0x20001000);
  append_le32(vectors, f105_rom_reset_vector(options.rom));
  chip.set_system_memory(static_cast<std::uint32_t>(chip.description().system_memory.begin),
                         vectors);
  make_peripherals();
}

void Board::Machine::make_peripherals() {
  slots_.resize(blocks().size());
  rcc_ = std::make_unique<Rcc>(
      *this, options.hse_hz,
      Rcc::Hooks{
          .before_clocks =
              [this] {
                for (Peripheral* p : peripherals_) p->before_clock_change();
              },
          .after_clocks = [this] { change_clocks(); },
          .reset_blocks = [this](Gate gate, std::uint32_t bits) { reset_blocks(gate, bits); },
          .backup_writable = [] { return true; },
          .reset_backup = [] {}});
  add("RCC", rcc_.get());
  modelled_.insert(&block("FLASH"));
  for (const Block& each : blocks()) {
    if (modelled_.contains(&each) || each.size != 0x400) continue;
    plain_.push_back(std::make_unique<PlainRegisters>());
    slots_[static_cast<std::size_t>(&each - blocks().data())] = plain_.back().get();
    peripherals_.push_back(plain_.back().get());
  }
}

void Board::Machine::add(std::string_view name, Peripheral* peripheral) {
  const Block& where = block(name);
  slots_[static_cast<std::size_t>(&where - blocks().data())] = peripheral;
  peripherals_.push_back(peripheral);
  modelled_.insert(&where);
}

bool Board::Machine::load(const BoardSegment& segment) {
  const AddressRange range = AddressRange::sized(segment.address, segment.bytes.size());
  if (chip.flash().range().contains(range)) {
    chip.flash().load(segment.address, segment.bytes);
  } else if (chip.description().ram.contains(range)) {
    const auto offset = static_cast<std::ptrdiff_t>(range.begin - chip.description().ram.begin);
    std::ranges::copy(segment.bytes, chip.ram().begin() + offset);
  } else {
    return false;
  }
  return true;
}

void Board::Machine::pulse_irq(unsigned line) {
  core.set_irq(line, true);
  core.set_irq(line, false);
}

void Board::Machine::emit(decltype(BoardEvent::what) what) {
  if (observer) observer({now(), core.now(), core.reg(15), std::move(what)});
}

void Board::Machine::misuse(std::string text) {
  if (misuses_.insert(text).second) emit(Misuse{std::move(text)});
}

void Board::Machine::request_reset(ResetCause cause) {
  if (!pending_reset_) pending_reset_ = cause;
  core.request_stop();
}

void Board::Machine::request_stop() {
  user_stop_ = true;
  core.request_stop();
}

void Board::Machine::faulted(const cpu::FaultRecord& fault) {
  emit(FaultTaken{fault});
  if (!stop_on_fault) return;
  fault_seen_ = true;
  core.request_stop();
}

// --- Time -------------------------------------------------------------------------------------

void Board::Machine::schedule() {
  Duration next = flash_mapped_ ? kNoTime : fpec_.busy_until();
  for (const Peripheral* p : peripherals_) next = std::min(next, p->next_event());
  next_event_ = std::min(clock_.cycle_at(next), power_cut_cycle_);
}

void Board::Machine::run_events(std::uint64_t cycle) {
  if (cycle >= power_cut_cycle_) return lose_power();
  if (!flash_mapped_ && fpec_.busy_until() <= now()) map_flash();
  for (Peripheral* p : peripherals_) {
    if (p->next_event() <= now()) p->run_events();
  }
  schedule();
}

void Board::Machine::change_clocks() {
  clock_.change(core.now(), rcc_->clocks().hclk);
  for (Peripheral* p : peripherals_) p->after_clock_change();
  check_latency();
  schedule();
  // Deadlines in cycles are others now.
  core.request_stop();
}

/// Source: RM0008, 3.3.3: one wait state for each further 24 MHz.
void Board::Machine::check_latency() {
  const std::uint32_t latency = fpec_.read(FpecF1::kAcr, now()) & 7;
  if (clocks().hclk <= 24'000'000 * (latency + 1)) return;
  misuse("FLASH_ACR.LATENCY is " + decimal(latency) + " with a core clock of " +
         decimal(clocks().hclk / 1'000'000) + " MHz (RM0008, 3.3.3)");
}

// --- Memory -----------------------------------------------------------------------------------

void Board::Machine::map_memory() {
  const AddressRange ram = chip.description().ram;
  core.map({.begin = static_cast<std::uint32_t>(ram.begin),
            .size = static_cast<std::uint32_t>(ram.size()),
            .data = chip.ram().data(),
            .writable = true});
  map_flash();
}

/// Flash, and at 0 what the boot pins have chosen; not while flash is busy.
void Board::Machine::map_flash() {
  const AddressRange range = chip.flash().range();
  flash_mapped_ = fpec_.busy_until() <= now();
  cpu::Memory flash{.begin = static_cast<std::uint32_t>(range.begin),
                    .size = flash_mapped_ ? static_cast<std::uint32_t>(range.size()) : 0,
                    // Never written through: the mapping is not writable.
                    .data = const_cast<std::uint8_t*>(chip.flash().bytes().data()),
                    .wait_states = static_cast<std::uint8_t>(fpec_.read(FpecF1::kAcr, now()) & 7)};
  core.map(flash);
  flash.begin = 0;
  if (options.boot0) flash.size = 0;
  if (options.boot0 && options.boot1) {
    flash = {.begin = 0,
             .size = static_cast<std::uint32_t>(chip.ram().size()),
             .data = chip.ram().data(),
             .writable = true};
  }
  core.map(flash);
}

// --- Resets and power -------------------------------------------------------------------------

void Board::Machine::reset_blocks(Gate gate, std::uint32_t bits) {
  for (const Block& each : blocks()) {
    if (each.gate != gate || (bits >> each.gate_bit & 1) == 0) continue;
    if (Peripheral* p = at(each)) p->reset();
  }
}

void Board::Machine::reset(ResetCause cause) {
  pending_reset_.reset();
  misuses_.clear();
  state = BoardState::Running;
  chip.reset();
  for (Peripheral* p : peripherals_) p->reset();
  fpec_.reset();
  rcc_->note_reset(cause);
  map_memory();
  core.reset();
  schedule();
  emit(ChipReset{cause});
}

void Board::Machine::power_on() {
  rcc_->power_on();
  reset(ResetCause::PowerOn);
}

void Board::Machine::lose_power() {
  power_cut_cycle_ = cpu::kNever;
  chip.operations().lose_power();
  state = BoardState::NoPower;
  next_event_ = cpu::kNever;
  core.request_stop();
  emit(PowerLost{});
}

void Board::Machine::cut_power_at(std::uint64_t cycle) {
  power_cut_cycle_ = cycle;
  schedule();
  core.events_changed();
}

void Board::Machine::power_cycle() {
  chip.power_cycle();
  power_on();
}

// --- Running ----------------------------------------------------------------------------------

void Board::Machine::idle_until(Duration until) {
  const std::uint64_t cycle = clock_.cycle_at(until);
  if (cycle > core.now()) core.stall(cycle - core.now());
}

/// What the end of a slice means to whoever runs the board; nothing: go on.
std::optional<BoardStop> Board::Machine::after_slice(cpu::Stop why) {
  if (pending_reset_) {
    reset(*pending_reset_);
    if (stop_on_reset) return BoardStop::Reset;
  }
  if (std::exchange(user_stop_, false)) return BoardStop::Requested;
  if (std::exchange(fault_seen_, false)) return BoardStop::Fault;
  switch (why) {
    case cpu::Stop::Breakpoint:
      return BoardStop::Breakpoint;
    case cpu::Stop::Watchpoint:
      return BoardStop::Watchpoint;
    case cpu::Stop::BkptInstruction:
      return BoardStop::BkptInstruction;
    case cpu::Stop::Lockup:
      return BoardStop::Lockup;
    case cpu::Stop::Deadline:
    case cpu::Stop::Stepped:
    case cpu::Stop::ResetRequested:
    case cpu::Stop::Requested:
      break;
  }
  return std::nullopt;
}

BoardStop Board::Machine::run(Duration until) {
  while (now() < until) {
    if (state == BoardState::NoPower) {
      idle_until(until);
      return BoardStop::NoPower;
    }
    const cpu::Stop why = core.run(clock_.cycle_at(until));
    if (const auto stop = after_slice(why)) return *stop;
  }
  return BoardStop::Deadline;
}

BoardStop Board::Machine::step() {
  const std::uint64_t before = core.instructions();
  do {
    if (state == BoardState::NoPower) return BoardStop::NoPower;
    const cpu::Stop why = core.step();
    if (const auto stop = after_slice(why)) return *stop;
    if (why != cpu::Stop::Requested) break;
    // Else an event came first, and moved the deadlines.
  } while (core.instructions() == before);
  return BoardStop::Stepped;
}

void Board::Machine::pass(Duration until) {
  while (now() < until) {
    const BoardStop why = run(until);
    const bool debug = why == BoardStop::Breakpoint || why == BoardStop::Watchpoint ||
                       why == BoardStop::BkptInstruction || why == BoardStop::Fault;
    if (debug && debugger) debugger(why);
    if (why == BoardStop::BkptInstruction && !debugger) core.set_halt_on_bkpt(false);
  }
}

}  // namespace sureflash::sim
