// System control space: NVIC, system control block, cycle counter. Source: DDI 0403E, B3.2, B3.4,
// C1.8. There is no MPU on an STM32F105 and no debugger inside: their registers read 0 and ignore
// writes.

#include <algorithm>

#include "access.hpp"

namespace sureflash::sim::cpu {

using namespace exception;

namespace {

constexpr std::uint32_t kIctr = 0xE000E004, kActlr = 0xE000E008, kIser = 0xE000E100,
                        kIcer = 0xE000E180, kIspr = 0xE000E200, kIcpr = 0xE000E280,
                        kIabr = 0xE000E300, kIpr = 0xE000E400, kIprEnd = 0xE000E4F0,
                        kCpuid = 0xE000ED00, kIcsr = 0xE000ED04, kVtor = 0xE000ED08,
                        kAircr = 0xE000ED0C, kScr = 0xE000ED10, kCcr = 0xE000ED14,
                        kShpr1 = 0xE000ED18, kShprEnd = 0xE000ED24, kShcsr = 0xE000ED24,
                        kCfsr = 0xE000ED28, kHfsr = 0xE000ED2C, kDfsr = 0xE000ED30,
                        kMmfar = 0xE000ED34, kBfar = 0xE000ED38, kFeatures = 0xE000ED40,
                        kFeaturesEnd = 0xE000ED74, kDemcr = 0xE000EDFC, kStir = 0xE000EF00,
                        kDwtCtrl = 0xE0001000, kDwtCyccnt = 0xE0001004;
constexpr std::uint32_t kSystick = 0xE000E010, kSystickEnd = 0xE000E020;

constexpr std::uint32_t kDwtReset = 0x40000000;  // four comparators; none is modelled
constexpr std::uint32_t kCycleCounting = 1U << 0, kTraceEnable = 1U << 24;

/// ID_PFR0 to ID_ISAR4. Source: DDI 0337I, table 4-1.
constexpr std::uint32_t kFeatureRegisters[] = {
    0x00000030, 0x00000200, 0x00100000, 0x00000000, 0x00000030, 0x00000000, 0x01000000,
    0x00000000, 0x01101110, 0x02111000, 0x21112231, 0x01111110, 0x01310132};

/// Bits of SHCSR and the exceptions they stand for.
struct HandlerBit {
  unsigned bit;
  unsigned exception;
};
constexpr HandlerBit kActiveBits[] = {{0, kMemManage}, {1, kBusFault},     {3, kUsageFault},
                                      {7, kSvCall},    {8, kDebugMonitor}, {10, kPendSv},
                                      {11, kSysTick}};
constexpr HandlerBit kPendingBits[] = {
    {12, kUsageFault}, {13, kMemManage}, {14, kBusFault}, {15, kSvCall}};
constexpr HandlerBit kEnableBits[] = {{16, kMemManage}, {17, kBusFault}, {18, kUsageFault}};

constexpr bool in(std::uint32_t address, std::uint32_t begin, std::uint32_t end) {
  return address >= begin && address < end;
}

/// 32 interrupts of a set, as ISER and its relatives show them.
std::uint32_t word_of(const ExceptionSet& set, unsigned first_irq) {
  std::uint32_t word = 0;
  for (unsigned i = 0; i < 32 && kIrq0 + first_irq + i < 256; ++i) {
    word |= static_cast<std::uint32_t>(set.test(kIrq0 + first_irq + i)) << i;
  }
  return word;
}

constexpr bool merges_bytes(std::uint32_t address) {
  return in(address, kIpr, kIprEnd) || in(address, kShpr1, kShprEnd) || address == kDemcr;
}

}  // namespace

std::uint32_t Core::system_read(std::uint32_t address, unsigned size, Purpose purpose) {
  const std::uint32_t word = read_register(address & ~3U, purpose) >> (8 * (address & 3));
  return size == 4 ? word : word & ((1U << (8 * size)) - 1);
}

/// Narrow writes: only the priority registers are made for them; elsewhere the other bytes are 0,
/// which is right for "write 1 to clear" and for STIR.
void Core::system_write(std::uint32_t address, unsigned size, std::uint32_t value) {
  const std::uint32_t base = address & ~3U;
  if (size == 4) return write_register(base, value);
  const unsigned shift = 8 * (address & 3);
  const std::uint32_t mask = ((1U << (8 * size)) - 1) << shift;
  const std::uint32_t old = merges_bytes(base) ? read_register(base, Purpose::Debug) : 0;
  write_register(base, (old & ~mask) | (value << shift & mask));
}

std::uint32_t Core::read_register(std::uint32_t address, Purpose purpose) {
  if (in(address, kSystick, kSystickEnd)) return read_systick(address, purpose);
  if (in(address, kIser, kIprEnd)) return read_nvic(address);
  if (in(address, kShpr1, kShprEnd)) return read_priorities(kMemManage + (address - kShpr1));
  if (in(address, kFeatures, kFeaturesEnd)) return kFeatureRegisters[(address - kFeatures) / 4];
  switch (address) {
    case kIctr:
      return (config_.irq_count - 1) / 32;
    case kActlr:
      return s_.actlr;
    case kCpuid:
      return config_.cpuid;
    case kIcsr:
      return read_icsr();
    case kVtor:
      return s_.vtor;
    case kAircr:
      return 0xFA050000 | s_.prigroup << 8;
    case kScr:
      return s_.scr;
    case kCcr:
      return s_.ccr;
    case kShcsr:
      return read_shcsr();
    case kCfsr:
      return s_.cfsr;
    case kHfsr:
      return s_.hfsr;
    case kDfsr:
      return s_.dfsr;
    case kMmfar:
      return s_.mmfar;
    case kBfar:
      return s_.bfar;
    case kDemcr:
      return s_.demcr;
    case kDwtCtrl:
      return kDwtReset | s_.dwt_ctrl;
    case kDwtCyccnt:
      return (s_.dwt_ctrl & kCycleCounting) != 0
                 ? static_cast<std::uint32_t>(s_.cycles - s_.cyccnt_base)
                 : s_.cyccnt_stopped;
    default:
      return 0;
  }
}

void Core::write_register(std::uint32_t address, std::uint32_t value) {
  if (in(address, kSystick, kSystickEnd)) return write_systick(address, value);
  if (in(address, kIser, kIprEnd)) return write_nvic(address, value);
  if (in(address, kShpr1, kShprEnd))
    return write_priorities(kMemManage + (address - kShpr1), value);
  switch (address) {
    case kActlr:
      s_.actlr = value & 7;
      break;
    case kIcsr:
      write_icsr(value);
      break;
    case kVtor:
      s_.vtor = value & 0x3FFFFF80;
      break;
    case kAircr:
      write_aircr(value);
      break;
    case kScr:
      s_.scr = value & 0x16;
      break;
    case kCcr:
      s_.ccr = value & 0x31B;
      break;
    case kShcsr:
      write_shcsr(value);
      break;
    case kCfsr:
      s_.cfsr &= ~value;
      break;
    case kHfsr:
      s_.hfsr &= ~value;
      break;
    case kDfsr:
      s_.dfsr &= ~value;
      break;
    case kMmfar:
      s_.mmfar = value;
      break;
    case kBfar:
      s_.bfar = value;
      break;
    case kDemcr:
      s_.demcr = value & 0x010F07F1;
      break;
    case kDwtCtrl:
      write_dwt_ctrl(value);
      break;
    case kDwtCyccnt:
      s_.cyccnt_stopped = value;
      s_.cyccnt_base = s_.cycles - value;
      break;
    case kStir:
      if ((value & 0x1FF) < config_.irq_count) pend(kIrq0 + (value & 0x1FF));
      break;
    default:
      break;
  }
}

/// CYCCNT counts only while DEMCR.TRCENA is set, which must come first (C1.8.5).
void Core::write_dwt_ctrl(std::uint32_t value) {
  if ((s_.demcr & kTraceEnable) == 0) return;
  if ((s_.dwt_ctrl & kCycleCounting) != 0) {
    s_.cyccnt_stopped = static_cast<std::uint32_t>(s_.cycles - s_.cyccnt_base);
  }
  s_.dwt_ctrl = value & kCycleCounting;
  s_.cyccnt_base = s_.cycles - s_.cyccnt_stopped;
}

std::uint32_t Core::read_nvic(std::uint32_t address) const {
  if (address >= kIpr) return read_priorities(kIrq0 + (address - kIpr));
  const unsigned first = (address & 0x1F) * 8;
  switch (address & ~0x7FU) {
    case kIser:
    case kIcer:
      return word_of(s_.enabled, first);
    case kIspr:
    case kIcpr:
      return word_of(s_.pending, first);
    case kIabr:
      return word_of(s_.active, first);
    default:
      return 0;
  }
}

void Core::write_nvic(std::uint32_t address, std::uint32_t value) {
  if (address >= kIpr) return write_priorities(kIrq0 + (address - kIpr), value);
  for (unsigned i = 0; i < 32; ++i) {
    const unsigned line = (address & 0x1F) * 8 + i;
    if ((value >> i & 1) == 0 || line >= config_.irq_count) continue;
    const unsigned number = kIrq0 + line;
    switch (address & ~0x7FU) {
      case kIser:
        s_.enabled.assign(number, true);
        break;
      case kIcer:
        s_.enabled.assign(number, false);
        break;
      case kIspr:
        pend(number);
        break;
      case kIcpr:
        s_.pending.assign(number, s_.level.test(number) && !s_.active.test(number));
        break;
      default:
        break;
    }
  }
  attention();
}

/// Four priority bytes, of exceptions `first` and up.
std::uint32_t Core::read_priorities(unsigned first) const {
  std::uint32_t word = 0;
  for (unsigned i = 0; i < 4; ++i) {
    if (first + i < 256) word |= std::uint32_t{s_.priority[first + i]} << (8 * i);
  }
  return word;
}

void Core::write_priorities(unsigned first, std::uint32_t value) {
  const std::uint32_t implemented = 0xFF00U >> config_.priority_bits & 0xFF;
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned number = first + i;
    const bool reserved = (number > kUsageFault && number < kSvCall) || number == 13;
    if (reserved || number >= kIrq0 + config_.irq_count) continue;
    s_.priority[number] = static_cast<std::uint8_t>(value >> (8 * i) & implemented);
  }
  attention();
}

std::uint32_t Core::read_icsr() const {
  unsigned active = 0;
  bool interrupt_pending = false;
  for (unsigned n = 1; n < 256; ++n) {
    active += s_.active.test(n) ? 1 : 0;
    interrupt_pending |= n >= kIrq0 && s_.pending.test(n);
  }
  const bool only_one_active = active <= 1;
  const auto bit = [](bool on, unsigned at) { return static_cast<std::uint32_t>(on) << at; };
  constexpr int kAnyPriority = 257;
  return s_.ipsr | bit(s_.ipsr != 0 && only_one_active, 11) | best_pending(kAnyPriority) << 12 |
         bit(interrupt_pending, 22) | bit(s_.pending.test(kSysTick), 26) |
         bit(s_.pending.test(kPendSv), 28) | bit(s_.pending.test(kNmi), 31);
}

void Core::write_icsr(std::uint32_t value) {
  if ((value >> 31 & 1) != 0) pend(kNmi);
  if ((value >> 27 & 1) != 0) s_.pending.assign(kPendSv, false);
  if ((value >> 28 & 1) != 0) pend(kPendSv);
  if ((value >> 25 & 1) != 0) s_.pending.assign(kSysTick, false);
  if ((value >> 26 & 1) != 0) pend(kSysTick);
}

void Core::write_aircr(std::uint32_t value) {
  constexpr std::uint32_t kKey = 0x05FA0000, kSysResetReq = 1U << 2;
  if ((value & 0xFFFF0000) != kKey) return;
  s_.prigroup = value >> 8 & 7;
  attention();
  if ((value & kSysResetReq) == 0) return;
  bus_.reset_requested();
  stop_ = Stop::ResetRequested;
}

std::uint32_t Core::read_shcsr() const {
  std::uint32_t word = 0;
  for (const auto& b : kActiveBits) word |= std::uint32_t{s_.active.test(b.exception)} << b.bit;
  for (const auto& b : kPendingBits) word |= std::uint32_t{s_.pending.test(b.exception)} << b.bit;
  for (const auto& b : kEnableBits) word |= std::uint32_t{s_.enabled.test(b.exception)} << b.bit;
  return word;
}

void Core::write_shcsr(std::uint32_t value) {
  const auto set = [value](ExceptionSet& set_of, std::span<const HandlerBit> bits) {
    for (const auto& b : bits) set_of.assign(b.exception, (value >> b.bit & 1) != 0);
  };
  set(s_.active, kActiveBits);
  set(s_.pending, kPendingBits);
  set(s_.enabled, kEnableBits);
  attention();
}

}  // namespace sureflash::sim::cpu
