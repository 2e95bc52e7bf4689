#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sureflash/base/address_range.hpp"
#include "sureflash/base/error.hpp"

/// The memory a DfuSe alternate setting gives access to. Source: UM0424, 4.3.2;
/// dfuse.md 2.10, 2.11.
namespace sureflash::stm32 {

/// What a host may do with a sector. Letter 'a' to 'g' of a layout string: the low three bits.
struct Access {
  bool readable = false;
  bool erasable = false;
  bool writable = false;
  friend bool operator==(const Access&, const Access&) = default;
};

/// Equal sectors one after another. (Sector: the unit of erasing.)
struct SectorRun {
  AddressRange range;
  std::uint64_t sector_size = 0;
  Access access;

  std::uint64_t count() const { return range.size() / sector_size; }
  /// The sector that holds `address`. Precondition: range.contains(address).
  AddressRange sector_at(std::uint64_t address) const;
  friend bool operator==(const SectorRun&, const SectorRun&) = default;
};

class MemoryMap {
 public:
  MemoryMap() = default;
  MemoryMap(std::string name, std::vector<SectorRun> runs)
      : name_(std::move(name)), runs_(std::move(runs)) {}

  /// "Internal Flash", "Option Bytes", …: trimmed.
  const std::string& name() const { return name_; }
  std::span<const SectorRun> runs() const { return runs_; }
  /// Size of all runs, in bytes.
  std::uint64_t size() const;
  /// From the first to one past the last byte, gaps included.
  AddressRange bounds() const;

  const SectorRun* run_at(std::uint64_t address) const;
  /// Whether every byte of `range` is in the map.
  bool contains(AddressRange range) const;
  /// All bytes of `range` that are in the map and that `wanted` allows are; the first that is not.
  std::optional<std::uint64_t> first_without(AddressRange range, bool Access::*wanted) const;
  /// The sectors that `range` touches, in rising order; parts outside the map are passed over.
  /// Bounded by the caller's range: a map may claim 10^9 sectors.
  std::vector<AddressRange> sectors(AddressRange range) const;

  friend bool operator==(const MemoryMap&, const MemoryMap&) = default;

 private:
  std::string name_;
  std::vector<SectorRun> runs_;
};

/// Parses a layout string by the tolerant grammar of dfuse.md 2.10: everything that real devices
/// were seen to send. Errors: NoLayout (does not start with '@'), BadLayout (naming the position;
/// also zero counts or sizes, overlaps, ends beyond 0x1'0000'0000, more than kRunsMax runs).
Result<MemoryMap> parse_layout(std::string_view layout);

inline constexpr std::size_t kRunsMax = 256;

}  // namespace sureflash::stm32
