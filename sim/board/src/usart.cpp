#include "usart.hpp"

#include <algorithm>

namespace sureflash::sim {
namespace {

constexpr std::uint32_t kSr = 0x00, kDr = 0x04, kBrr = 0x08, kCr1 = 0x0C, kCr2 = 0x10, kCr3 = 0x14,
                        kGtpr = 0x18;
// SR, 27.6.1.
constexpr std::uint32_t kOre = 1U << 3, kIdle = 1U << 4, kRxne = 1U << 5, kTc = 1U << 6,
                        kTxe = 1U << 7;
// CR1, 27.6.4.
constexpr std::uint32_t kRe = 1U << 2, kTe = 1U << 3, kRxneie = 1U << 5, kTcie = 1U << 6,
                        kTxeie = 1U << 7, kM = 1U << 12, kUe = 1U << 13;

}  // namespace

void Usart::reset() {
  s_ = {.waiting = {}, .shifting = {}, .incoming = {}};
  update_irq();
}

std::uint32_t Usart::peek(std::uint32_t offset) const {
  switch (offset) {
    case kSr:
      return s_.sr;
    case kDr:
      return s_.dr;
    case kBrr:
      return s_.brr;
    case kCr1:
      return s_.cr1;
    case kCr2:
      return s_.cr2;
    case kCr3:
      return s_.cr3;
    case kGtpr:
      return s_.gtpr;
    default:
      return 0;
  }
}

std::uint32_t Usart::read(std::uint32_t offset) {
  const std::uint32_t value = peek(offset);
  if (offset == kSr) s_.status_read = true;
  if (offset == kDr) {
    s_.sr &= ~kRxne;
    if (s_.status_read) s_.sr &= ~(kOre | kIdle);
    s_.status_read = false;
    update_irq();
  }
  return value;
}

void Usart::write(std::uint32_t offset, std::uint32_t value) {
  switch (offset) {
    case kSr:  // TC and RXNE are cleared by writing 0
      s_.sr &= value | ~(kTc | kRxne);
      break;
    case kDr:
      send(static_cast<std::uint8_t>(value));
      break;
    case kBrr:
      s_.brr = value & 0xFFFF;
      break;
    case kCr1:
      s_.cr1 = value & 0x3FFF;
      break;
    case kCr2:
      s_.cr2 = value & 0x7F6F;
      break;
    case kCr3:
      s_.cr3 = value & 0x7FF;
      break;
    case kGtpr:
      s_.gtpr = value & 0xFFFF;
      break;
    default:
      return;
  }
  update_irq();
}

/// Start bit, 8 or 9 data bits, stop bits; BRR counts PCLK cycles of one bit (27.3.4).
Duration Usart::frame() const {
  const std::uint32_t pclk = number_ == 1 ? chip_.clocks().pclk2 : chip_.clocks().pclk1;
  const std::uint32_t bits = 10 + ((s_.cr1 & kM) != 0 ? 1 : 0) + (s_.cr2 >> 13 & 1);
  return CoreClock::nanoseconds(std::uint64_t{bits} * std::max(s_.brr, 1U), pclk);
}

void Usart::send(std::uint8_t byte) {
  if ((s_.cr1 & kUe) == 0 || (s_.cr1 & kTe) == 0) {
    return chip_.misuse("USART" + std::to_string(number_) +
                        "_DR written while UE or TE is 0: nothing is sent (RM0008, 27.3.2)");
  }
  if (s_.brr == 0) {
    return chip_.misuse("USART" + std::to_string(number_) + "_BRR is 0: nothing is sent");
  }
  s_.sr &= ~kTc;
  if (s_.shifting) {
    s_.waiting = byte;
    s_.sr &= ~kTxe;
  } else {
    begin_frame(byte);
  }
}

void Usart::begin_frame(std::uint8_t byte) {
  s_.shifting = byte;
  s_.sent_at = chip_.now() + frame();
  s_.sr |= kTxe;
}

void Usart::end_frame() {
  chip_.emit(UartSent{number_, *s_.shifting});
  s_.shifting.reset();
  s_.sent_at = kNoTime;
  if (s_.waiting) {
    begin_frame(*s_.waiting);
    s_.waiting.reset();
  } else {
    s_.sr |= kTc;
  }
}

void Usart::receive(std::uint8_t byte) {
  s_.incoming.push_back(byte);
  if (s_.received_at == kNoTime) s_.received_at = chip_.now() + frame();
}

void Usart::take_byte() {
  const std::uint8_t byte = s_.incoming.front();
  s_.incoming.pop_front();
  s_.received_at = s_.incoming.empty() ? kNoTime : chip_.now() + frame();
  if ((s_.cr1 & kUe) == 0 || (s_.cr1 & kRe) == 0) return;
  if ((s_.sr & kRxne) != 0) {
    s_.sr |= kOre;  // DR keeps what it has (27.3.3)
  } else {
    s_.dr = byte;
    s_.sr |= kRxne;
  }
}

void Usart::run_events() {
  if (s_.sent_at <= chip_.now()) end_frame();
  if (s_.received_at <= chip_.now()) take_byte();
  update_irq();
}

void Usart::update_irq() {
  const bool receive = (s_.cr1 & kRxneie) != 0 && (s_.sr & (kRxne | kOre)) != 0;
  const bool transmit = ((s_.cr1 & kTxeie) != 0 && (s_.sr & kTxe) != 0) ||
                        ((s_.cr1 & kTcie) != 0 && (s_.sr & kTc) != 0);
  constexpr unsigned kIrqUsart1 = 37;
  chip_.set_irq(kIrqUsart1 - 1 + number_, receive || transmit);
}

}  // namespace sureflash::sim
