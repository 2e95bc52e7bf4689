#include "rcc.hpp"

#include <algorithm>

#include "sureflash/base/text.hpp"

namespace sureflash::sim {
namespace {

constexpr std::uint32_t kHsiHz = 8'000'000;
/// Start-up: STM32F105xx data sheet, HSI 1 to 2 µs, HSE 2 ms typical, LSI 85 µs, LSE 3 s, PLLs
/// 350 µs at most (200 taken).
constexpr std::array<Duration, 7> kStartup{2us, 2ms, 200us, 200us, 200us, 85us, 3s};

constexpr std::uint32_t bit(unsigned n) {
  return 1U << n;
}
// CR, 8.3.1.
constexpr std::uint32_t kHsion = bit(0), kHseon = bit(16), kPllon = bit(24), kPll2on = bit(26),
                        kPll3on = bit(28);
constexpr std::uint32_t kCrPlain = 0xF8 | bit(18) | bit(19);
constexpr std::uint32_t kCrReset = 0x83, kHsical = 0x7F00;
// CFGR, 8.3.2.
constexpr std::uint32_t kSw = 3, kPllsrc = bit(16), kPllxtpre = bit(17), kPllmul = 15U << 18,
                        kOtgfspre = bit(22);
constexpr std::uint32_t kCfgrWritable = 0x0F7FFFF3;
// CFGR2, 8.3.12.
constexpr std::uint32_t kPrediv1 = 15, kPrediv2 = 15U << 4, kPll2mul = 15U << 8,
                        kPll3mul = 15U << 12, kPrediv1src = bit(16);
constexpr std::uint32_t kRmvf = bit(24), kResetFlags = 0xFC000000;

constexpr std::uint32_t field(std::uint32_t value, std::uint32_t mask) {
  return (value & mask) / (mask & ~(mask - 1));
}

/// PLLMUL of connectivity line: 4 to 9 and 6.5. Source: 8.3.2.
constexpr bool pllmul_reserved(std::uint32_t code) {
  return code != 13 && (code < 2 || code > 7);
}
/// Times two. The reserved codes are those with which the other parts of the family multiply by
/// 2, 3, 10 to 16.
constexpr std::uint32_t pll_factor_x2(std::uint32_t code) {
  if (code == 13) return 13;
  return code < 15 ? (code + 2) * 2 : 32;
}
/// PLL2MUL; 0: reserved. 8.3.12.
constexpr std::uint32_t pll2_factor(std::uint32_t code) {
  if (code == 15) return 20;
  return code >= 6 && code != 13 ? code + 2 : 0;
}
constexpr std::uint32_t ahb_divider(std::uint32_t code) {
  constexpr std::array<std::uint32_t, 8> kDividers{2, 4, 8, 16, 64, 128, 256, 512};
  return code < 8 ? 1 : kDividers[code - 8];
}
constexpr std::uint32_t apb_divider(std::uint32_t code) {
  return code < 4 ? 1 : 2U << (code - 4);
}

}  // namespace

Rcc::Rcc(Chipset& chip, RccWiring wiring, Hooks hooks)
    : chip_(chip), wiring_(wiring), hooks_(std::move(hooks)) {
  power_on();
}

void Rcc::power_on() {
  s_ = {};
  reset();
}

void Rcc::reset() {
  State fresh;
  fresh.bdcr = s_.bdcr;
  fresh.csr = s_.csr & kResetFlags;
  fresh.cr = kCrReset;
  fresh.ahbenr = 0x14;
  fresh.ready_at.fill(kNoTime);
  fresh.ready_at[static_cast<std::size_t>(Osc::Hsi)] = {};
  fresh.ready_at[static_cast<std::size_t>(Osc::Lse)] =
      (s_.bdcr & 1) != 0 ? s_.ready_at[static_cast<std::size_t>(Osc::Lse)] : kNoTime;
  s_ = fresh;
  update();
}

/// Every reset pulls NRST low from inside, too (8.1.1, figure 10).
void Rcc::note_reset(ResetCause cause) {
  s_.csr |= bit(26);
  switch (cause) {
    case ResetCause::PowerOn:
      s_.csr |= bit(27);
      break;
    case ResetCause::Software:
    case ResetCause::Rom:
      s_.csr |= bit(28);
      break;
    case ResetCause::IndependentWatchdog:
      s_.csr |= bit(29);
      break;
    case ResetCause::WindowWatchdog:
      s_.csr |= bit(30);
      break;
    case ResetCause::LowPower:
      s_.csr |= bit(31);
      break;
    case ResetCause::Pin:
      break;
  }
}

bool Rcc::on(Osc which) const {
  switch (which) {
    case Osc::Hsi:
      return (s_.cr & kHsion) != 0;
    case Osc::Hse:
      return (s_.cr & kHseon) != 0;
    case Osc::Pll:
      return (s_.cr & kPllon) != 0;
    case Osc::Pll2:
      return (s_.cr & kPll2on) != 0;
    case Osc::Pll3:
      return (s_.cr & kPll3on) != 0;
    case Osc::Lsi:
      return (s_.csr & 1) != 0;
    case Osc::Lse:
      return (s_.bdcr & 1) != 0;
  }
  return false;
}

bool Rcc::ready(Osc which) const {
  return on(which) && s_.ready_at[static_cast<std::size_t>(which)] <= chip_.now();
}

/// Whether the system clock hangs on it: it cannot be turned off then (8.3.1).
bool Rcc::in_use(Osc which) const {
  const bool pll = s_.sws == 2;
  const bool pll_from_prediv1 = pll && (s_.cfgr & kPllsrc) != 0;
  const bool from_pll2 = pll_from_prediv1 && (s_.cfgr2 & kPrediv1src) != 0;
  switch (which) {
    case Osc::Hsi:
      return s_.sws == 0 || (pll && !pll_from_prediv1);
    case Osc::Hse:
      return s_.sws == 1 || pll_from_prediv1;
    case Osc::Pll:
      return pll;
    case Osc::Pll2:
      return from_pll2;
    default:
      return false;
  }
}

void Rcc::turn(Osc which, bool turn_on) {
  Duration& at = s_.ready_at[static_cast<std::size_t>(which)];
  s_.ready_seen &= ~bit(static_cast<unsigned>(which));
  at = turn_on ? chip_.now() + kStartup[static_cast<std::size_t>(which)] : kNoTime;
  if (which == Osc::Hse && wiring_.hse_hz == 0) at = kNoTime;
}

std::uint32_t Rcc::peek(std::uint32_t offset) const {
  const auto flag = [&](Osc which, unsigned at) { return ready(which) ? bit(at) : 0; };
  switch (offset) {
    case 0x00:
      return s_.cr | kHsical | flag(Osc::Hsi, 1) | flag(Osc::Hse, 17) | flag(Osc::Pll, 25) |
             flag(Osc::Pll2, 27) | flag(Osc::Pll3, 29);
    case 0x04:
      return s_.cfgr | s_.sws << 2;
    case 0x08:
      return s_.cir;
    case 0x0C:
      return s_.apb2rstr;
    case 0x10:
      return s_.apb1rstr;
    case 0x14:
      return s_.ahbenr;
    case 0x18:
      return s_.apb2enr;
    case 0x1C:
      return s_.apb1enr;
    case 0x20:
      return s_.bdcr | flag(Osc::Lse, 1);
    case 0x24:
      return s_.csr | flag(Osc::Lsi, 1);
    case 0x28:
      return s_.ahbrstr;
    case 0x2C:
      return s_.cfgr2;
    default:
      return 0;
  }
}

void Rcc::write(std::uint32_t offset, std::uint32_t value) {
  switch (offset) {
    case 0x00:
      write_cr(value);
      break;
    case 0x04:
      write_cfgr(value);
      break;
    case 0x08:
      s_.cir = (s_.cir & 0xFF & ~(value >> 16)) | (value & 0x7F00);
      update_irq();
      return;
    case 0x0C:
      return write_reset(Gate::Apb2, s_.apb2rstr, value);
    case 0x10:
      return write_reset(Gate::Apb1, s_.apb1rstr, value);
    case 0x14:
      s_.ahbenr = value & 0x0001D057;
      return hooks_.clocks_enabled();
    case 0x18:
      s_.apb2enr = value & 0x00005E7D;
      return;
    case 0x1C:
      s_.apb1enr = value & 0x3E7EC83F;
      return;
    case 0x20:
      return write_bdcr(value);
    case 0x24:
      return write_csr(value);
    case 0x28:
      return write_reset(Gate::Ahb, s_.ahbrstr, value & 0x5000);
    case 0x2C:
      write_cfgr2(value);
      break;
    default:
      return;
  }
  update();
}

void Rcc::write_cr(std::uint32_t value) {
  const auto apply = [&](Osc which, std::uint32_t mask, const char* name) {
    const bool wanted = (value & mask) != 0;
    if (wanted == on(which)) return;
    if (!wanted && in_use(which)) {
      return chip_.misuse(std::string(name) +
                          " cannot be turned off: the system clock comes from "
                          "it (RM0008, 8.3.1)");
    }
    s_.cr = (s_.cr & ~mask) | (value & mask);
    turn(which, wanted);
  };
  s_.cr = (s_.cr & ~kCrPlain) | (value & kCrPlain);
  apply(Osc::Hsi, kHsion, "HSI");
  apply(Osc::Hse, kHseon, "HSE");
  apply(Osc::Pll3, kPll3on, "PLL3");
  apply(Osc::Pll2, kPll2on, "PLL2");
  apply(Osc::Pll, kPllon, "PLL");
}

void Rcc::write_cfgr(std::uint32_t value) {
  std::uint32_t mask = kCfgrWritable;
  constexpr std::uint32_t kOfPll = kPllsrc | kPllmul | kPllxtpre;
  if (on(Osc::Pll) && ((value ^ s_.cfgr) & kOfPll) != 0) {
    chip_.misuse(
        "RCC_CFGR: PLLSRC, PLLXTPRE and PLLMUL can be written only while PLL is off "
        "(RM0008, 8.3.2)");
    mask &= ~kOfPll;
  }
  s_.cfgr = (s_.cfgr & ~mask) | (value & mask);
  // One bit, two registers (8.3.2).
  if ((mask & kPllxtpre) != 0) s_.cfgr2 = (s_.cfgr2 & ~1U) | field(value, kPllxtpre);
}

void Rcc::write_cfgr2(std::uint32_t value) {
  std::uint32_t mask = 0x7FFFF;
  const std::uint32_t changes = value ^ s_.cfgr2;
  const auto hold = [&](Osc which, std::uint32_t bits, const char* what) {
    if (!on(which) || (changes & bits) == 0) return;
    chip_.misuse(std::string("RCC_CFGR2: ") + what + " (RM0008, 8.3.12)");
    mask &= ~bits;
  };
  hold(Osc::Pll, kPrediv1 | kPrediv1src, "PREDIV1 can be written only while PLL is off");
  hold(Osc::Pll2, kPll2mul, "PLL2MUL can be written only while PLL2 is off");
  hold(Osc::Pll3, kPll3mul, "PLL3MUL can be written only while PLL3 is off");
  if (on(Osc::Pll2) || on(Osc::Pll3)) {
    hold(on(Osc::Pll2) ? Osc::Pll2 : Osc::Pll3, kPrediv2,
         "PREDIV2 can be written only while PLL2 and PLL3 are off");
  }
  s_.cfgr2 = (s_.cfgr2 & ~mask) | (value & mask);
  s_.cfgr = (s_.cfgr & ~kPllxtpre) | ((s_.cfgr2 & 1) != 0 ? kPllxtpre : 0);
}

void Rcc::write_bdcr(std::uint32_t value) {
  if (!hooks_.backup_writable()) {
    return chip_.misuse("RCC_BDCR written while PWR_CR.DBP is 0 (RM0008, 8.3.9)");
  }
  constexpr std::uint32_t kBdrst = bit(16);
  const bool was_on = on(Osc::Lse);
  s_.bdcr = value & 0x00018305;
  if (was_on != on(Osc::Lse)) turn(Osc::Lse, on(Osc::Lse));
  if ((value & kBdrst) == 0) return;
  s_.bdcr = kBdrst;
  hooks_.reset_backup();
}

void Rcc::write_csr(std::uint32_t value) {
  const bool was_on = on(Osc::Lsi);
  s_.csr = (s_.csr & kResetFlags) | (value & 1);
  if (was_on != on(Osc::Lsi)) turn(Osc::Lsi, on(Osc::Lsi));
  if ((value & kRmvf) != 0) s_.csr &= ~kResetFlags;
}

void Rcc::write_reset(Gate gate, std::uint32_t& reg, std::uint32_t value) {
  const std::uint32_t rising = value & ~reg;
  reg = value;
  if (rising != 0) hooks_.reset_blocks(gate, rising);
}

void Rcc::start_lsi() {
  if (on(Osc::Lsi)) return;
  s_.csr |= 1;
  turn(Osc::Lsi, true);
}

void Rcc::wake_from_stop() {
  s_.cr = (s_.cr & ~(kHseon | kPllon | kPll2on | kPll3on)) | kHsion;
  for (const Osc which : {Osc::Hse, Osc::Pll, Osc::Pll2, Osc::Pll3}) turn(which, false);
  s_.ready_at[static_cast<std::size_t>(Osc::Hsi)] = chip_.now();
  s_.cfgr &= ~kSw;
  s_.sws = 0;
  update();
}

bool Rcc::enabled(const Block& block) const {
  switch (block.gate) {
    case Gate::Always:
      return true;
    case Gate::Ahb:
      return (s_.ahbenr >> block.gate_bit & 1) != 0;
    case Gate::Apb2:
      return (s_.apb2enr >> block.gate_bit & 1) != 0;
    case Gate::Apb1:
      return (s_.apb1enr >> block.gate_bit & 1) != 0;
  }
  return false;
}

Duration Rcc::next_event() const {
  Duration next = kNoTime;
  for (std::size_t i = 0; i < kOscillators; ++i) {
    if ((s_.ready_seen >> i & 1) == 0) next = std::min(next, s_.ready_at[i]);
  }
  return next;
}

/// An oscillator has become ready: interrupt flags (8.3.3), and a clock switch that waited for it.
void Rcc::run_events() {
  // Order of the flags in RCC_CIR, by Osc.
  constexpr std::array<unsigned, kOscillators> kFlag{2, 3, 4, 5, 6, 0, 1};
  for (std::size_t i = 0; i < kOscillators; ++i) {
    if ((s_.ready_seen >> i & 1) != 0 || s_.ready_at[i] > chip_.now()) continue;
    s_.ready_seen |= 1U << i;
    if ((s_.cir >> (8 + kFlag[i]) & 1) != 0) s_.cir |= bit(kFlag[i]);
  }
  update();
  update_irq();
}

void Rcc::update_irq() {
  constexpr unsigned kIrqRcc = 5;
  chip_.set_irq(kIrqRcc, (s_.cir & 0x7F & s_.cir >> 8) != 0);
}

/// SW becomes SWS as soon as that clock is ready.
void Rcc::switch_clock() {
  const std::uint32_t wanted = s_.cfgr & kSw;
  if (wanted == s_.sws || wanted == 3) return;
  const Osc source = wanted == 0 ? Osc::Hsi : wanted == 1 ? Osc::Hse : Osc::Pll;
  if (!ready(source) || (source == Osc::Pll && pll_output() == 0)) return;
  s_.sws = wanted;
}

void Rcc::update() {
  switch_clock();
  const ClockTree next = compute();
  if (next.hclk == tree_.hclk && next.pclk1 == tree_.pclk1 && next.pclk2 == tree_.pclk2 &&
      next.timer1 == tree_.timer1 && next.timer2 == tree_.timer2 && next.usb == tree_.usb) {
    return;
  }
  hooks_.before_clocks();
  tree_ = next;
  check_limits();
  hooks_.after_clocks();
}

std::uint64_t Rcc::pll2_output() const {
  if (!ready(Osc::Pll2) || !ready(Osc::Hse)) return 0;
  return std::uint64_t{wiring_.hse_hz} * pll2_factor(field(s_.cfgr2, kPll2mul)) /
         (field(s_.cfgr2, kPrediv2) + 1);
}

std::uint64_t Rcc::pll_output() const {
  std::uint64_t input = kHsiHz / 2;
  if ((s_.cfgr & kPllsrc) != 0) {
    const bool from_pll2 = (s_.cfgr2 & kPrediv1src) != 0;
    input = from_pll2 ? pll2_output() : ready(Osc::Hse) ? wiring_.hse_hz : 0;
    input /= field(s_.cfgr2, kPrediv1) + 1;
  }
  const std::uint32_t code = field(s_.cfgr, kPllmul);
  if (pllmul_reserved(code) && !wiring_.reserved_pllmul_multiplies) return 0;
  return input * pll_factor_x2(code) / 2;
}

std::uint64_t Rcc::sysclk() const {
  if (s_.sws == 0) return kHsiHz;
  return s_.sws == 1 ? wiring_.hse_hz : pll_output();
}

ClockTree Rcc::compute() const {
  const auto ppre1 = apb_divider(s_.cfgr >> 8 & 7), ppre2 = apb_divider(s_.cfgr >> 11 & 7);
  // A board never stands still: a dead PLL under the system clock counts as 1 Hz.
  const auto system = static_cast<std::uint32_t>(std::max<std::uint64_t>(sysclk(), 1));
  ClockTree tree;
  tree.hclk = std::max(system / ahb_divider(s_.cfgr >> 4 & 15), 1U);
  tree.pclk1 = std::max(tree.hclk / ppre1, 1U);
  tree.pclk2 = std::max(tree.hclk / ppre2, 1U);
  tree.timer1 = ppre1 == 1 ? tree.pclk1 : 2 * tree.pclk1;
  tree.timer2 = ppre2 == 1 ? tree.pclk2 : 2 * tree.pclk2;
  const std::uint64_t vco = ready(Osc::Pll) ? 2 * pll_output() : 0;
  tree.usb = static_cast<std::uint32_t>(vco / ((s_.cfgr & kOtgfspre) != 0 ? 2 : 3));
  return tree;
}

/// Source: STM32F105xx data sheet, general operating conditions; RM0008, 8.2.
void Rcc::check_limits() const {
  const auto limit = [&](const char* name, std::uint32_t hz, std::uint32_t max) {
    if (hz <= max) return;
    chip_.misuse(std::string(name) + " is " + decimal(hz / 1000) + " kHz; at most " +
                 decimal(max / 1000) + " kHz are allowed");
  };
  if (on(Osc::Pll) && pllmul_reserved(field(s_.cfgr, kPllmul))) {
    chip_.misuse("RCC_CFGR.PLLMUL is " + decimal(field(s_.cfgr, kPllmul)) +
                 ", which is reserved on connectivity line (RM0008, 8.3.2)");
  }
  limit("HCLK", tree_.hclk, 72'000'000);
  limit("PCLK1", tree_.pclk1, 36'000'000);
  limit("PCLK2", tree_.pclk2, 72'000'000);
}

std::string Rcc::not_as_after_reset() const {
  if (s_.sws != 0) return s_.sws == 1 ? "the system clock is HSE" : "the system clock is the PLL";
  if (on(Osc::Pll) || on(Osc::Pll2) || on(Osc::Pll3)) return "a PLL is running";
  if ((s_.cfgr & 0x3FF0) != 0) return "bus prescalers are set (RCC_CFGR)";
  if (s_.cir != 0) return "RCC interrupts are enabled or pending (RCC_CIR)";
  return {};
}

void Rcc::restore(const std::any& state) {
  s_ = std::any_cast<const State&>(state);
  tree_ = compute();
}

}  // namespace sureflash::sim
