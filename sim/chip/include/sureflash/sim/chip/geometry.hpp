#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sureflash/base/address_range.hpp"
#include "sureflash/base/time.hpp"

/// What a flash memory is, as data: one model serves every chip.
namespace sureflash::sim {

/// Which of the three figures of a data sheet the virtual silicon takes; None is no silicon.
enum class TimeChoice : std::uint8_t { Min, Typical, Max, None };

/// One line of a data sheet's timing table.
struct TimeRange {
  Duration min{};
  Duration typical{};
  Duration max{};

  constexpr Duration pick(TimeChoice choice) const {
    if (choice == TimeChoice::None) return {};
    return choice == TimeChoice::Min ? min : choice == TimeChoice::Max ? max : typical;
  }
};

struct FlashTimes {
  TimeRange program_unit;  ///< one program unit
  /// One sector: `erase_fixed + erase_per_kib * size`; the second part is zero where all sectors
  /// take the same time.
  TimeRange erase_fixed;
  TimeRange erase_per_kib{};
  TimeRange mass_erase;
  /// Where a data sheet gives a time for each size of sector (F2, F4, F7); goes before the above.
  struct OfSize {
    std::uint32_t sector_size = 0;
    TimeRange erase;
  };
  std::vector<OfSize> erase_of_size{};

  TimeRange erase(std::uint64_t sector_size) const;
};

/// What happens to a unit that is programmed without having been erased.
enum class Overprogram : std::uint8_t {
  Refuse,         ///< nothing is stored, error (most parts with ECC)
  RefuseButZero,  ///< as above, but all bits zero is always accepted (F1: PM0075, 2.3.3)
  And,            ///< bits go from erased to programmed, no error (F2, F4, F7)
};

/// `count` sectors of `size` bytes each. A sector is what one erase command erases.
struct SectorRun {
  std::uint32_t count = 0;
  std::uint32_t size = 0;
};

/// One sector of a flash memory.
struct Sector {
  std::size_t index = 0;
  AddressRange range;
};

struct FlashGeometry {
  std::uint32_t base = 0;
  /// From `base` upwards, without gaps.
  std::vector<SectorRun> runs;
  /// Bytes programmed by one operation; addresses must be a multiple of it.
  std::uint32_t program_unit = 2;
  /// What an erased byte reads: 0xFF, or 0x00 (L0, L1).
  std::uint8_t erased = 0xFF;
  Overprogram overprogram = Overprogram::RefuseButZero;
  FlashTimes times;

  AddressRange range() const;
  std::size_t sector_count() const;
  std::optional<Sector> sector_at(std::uint32_t address) const;
  /// Precondition: index < sector_count().
  Sector sector(std::size_t index) const;
};

/// STM32F105/F107 of `size_kib` (64, 128 or 256): 2 KiB pages, half-words.
/// Times: half-word 40/52.5/70 µs, page and mass erase 20…40 ms, from the F103 data sheet (DS5319,
/// table 28), which the F105 sheet is assumed to equal. The sheet has no typical erase time: 30 ms
/// is the middle of its limits.
FlashGeometry f105_flash(std::uint32_t size_kib);
/// The 16 option bytes of F1, 0x1FFFF800, as the FPEC sees them: one sector of half-words.
FlashGeometry f1_option_flash();

}  // namespace sureflash::sim
