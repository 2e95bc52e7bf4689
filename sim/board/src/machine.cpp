#include "machine.hpp"

#include <algorithm>
#include <utility>

#include "sureflash/base/text.hpp"

namespace sureflash::sim {

Board::Machine::Machine(BoardOptions board_options)
    : options(board_options),
      chip(stm32f105(board_options.flash_kib), board_options.seed),
      core(*this, {.imprecise_store_faults = board_options.imprecise_store_faults}),
      fpec_(chip),
      socket_(*this, options.otg,
              {.wakeup = [this](bool high) { exti_.set_line(Exti::kUsbWakeup, high); },
               .connection = [this] { connection_changed(); }}),
      host_(socket_, {.now = [this] { return now(); },
                      .pass = [this](Duration until) { pass(until); },
                      .attach_count = [this] { return attach_count_; },
                      .misuse = [this](std::string text) { misuse(std::move(text)); }}),
      rom_(options, chip,
           {.reset = [this](ResetCause cause) { pending_reset_ = cause; },
            .start_application = [this](std::uint32_t base) { leave_rom(base); },
            .lose_power = [this] { lose_power(); },
            .connection = [this] { connection_changed(); },
            .trial = [this](RomTrial trial) { emit(trial); }}) {
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
  set_vbus(options.vbus);
}

Rcc::Hooks Board::Machine::rcc_hooks() {
  const auto usb_clock = [this] {
    socket_.set_clock(rcc_->enabled(block("OTG_FS")), rcc_->clocks().usb);
  };
  return {.before_clocks =
              [this] {
                for (Peripheral* p : peripherals_) p->before_clock_change();
              },
          .after_clocks = [this] { change_clocks(); },
          .clocks_enabled = usb_clock,
          .reset_blocks = [this](Gate gate, std::uint32_t bits) { reset_blocks(gate, bits); },
          .backup_writable = [this] { return pwr_.backup_writable(); },
          .reset_backup = [this] { bkp_.power_on(); }};
}

void Board::Machine::make_peripherals() {
  slots_.resize(blocks().size());
  modelled_.resize(blocks().size());
  for (const Block& each : blocks()) {
    std::bitset<256> named;
    for (std::uint32_t i = 0; i < 256; ++i) {
      named[i] = register_name(each.base + 4 * i).find('+') == std::string::npos;
    }
    named_.push_back(named);
  }
  rcc_ = std::make_unique<Rcc>(*this, RccWiring{options.hse_hz, options.reserved_pllmul_multiplies},
                               rcc_hooks());
  add("RCC", rcc_.get());
  add("PWR", &pwr_);
  add("BKP", &bkp_);
  add("AFIO", &afio_);
  add("EXTI", &exti_);
  add("OTG_FS", &socket_);
  add("CRC", &crc_);
  add("DMA1", &dma1_);
  add("DMA2", &dma2_);
  add("IWDG", &iwdg_);
  add("WWDG", &wwdg_);
  for (unsigned n = 1; n <= 3; ++n) {
    usarts_.push_back(std::make_unique<Usart>(*this, n));
    add("USART" + std::to_string(n), usarts_.back().get());
  }
  for (unsigned n = 1; n <= 7; ++n) {
    timers_.push_back(std::make_unique<Timer>(*this, n));
    add("TIM" + std::to_string(n), timers_.back().get());
  }
  for (const char port : {'A', 'B', 'C', 'D', 'E'}) {
    gpio_.push_back(std::make_unique<Gpio>(
        *this, port, [this](char p, unsigned pin, bool high) { pin_changed(p, pin, high); }));
    add(std::string("GPIO") + port, gpio_.back().get());
  }
  modelled_[index_of(block("FLASH"))] = true;
  timed_ = {rcc_.get(), &socket_, &iwdg_, &wwdg_};
  for (const auto& usart : usarts_) timed_.push_back(usart.get());
  for (const auto& timer : timers_) timed_.push_back(timer.get());
  for (const Block& each : blocks()) {
    if (modelled(each) || each.size != 0x400) continue;
    plain_.push_back(std::make_unique<PlainRegisters>());
    slots_[index_of(each)] = plain_.back().get();
    peripherals_.push_back(plain_.back().get());
  }
}

void Board::Machine::add(std::string_view name, Peripheral* peripheral) {
  const Block& where = block(name);
  slots_[index_of(where)] = peripheral;
  peripherals_.push_back(peripheral);
  modelled_[index_of(where)] = true;
}

void Board::Machine::uart_receive(unsigned usart, ByteView bytes) {
  if (usart < 1 || usart > usarts_.size()) return;
  for (const std::uint8_t byte : bytes) usarts_[usart - 1]->receive(byte);
}

Gpio* Board::Machine::gpio(char port) {
  const auto index = static_cast<std::size_t>(port - 'A');
  return index < gpio_.size() ? gpio_[index].get() : nullptr;
}

void Board::Machine::pin_changed(char port, unsigned pin, bool high) {
  if (afio_.port_of_line(pin) == port) exti_.set_line(pin, high);
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
  for (const Peripheral* p : timed_) next = std::min(next, p->next_event());
  next_time_ = next;
  next_event_ = std::min(clock_.cycle_at(next), power_cut_cycle_);
}

void Board::Machine::hurry(Duration event) {
  if (event >= next_time_) return;
  next_time_ = event;
  next_event_ = std::min(clock_.cycle_at(event), power_cut_cycle_);
}

void Board::Machine::run_events(std::uint64_t cycle) {
  if (cycle >= power_cut_cycle_) return lose_power();
  if (!flash_mapped_ && fpec_.busy_until() <= now()) {
    map_flash();
    update_flash_irq();
  }
  for (Peripheral* p : timed_) {
    if (p->next_event() <= now()) p->run_events();
  }
  serve_dma();
  schedule();
}

void Board::Machine::change_clocks() {
  clock_.change(core.now(), rcc_->clocks().hclk);
  socket_.set_clock(rcc_->enabled(block("OTG_FS")), rcc_->clocks().usb);
  for (Peripheral* p : peripherals_) p->after_clock_change();
  check_latency();
  schedule();
  // Deadlines in cycles are others now.
  core.request_stop();
}

void Board::Machine::update_flash_irq() {
  constexpr unsigned kIrqFlash = 4;
  set_irq(kIrqFlash, fpec_.irq(now()));
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
  rom_requested_ = false;
  state = BoardState::Running;
  rom_.leave();
  chip.reset();
  rcc_->note_reset(cause);
  reset_peripherals();
  iwdg_.reset();
  start_hardware_watchdog();
  map_memory();
  core.reset();
  just_reset_ = true;
  emit(ChipReset{cause});
}

/// WDG_SW = 0 in the option bytes. Source: RM0008, 19.3.1.
void Board::Machine::start_hardware_watchdog() {
  constexpr std::uint8_t kWdgSw = 1;
  if ((chip.options().user & kWdgSw) != 0) return;
  rcc_->start_lsi();
  iwdg_.start();
}

/// What a reset does to everything around the core, but for the independent watchdog, which only a
/// system reset stops.
void Board::Machine::reset_peripherals() {
  for (Peripheral* p : peripherals_) {
    if (p != &iwdg_) p->reset();
  }
  fpec_.reset();
  map_flash();
  socket_.set_clock(false, 0);
  connection_changed();
  schedule();
}

void Board::Machine::power_on() {
  rcc_->power_on();
  pwr_.power_on();
  bkp_.power_on();
  reset(ResetCause::PowerOn);
}

void Board::Machine::lose_power() {
  power_cut_cycle_ = cpu::kNever;
  chip.operations().lose_power();
  state = BoardState::NoPower;
  rom_.leave();
  next_event_ = cpu::kNever;
  core.request_stop();
  emit(PowerLost{});
  connection_changed();
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
  if (rom_requested_) enter_rom();
  just_reset_ = false;
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
    schedule();
    if (state == BoardState::NoPower) {
      idle_until(until);
      return BoardStop::NoPower;
    }
    if (rom_has_chip()) {
      if (const auto stop = run_rom(until)) return *stop;
      continue;
    }
    const cpu::Stop why = core.run(clock_.cycle_at(until));
    if (const auto stop = after_slice(why)) return *stop;
  }
  return BoardStop::Deadline;
}

/// The ROM is a model: time passes in steps of its own.
std::optional<BoardStop> Board::Machine::run_rom(Duration until) {
  const Duration watchdog = next_event_ == cpu::kNever ? kNoTime : clock_.time_at(next_event_);
  const Duration next = std::min({until, rom_.next_step(), watchdog});
  rom_.advance_to(std::max(next, now()));
  catch_up_with_rom();
  return after_slice(cpu::Stop::Deadline);
}

/// Its clock may be ahead, or it may have handed the chip over on the way.
void Board::Machine::catch_up_with_rom() {
  if (rom_has_chip()) {
    idle_until(rom_.now());
    if (next_event_ <= core.now()) run_events(core.now());
  }
  if (pending_reset_) {
    idle_until(rom_.now());
    reset(*pending_reset_);
  }
}

BoardStop Board::Machine::step() {
  if (rom_has_chip()) return run_rom(now() + 1ms).value_or(BoardStop::Stepped);
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
  }
}

}  // namespace sureflash::sim
