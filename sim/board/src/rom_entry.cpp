// The way into the ROM boot loader and out of it. Sources: AN2606 4.1 and chapter 22; AN2662.
#include <algorithm>

#include "machine.hpp"

#include "sureflash/base/text.hpp"

namespace sureflash::sim {
namespace {

using cpu::exception::kIrq0;
using cpu::exception::kPendSv;
using cpu::exception::kSysTick;

constexpr unsigned kVbusPin = 9;
/// AN2606 table 226: RAM that the ROM uses.
constexpr std::size_t kRomRam = 0x1000;

/// Worst wins.
void raise(RomFate& fate, RomFate to) {
  fate = std::max(fate, to);
}

std::string consequence(RomFate fate) {
  switch (fate) {
    case RomFate::Works:
      return "USB works until the watchdog resets the chip";
    case RomFate::Deaf:
      return "D+ is pulled up, but nobody answers; after six trials the chip is reset";
    case RomFate::NoUsb:
      return "USB is not started; the ROM waits for USART and CAN for ever";
    case RomFate::Hangs:
      return "the core crashes inside the ROM; only a reset helps";
    case RomFate::Resets:
      return "the chip is reset at once";
  }
  return {};
}

/// Interrupt lines of one kind, as text: "3, 67".
std::string lines(const cpu::ExceptionSet& set) {
  std::string text;
  for (unsigned n = kIrq0; n < 256; ++n) {
    if (!set.test(n)) continue;
    if (!text.empty()) text += ", ";
    text += decimal(n - kIrq0);
  }
  return text;
}

}  // namespace

/// What the ROM needs and does not find. What is missing decides what becomes of the chip.
std::vector<RomCondition> Board::Machine::rom_conditions(RomFate& fate) {
  std::vector<RomCondition> failed;
  const auto require = [&](bool met, RomFate otherwise, std::string what, std::string remedy) {
    if (met) return;
    raise(fate, otherwise);
    failed.push_back({std::move(what), std::move(remedy)});
  };
  const cpu::State& s = core.state();
  const AddressRange ram = chip.description().ram;
  const auto base = static_cast<std::uint32_t>(chip.description().system_memory.begin);

  require(!chip.options().read_protected, RomFate::Resets, "the chip is read-protected",
          "do not jump while RDP is set: the jump ends in a reset");
  require(
      s.ipsr == 0, RomFate::Deaf, "the core is in the handler of exception " + decimal(s.ipsr),
      "jump from thread mode: in a handler the ROM's interrupts of the same priority never come");
  require(!s.primask, RomFate::Deaf, "interrupts are disabled (PRIMASK = 1)",
          "enable interrupts (CPSIE I) before the jump: the ROM does not, and runs USB from them");
  require(!s.faultmask && s.basepri == 0, RomFate::Deaf,
          "interrupts are masked (FAULTMASK or BASEPRI)", "clear FAULTMASK and BASEPRI");
  require(!s.unprivileged, RomFate::Hangs, "thread mode is unprivileged (CONTROL.nPRIV = 1)",
          "clear CONTROL, then ISB");
  require(!s.uses_psp, RomFate::Deaf, "the process stack is in use (CONTROL.SPSEL = 1)",
          "clear CONTROL, then load MSP");
  const std::uint32_t sp = core.reg(13);
  require(sp > ram.begin && sp <= ram.end, RomFate::Hangs, "SP is " + hex(sp) + ", not in RAM",
          "load MSP from " + hex(base));
  const bool alias = options.boot0 && !options.boot1;
  const bool vectors = s.vtor == base || (s.vtor == 0 && alias) || options.rom_sets_vtor;
  require(vectors, RomFate::Deaf,
          "VTOR is " + hex(s.vtor) + ": the vectors in use are not those of the ROM",
          "set VTOR to " + hex(base) + ": with BOOT0 low address 0 shows the user flash");
  require(gpio('A')->level(kVbusPin), RomFate::NoUsb, "PA9 is low: no VBUS",
          "check PA9 before the jump: without VBUS the ROM does not start USB");
  require(gpio('A')->is_input(kVbusPin), RomFate::NoUsb, "PA9 is an output",
          "put PA9 back to a floating input (GPIOA_CRH)");
  const std::string clocks = rcc_->not_as_after_reset();
  require(clocks.empty(), RomFate::Deaf, clocks,
          "go back to HSI, turn the PLLs off and reset RCC_CFGR: the ROM sets its PLL up without "
          "doing so");
  require(lines(s.enabled).empty(), RomFate::Deaf, "interrupts are enabled: " + lines(s.enabled),
          "write ones to all NVIC_ICER");
  require(lines(s.pending).empty(), RomFate::Deaf, "interrupts are pending: " + lines(s.pending),
          "write ones to all NVIC_ICPR");
  const bool system = s.pending.test(kSysTick) || s.pending.test(kPendSv);
  require((s.systick_ctrl & 1) == 0 && !system, RomFate::Hangs,
          "SysTick is running, or SysTick or PendSV is pending",
          "stop SysTick (CTRL = LOAD = VAL = 0) and clear its pending bit in ICSR");
  require(!socket_.pulled_up(), RomFate::Deaf, "OTG_FS is connected to the host",
          "disconnect (DCTL.SDIS) and reset OTG_FS through RCC, at least 20 ms before the jump");
  if (iwdg_.running()) {
    failed.push_back({"the independent watchdog is running, and the ROM does not feed it",
                      "jump only after a reset that stops it; with the hardware watchdog of the "
                      "option bytes (WDG_SW = 0) the ROM makes its time as long as it can"});
  }
  return failed;
}

void Board::Machine::enter_rom() {
  rom_requested_ = false;
  RomFate fate = RomFate::Works;
  std::vector<RomCondition> failed = rom_conditions(fate);
  const std::vector<cpu::Branch> branches = core.last_branches();
  const bool by_pins = branches.empty() || just_reset_;
  emit(RomEntered{by_pins, by_pins ? 0 : branches.back().from});
  if (!failed.empty()) emit(RomFailed{std::move(failed), consequence(fate)});

  state = fate == RomFate::Works ? BoardState::Rom : BoardState::RomDead;
  reset_peripherals();
  // Its variables and its stack.
  for (std::size_t i = 0; i < kRomRam; ++i) {
    chip.ram()[i] = static_cast<std::uint8_t>(mix64(options.seed ^ i));
  }
  if (iwdg_.running() && (chip.options().user & 1) == 0) iwdg_.slow_down();
  rom_.enter(now(), fate, socket_.vbus());
  connection_changed();
}

/// "Leave": the ROM puts the registers it has used back and jumps (AN3156, AN2662).
void Board::Machine::leave_rom(std::uint32_t vector_table) {
  idle_until(rom_.now());
  emit(RomLeft{vector_table});
  state = BoardState::Running;
  reset_peripherals();
  core.reset();
  const auto base = static_cast<std::uint32_t>(chip.description().system_memory.begin);
  std::array<std::uint8_t, 4> word{};
  if (options.rom_leaves_vtor) {
    store_le32(word, 0, base);
    core.poke(0xE000ED08, word);
  }
  core.set_reg(13, chip.read_word(vector_table).value_or(0));
  core.set_reg(15, chip.read_word(vector_table + 4).value_or(0));
  core.events_changed();
}

}  // namespace sureflash::sim
