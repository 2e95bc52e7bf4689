#include "dma.hpp"

namespace sureflash::sim {
namespace {

constexpr std::uint32_t kIsr = 0x00, kIfcr = 0x04, kFirst = 0x08, kStride = 0x14;
constexpr std::uint32_t kCcr = 0x00, kCndtr = 0x04, kCpar = 0x08, kCmar = 0x0C;
// CCR, 13.4.3.
constexpr std::uint32_t kEn = 1U << 0, kDir = 1U << 4, kCirc = 1U << 5, kPinc = 1U << 6,
                        kMinc = 1U << 7, kMem2mem = 1U << 14;
// Flags of one channel, 13.4.1; the enables in CCR are in the same places.
constexpr std::uint32_t kGif = 1, kTcif = 2, kHtif = 4, kTeif = 8;

constexpr unsigned unit(std::uint32_t ccr, unsigned shift) {
  return 1U << (ccr >> shift & 3);
}

}  // namespace

void Dma::reset() {
  s_ = {};
  update_irq();
}

std::uint32_t Dma::peek(std::uint32_t offset) const {
  if (offset == kIsr) return s_.isr;
  if (offset < kFirst || (offset - kFirst) / kStride >= count()) return 0;
  const DmaState::Channel& channel = s_.channels[(offset - kFirst) / kStride];
  switch ((offset - kFirst) % kStride) {
    case kCcr:
      return channel.ccr;
    case kCndtr:
      return channel.left;
    case kCpar:
      return channel.cpar;
    case kCmar:
      return channel.cmar;
    default:
      return 0;
  }
}

void Dma::write(std::uint32_t offset, std::uint32_t value) {
  if (offset == kIfcr) {
    for (unsigned i = 0; i < count(); ++i) {
      const std::uint32_t clear = value >> 4 * i & 15;
      s_.isr &= ~((clear & kGif) != 0 ? 15U << 4 * i : clear << 4 * i);
    }
    return update_irq();
  }
  if (offset < kFirst || (offset - kFirst) / kStride >= count()) return;
  const unsigned index = (offset - kFirst) / kStride;
  DmaState::Channel& channel = s_.channels[index];
  const bool enabled = (channel.ccr & kEn) != 0;
  switch ((offset - kFirst) % kStride) {
    case kCcr:
      channel.ccr = value & 0x7FFF;
      if (!enabled) channel.done = 0;
      break;
    case kCndtr:  // these three only while the channel is off
      if (!enabled) channel.left = channel.reload = value & 0xFFFF;
      break;
    case kCpar:
      if (!enabled) channel.cpar = value;
      break;
    case kCmar:
      if (!enabled) channel.cmar = value;
      break;
    default:
      return;
  }
  if ((channel.ccr & (kEn | kMem2mem)) == (kEn | kMem2mem)) {
    for (std::uint32_t left = channel.left; left != 0 && request(index + 1); --left) {
    }
  }
  update_irq();
}

bool Dma::move(DmaState::Channel& channel) {
  const unsigned peripheral_size = unit(channel.ccr, 8), memory_size = unit(channel.ccr, 10);
  std::uint32_t peripheral = channel.cpar, memory = channel.cmar;
  if ((channel.ccr & kPinc) != 0) peripheral += channel.done * peripheral_size;
  if ((channel.ccr & kMinc) != 0) memory += channel.done * memory_size;
  const bool from_memory = (channel.ccr & kDir) != 0;
  std::uint32_t value = 0;
  return from_memory ? bus_.read(memory, memory_size, value) &&
                           bus_.write(peripheral, peripheral_size, value)
                     : bus_.read(peripheral, peripheral_size, value) &&
                           bus_.write(memory, memory_size, value);
}

bool Dma::request(unsigned number) {
  const unsigned index = number - 1;
  DmaState::Channel& channel = s_.channels[index];
  if ((channel.ccr & kEn) == 0 || channel.left == 0) return false;
  if (!move(channel)) {
    channel.ccr &= ~kEn;  // 13.3.5, error management
    set_flags(index, kTeif);
    return false;
  }
  ++channel.done;
  --channel.left;
  if (channel.left == channel.reload / 2) set_flags(index, kHtif);
  if (channel.left == 0) {
    set_flags(index, kTcif);
    if ((channel.ccr & kCirc) != 0) {
      channel.left = channel.reload;
      channel.done = 0;
    }
  }
  return true;
}

void Dma::set_flags(unsigned index, std::uint32_t flags) {
  s_.isr |= (flags | kGif) << 4 * index;
  update_irq();
}

/// Source: RM0008, table 61.
void Dma::update_irq() {
  constexpr unsigned kIrqDma1 = 11, kIrqDma2 = 56;
  for (unsigned i = 0; i < count(); ++i) {
    const std::uint32_t enabled = s_.channels[i].ccr & (kTcif | kHtif | kTeif);
    chip_.set_irq((number_ == 1 ? kIrqDma1 : kIrqDma2) + i, (s_.isr >> 4 * i & enabled) != 0);
  }
}

}  // namespace sureflash::sim
