#pragma once

#include <cstdint>
#include <vector>

#include "sureflash/base/bytes.hpp"
#include "sureflash/sim/chip/geometry.hpp"
#include "sureflash/sim/chip/operations.hpp"

namespace sureflash::sim {

enum class FlashOutcome : std::uint8_t {
  Ok,
  NotErased,       ///< the unit was not erased; nothing stored (PGERR)
  WriteProtected,  ///< nothing changed (WRPRTERR)
  OutOfRange,
  Misaligned,  ///< address or length is not one program unit
  PowerLost,   ///< no power, before, during or right after the operation
};

struct FlashResult {
  FlashOutcome outcome = FlashOutcome::Ok;
  /// Time the memory was busy. The caller lets it pass.
  Duration duration{};
};

/// A NOR flash memory that refuses what silicon refuses. It has no clock: each operation says how
/// long it took. Wrong use (out of range, misaligned, protected) costs no time and is not counted
/// as an operation.
class Flash {
 public:
  /// `operations` is shared by all memories of a chip and must outlive them.
  Flash(FlashGeometry geometry, FlashOperations& operations);

  const FlashGeometry& geometry() const { return geometry_; }
  AddressRange range() const { return range_; }
  ByteView bytes() const { return bytes_; }
  /// Copies [address, address + out.size()). Precondition: inside range().
  void read(std::uint32_t address, ByteSpan out) const;

  /// Programs one unit.
  FlashResult program(std::uint32_t address, ByteView unit);
  /// Erases the sector that contains `address`.
  FlashResult erase_sector(std::uint32_t address);
  /// Erases everything, or nothing if any sector is write-protected.
  FlashResult mass_erase();

  /// From now on programs units of another size, in other times: what a part does that is told its
  /// supply (F2, F4, F7).
  void set_mode(std::uint32_t program_unit, FlashTimes times) {
    geometry_.program_unit = program_unit;
    geometry_.times = std::move(times);
  }
  void set_time_choice(TimeChoice choice) { choice_ = choice; }
  TimeChoice time_choice() const { return choice_; }
  /// One flag per sector; true = protected. Precondition: as many as sectors.
  void set_protection(std::vector<bool> sectors) { protected_ = std::move(sectors); }
  /// Sectors from this one on belong to somebody else: changed by nothing, spared by a mass erase.
  void set_secure_from(std::size_t sector) { secure_from_ = sector; }
  bool is_protected(std::size_t sector) const {
    return protected_[sector] || sector >= secure_from_;
  }
  /// Number of erases each sector has seen in its life.
  const std::vector<std::uint32_t>& wear() const { return wear_; }

  /// Sectors in which an operation was cut short, and which were not erased since: whatever they
  /// read as, they may not keep it.
  const std::vector<bool>& weak() const { return weak_; }

  /// From now on this bit always reads `value`, whatever is erased or programmed.
  void stick_bit(std::uint32_t address, unsigned bit, bool value);

  /// What a debugger or a programmer in the factory would do: no rules, no time, no wear.
  void load(std::uint32_t address, ByteView bytes);
  void load_wear(std::vector<std::uint32_t> wear) { wear_ = std::move(wear); }

 private:
  struct StuckBit {
    std::size_t offset;
    std::uint8_t mask;
    bool value;
  };

  FlashOutcome check_program(std::uint32_t address, ByteView unit) const;
  FlashResult erase(AddressRange range, Duration duration);
  void tear_program(std::size_t offset, ByteView unit);
  void tear_erase(std::size_t offset, std::size_t size);
  void apply_stuck_bits();

  FlashGeometry geometry_;
  AddressRange range_;
  FlashOperations* operations_;
  Bytes bytes_;
  std::vector<bool> protected_;
  std::size_t secure_from_ = SIZE_MAX;
  std::vector<std::uint32_t> wear_;
  std::vector<bool> weak_;
  std::vector<StuckBit> stuck_;
  TimeChoice choice_ = TimeChoice::Typical;
};

}  // namespace sureflash::sim
