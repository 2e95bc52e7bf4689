#pragma once

#include <cstdint>
#include <vector>

#include "sureflash/base/bytes.hpp"

namespace sureflash::sim {

/// What goes wrong with one flash operation.
enum class FlashFault : std::uint8_t {
  None,
  CutBefore,  ///< power is lost, nothing has changed
  CutDuring,  ///< power is lost, the unit or the sector is left half changed
  CutAfter,   ///< power is lost after the operation was complete
  CutLate,    ///< power is lost when every cell reads as it should, but will not keep it
  DropWrite,  ///< programming reports success and stores nothing
  FlipBit,    ///< programming stores one bit wrong
  SkipErase,  ///< erasing reports success and erases nothing
};

/// Applies to operations number `first` to `last`, both included. Numbers start at 0. Cuts count
/// all operations; write faults count program operations only, erase faults erases only.
struct FlashFaultRule {
  FlashFault kind = FlashFault::None;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

enum class FlashOperation : std::uint8_t { Program, Erase };

/// Counts the operations of all flash memories of one chip, decides what goes wrong with which, and
/// holds whether the chip still has power. The same seed and rules give the same bits.
class FlashOperations {
 public:
  explicit FlashOperations(std::uint64_t seed = 0) : seed_(seed) {}

  void add(FlashFaultRule rule) { rules_.push_back(rule); }
  void clear_rules() { rules_.clear(); }
  /// Called by a flash memory for each operation it begins. Precondition: powered().
  FlashFault begin(FlashOperation operation);

  bool powered() const { return powered_; }
  void lose_power() { powered_ = false; }
  void restore_power() { powered_ = true; }

  std::uint64_t count() const { return programs_ + erases_; }
  std::uint64_t program_count() const { return programs_; }
  std::uint64_t erase_count() const { return erases_; }
  /// 64 bits that depend on the seed, the number of the operation and `index` only.
  std::uint64_t random(std::uint64_t index) const;

 private:
  std::uint64_t seed_;
  std::vector<FlashFaultRule> rules_;
  std::uint64_t programs_ = 0;
  std::uint64_t erases_ = 0;
  bool powered_ = true;
};

/// SplitMix64: a good 64-bit mix, the same on every machine.
constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

/// Fills `bytes` with what depends on the seed only.
void fill_noise(ByteSpan bytes, std::uint64_t seed);

}  // namespace sureflash::sim
