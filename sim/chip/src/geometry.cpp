#include "sureflash/sim/chip/geometry.hpp"

namespace sureflash::sim {

TimeRange FlashTimes::erase(std::uint64_t sector_size) const {
  for (const OfSize& of : erase_of_size) {
    if (of.sector_size == sector_size) return of.erase;
  }
  const auto kib = static_cast<Duration::rep>(sector_size / 1024);
  const auto sum = [&](Duration TimeRange::*figure) {
    return erase_fixed.*figure + erase_per_kib.*figure * kib;
  };
  return {sum(&TimeRange::min), sum(&TimeRange::typical), sum(&TimeRange::max)};
}

AddressRange FlashGeometry::range() const {
  std::uint64_t size = 0;
  for (const SectorRun& run : runs) size += std::uint64_t{run.count} * run.size;
  return AddressRange::sized(base, size);
}

std::size_t FlashGeometry::sector_count() const {
  std::size_t count = 0;
  for (const SectorRun& run : runs) count += run.count;
  return count;
}

std::optional<Sector> FlashGeometry::sector_at(std::uint32_t address) const {
  std::uint64_t begin = base;
  std::size_t index = 0;
  for (const SectorRun& run : runs) {
    const auto here = AddressRange::sized(begin, std::uint64_t{run.count} * run.size);
    if (here.contains(address)) {
      const std::uint64_t n = (address - begin) / run.size;
      return Sector{index + n, AddressRange::sized(begin + n * run.size, run.size)};
    }
    begin = here.end;
    index += run.count;
  }
  return std::nullopt;
}

Sector FlashGeometry::sector(std::size_t index) const {
  std::uint64_t begin = base;
  std::size_t left = index;
  for (const SectorRun& run : runs) {
    if (left < run.count) return {index, AddressRange::sized(begin + left * run.size, run.size)};
    left -= run.count;
    begin += std::uint64_t{run.count} * run.size;
  }
  return {index, {}};
}

namespace {

constexpr TimeRange kF1HalfWord{40us, 52'500ns, 70us};
constexpr TimeRange kF1Erase{20ms, 30ms, 40ms};

}  // namespace

FlashGeometry f105_flash(std::uint32_t size_kib) {
  return {.base = 0x08000000,
          .runs = {{size_kib / 2, 2048}},
          .program_unit = 2,
          .erased = 0xFF,
          .overprogram = Overprogram::RefuseButZero,
          .times = {.program_unit = kF1HalfWord, .erase_fixed = kF1Erase, .mass_erase = kF1Erase}};
}

FlashGeometry f1_option_flash() {
  return {.base = 0x1FFFF800,
          .runs = {{1, 16}},
          .program_unit = 2,
          .erased = 0xFF,
          .overprogram = Overprogram::RefuseButZero,
          .times = {.program_unit = kF1HalfWord, .erase_fixed = kF1Erase, .mass_erase = kF1Erase}};
}

}  // namespace sureflash::sim
