#include <algorithm>

#include "sureflash/sim/model/cube_dfu.hpp"

namespace sureflash::sim {

namespace {
/// FLASH_ERASE_TIME and FLASH_PROGRAM_TIME.
constexpr std::uint8_t kAnnouncedMs = 50;
constexpr std::size_t kWord = 4;
constexpr std::size_t kHalfWord = 2;
}  // namespace

CubeMedia::Outcome F107ExampleMedia::erase(std::uint32_t) {
  Outcome outcome;
  const FlashGeometry& geometry = chip_->flash().geometry();
  for (auto sector = geometry.sector_at(kApplicationBase); sector && outcome.ok;) {
    const FlashResult result =
        chip_->flash().erase_sector(static_cast<std::uint32_t>(sector->range.begin));
    outcome.duration += result.duration;
    outcome.power_lost = result.outcome == FlashOutcome::PowerLost;
    outcome.ok = result.outcome == FlashOutcome::Ok;
    sector = geometry.sector_at(static_cast<std::uint32_t>(sector->range.end));
  }
  return outcome;
}

/// HAL_FLASH_Program of one word: two half-words; outside flash they are plain stores.
bool F107ExampleMedia::program_word(std::uint32_t address, ByteView word, Outcome& outcome) {
  const AddressRange ram = chip_->description().ram;
  const auto target = AddressRange::sized(address, kWord);
  if (ram.contains(target)) {
    std::ranges::copy(word,
                      chip_->ram().begin() + static_cast<std::ptrdiff_t>(address - ram.begin));
    return true;
  }
  if (!chip_->flash().range().contains(target)) {
    outcome.crashed = true;
    return false;
  }
  for (std::size_t i = 0; i < kWord; i += kHalfWord) {
    const FlashResult result =
        chip_->flash().program(static_cast<std::uint32_t>(address + i), word.subspan(i, kHalfWord));
    outcome.duration += result.duration;
    outcome.power_lost = result.outcome == FlashOutcome::PowerLost;
    outcome.crashed = result.outcome == FlashOutcome::Misaligned;
    if (result.outcome != FlashOutcome::Ok) return false;
  }
  return true;
}

CubeMedia::Outcome F107ExampleMedia::write(std::uint32_t address, ByteView buffer,
                                           std::size_t length) {
  Outcome outcome;
  for (std::size_t i = 0; i < length; i += kWord) {
    const auto at = static_cast<std::uint32_t>(address + i);
    const ByteView word = buffer.subspan(i, kWord);
    std::array<std::uint8_t, kWord> stored{};
    if (!program_word(at, word, outcome) || !chip_->read(at, stored) ||
        !std::ranges::equal(word, stored)) {
      outcome.ok = false;
      return outcome;
    }
  }
  return outcome;
}

CubeMedia::Read F107ExampleMedia::read(std::uint32_t address, ByteSpan out) {
  if (out.size() > transfer_size_ || !chip_->read(address, out)) return Read::Crashed;
  return Read::Data;
}

/// The second byte is built with a left instead of a right shift: always 0.
std::array<std::uint8_t, 3> F107ExampleMedia::poll(bool) const {
  return {kAnnouncedMs, 0, 0};
}

}  // namespace sureflash::sim
