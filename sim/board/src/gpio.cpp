#include "gpio.hpp"

namespace sureflash::sim {
namespace {

constexpr std::uint32_t kCrl = 0x00, kCrh = 0x04, kIdr = 0x08, kOdr = 0x0C, kBsrr = 0x10,
                        kBrr = 0x14, kLckr = 0x18;
/// All pins floating inputs (9.2.1).
constexpr std::uint32_t kCrReset = 0x44444444;
constexpr std::uint32_t kLckk = 1U << 16;
// CNF of table 20.
constexpr std::uint32_t kPull = 2, kOpenDrain = 1;

}  // namespace

Gpio::Gpio(Chipset& chip, char port, Listener listener)
    : chip_(chip), port_(port), listener_(std::move(listener)) {
  s_.crl = s_.crh = kCrReset;
}

void Gpio::reset() {
  s_.crl = s_.crh = kCrReset;
  s_.odr = s_.lckr = 0;
  s_.lock_step = 0;
  update();
}

std::uint32_t Gpio::peek(std::uint32_t offset) const {
  switch (offset) {
    case kCrl:
      return s_.crl;
    case kCrh:
      return s_.crh;
    case kIdr: {
      // Analog inputs have their Schmitt trigger off and read 0 (9.1.12).
      std::uint32_t value = s_.levels;
      for (unsigned pin = 0; pin < kPins; ++pin) {
        if (mode(pin) == 0) value &= ~(1U << pin);
      }
      return value;
    }
    case kOdr:
      return s_.odr;
    case kLckr:
      return s_.lckr;
    default:
      return 0;
  }
}

void Gpio::write(std::uint32_t offset, std::uint32_t value) {
  const auto configure = [&](std::uint32_t& reg, unsigned first) {
    std::uint32_t mask = 0xFFFFFFFF;
    for (unsigned i = 0; i < 8; ++i) {
      const bool locked = (s_.lckr & kLckk) != 0 && (s_.lckr >> (first + i) & 1) != 0;
      if (locked) mask &= ~(15U << 4 * i);
    }
    reg = (reg & ~mask) | (value & mask);
  };
  switch (offset) {
    case kCrl:
      configure(s_.crl, 0);
      break;
    case kCrh:
      configure(s_.crh, 8);
      break;
    case kOdr:
      s_.odr = value & 0xFFFF;
      break;
    case kBsrr:  // setting has priority (9.2.5)
      s_.odr = (s_.odr & ~(value >> 16)) | (value & 0xFFFF);
      break;
    case kBrr:
      s_.odr &= ~(value & 0xFFFF);
      break;
    case kLckr:
      return write_lock(value);
    default:
      return;
  }
  update();
}

/// LCKK: write 1, write 0, write 1, with the same pins (9.2.7).
void Gpio::write_lock(std::uint32_t value) {
  if ((s_.lckr & kLckk) != 0) return;
  const bool key = (value & kLckk) != 0;
  const std::uint32_t pins = value & 0xFFFF;
  const bool same = s_.lock_step == 0 || pins == s_.lckr;
  const bool expected = key == (s_.lock_step != 1);
  s_.lock_step = same && expected ? s_.lock_step + 1 : 0;
  s_.lckr = pins;
  if (s_.lock_step == 3) s_.lckr |= kLckk;
}

void Gpio::drive(unsigned pin, PinInput level) {
  s_.outside[pin] = level;
  update();
}

/// Whether the port itself drives the pin; alternate functions do not belong to it.
bool Gpio::driven(unsigned pin) const {
  const std::uint32_t cnf = mode(pin) >> 2;
  if (is_input(pin) || cnf >= 2) return false;
  return cnf != kOpenDrain || (s_.odr >> pin & 1) == 0;
}

bool Gpio::resolve(unsigned pin) const {
  const bool odr = (s_.odr >> pin & 1) != 0;
  if (driven(pin)) return odr;
  if (s_.outside[pin] != PinInput::Floating) return s_.outside[pin] == PinInput::High;
  return is_input(pin) && mode(pin) >> 2 == kPull && odr;
}

void Gpio::update() {
  for (unsigned pin = 0; pin < kPins; ++pin) {
    const std::uint32_t mask = 1U << pin;
    const bool high = resolve(pin);
    const bool output = !is_input(pin) && mode(pin) >> 2 < 2;
    if (output && high != ((s_.outputs & mask) != 0)) {
      s_.outputs ^= mask;
      chip_.emit(PinChanged{port_, pin, high});
    }
    if (high == level(pin)) continue;
    s_.levels ^= mask;
    listener_(port_, pin, high);
  }
}

}  // namespace sureflash::sim
