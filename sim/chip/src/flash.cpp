#include "sureflash/sim/chip/flash.hpp"

#include <algorithm>

namespace sureflash::sim {

Flash::Flash(FlashGeometry geometry, FlashOperations& operations)
    : geometry_(std::move(geometry)),
      range_(geometry_.range()),
      operations_(&operations),
      bytes_(range_.size(), geometry_.erased),
      protected_(geometry_.sector_count()),
      wear_(geometry_.sector_count()),
      weak_(geometry_.sector_count()) {}

void Flash::read(std::uint32_t address, ByteSpan out) const {
  const std::size_t offset = address - geometry_.base;
  std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
}

FlashOutcome Flash::check_program(std::uint32_t address, ByteView unit) const {
  if (unit.size() != geometry_.program_unit || address % geometry_.program_unit != 0) {
    return FlashOutcome::Misaligned;
  }
  const auto sector = geometry_.sector_at(address);
  if (!sector) return FlashOutcome::OutOfRange;
  if (is_protected(sector->index)) return FlashOutcome::WriteProtected;
  if (geometry_.overprogram == Overprogram::And) return FlashOutcome::Ok;
  const bool all_zero = std::ranges::all_of(unit, [](std::uint8_t b) { return b == 0; });
  if (all_zero && geometry_.overprogram == Overprogram::RefuseButZero) return FlashOutcome::Ok;
  const ByteView now = ByteView(bytes_).subspan(address - geometry_.base, unit.size());
  const bool erased =
      std::ranges::all_of(now, [&](std::uint8_t b) { return b == geometry_.erased; });
  return erased ? FlashOutcome::Ok : FlashOutcome::NotErased;
}

FlashResult Flash::program(std::uint32_t address, ByteView unit) {
  if (!operations_->powered()) return {FlashOutcome::PowerLost, {}};
  if (const FlashOutcome refused = check_program(address, unit); refused != FlashOutcome::Ok) {
    return {refused, {}};
  }
  const std::size_t offset = address - geometry_.base;
  const Duration duration = geometry_.times.program_unit.pick(choice_);
  const FlashFault fault = operations_->begin(FlashOperation::Program);
  if (fault == FlashFault::CutBefore) return {FlashOutcome::PowerLost, {}};
  if (fault == FlashFault::DropWrite) return {FlashOutcome::Ok, duration};
  if (fault == FlashFault::CutDuring || fault == FlashFault::CutLate) {
    weak_[geometry_.sector_at(address)->index] = true;
  }
  if (fault == FlashFault::CutDuring) {
    tear_program(offset, unit);
    apply_stuck_bits();
    return {FlashOutcome::PowerLost, duration / 2};
  }
  for (std::size_t i = 0; i < unit.size(); ++i) {
    std::uint8_t& cell = bytes_[offset + i];
    // Programming moves bits away from the erased value and never back.
    cell = geometry_.erased == 0xFF ? static_cast<std::uint8_t>(cell & unit[i])
                                    : static_cast<std::uint8_t>(cell | unit[i]);
  }
  if (fault == FlashFault::FlipBit) {
    const std::uint64_t r = operations_->random(0);
    bytes_[offset + r % unit.size()] ^= static_cast<std::uint8_t>(1U << (r >> 32) % 8);
  }
  apply_stuck_bits();
  if (fault == FlashFault::CutAfter || fault == FlashFault::CutLate) {
    return {FlashOutcome::PowerLost, duration};
  }
  return {FlashOutcome::Ok, duration};
}

FlashResult Flash::erase_sector(std::uint32_t address) {
  if (!operations_->powered()) return {FlashOutcome::PowerLost, {}};
  const auto sector = geometry_.sector_at(address);
  if (!sector) return {FlashOutcome::OutOfRange, {}};
  if (is_protected(sector->index)) return {FlashOutcome::WriteProtected, {}};
  return erase(sector->range, geometry_.times.erase(sector->range.size()).pick(choice_));
}

FlashResult Flash::mass_erase() {
  if (!operations_->powered()) return {FlashOutcome::PowerLost, {}};
  if (std::ranges::find(protected_, true) != protected_.end()) {
    return {FlashOutcome::WriteProtected, {}};
  }
  AddressRange range = range_;
  if (secure_from_ < protected_.size()) range.end = geometry_.sector(secure_from_).range.begin;
  return erase(range, geometry_.times.mass_erase.pick(choice_));
}

FlashResult Flash::erase(AddressRange range, Duration duration) {
  const FlashFault fault = operations_->begin(FlashOperation::Erase);
  if (fault == FlashFault::CutBefore) return {FlashOutcome::PowerLost, {}};
  if (fault == FlashFault::SkipErase) return {FlashOutcome::Ok, duration};
  for (std::size_t i = 0; i < wear_.size(); ++i) {
    if (!range.contains(geometry_.sector(i).range)) continue;
    ++wear_[i];
    weak_[i] = fault == FlashFault::CutDuring || fault == FlashFault::CutLate;
  }
  const std::size_t offset = range.begin - range_.begin;
  if (fault == FlashFault::CutDuring) {
    tear_erase(offset, range.size());
    apply_stuck_bits();
    return {FlashOutcome::PowerLost, duration / 2};
  }
  std::fill_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), range.size(), geometry_.erased);
  apply_stuck_bits();
  if (fault == FlashFault::CutAfter || fault == FlashFault::CutLate)
    return {FlashOutcome::PowerLost, duration};
  return {FlashOutcome::Ok, duration};
}

/// Each bit that was to change has changed or has not.
void Flash::tear_program(std::size_t offset, ByteView unit) {
  for (std::size_t i = 0; i < unit.size(); ++i) {
    std::uint8_t& cell = bytes_[offset + i];
    const auto changing =
        static_cast<std::uint8_t>(geometry_.erased == 0xFF ? cell & ~unit[i] : ~cell & unit[i]);
    cell ^= static_cast<std::uint8_t>(changing & operations_->random(i));
  }
}

/// Bits go back to the erased value one by one; how far the erase came is the same for all of them.
void Flash::tear_erase(std::size_t offset, std::size_t size) {
  const std::uint64_t progress = operations_->random(~std::uint64_t{0}) % 3;
  for (std::size_t i = 0; i < size; ++i) {
    std::uint8_t& cell = bytes_[offset + i];
    const std::uint64_t r = operations_->random(i);
    const std::uint64_t bits = progress == 0   ? r & r >> 8 & r >> 16   // few bits are back
                               : progress == 1 ? r                      // half of them
                                               : r | r >> 8 | r >> 16;  // nearly all
    cell ^= static_cast<std::uint8_t>((cell ^ geometry_.erased) & bits);
  }
}

void Flash::stick_bit(std::uint32_t address, unsigned bit, bool value) {
  stuck_.push_back({address - geometry_.base, static_cast<std::uint8_t>(1U << bit), value});
  apply_stuck_bits();
}

void Flash::apply_stuck_bits() {
  for (const StuckBit& s : stuck_) {
    std::uint8_t& cell = bytes_[s.offset];
    cell = static_cast<std::uint8_t>(s.value ? cell | s.mask : cell & ~s.mask);
  }
}

void Flash::load(std::uint32_t address, ByteView bytes) {
  const auto offset = static_cast<std::ptrdiff_t>(address - geometry_.base);
  std::copy(bytes.begin(), bytes.end(), bytes_.begin() + offset);
  apply_stuck_bits();
}

}  // namespace sureflash::sim
