#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sureflash/image/image.hpp"
#include "sureflash/update/target.hpp"

/// How a unit gets back into DFU mode decides in which order flash may be changed, and what an
/// interruption leaves behind.
namespace sureflash::update {

/// The way back when there is no whole application.
enum class WayBack : std::uint8_t {
  BootPin,     ///< BOOT0 or a button that selects the ROM
  EntryCode,   ///< code of the application jumps to the ROM: a software jump
  EmptyCheck,  ///< the ROM starts when the first word of flash is blank
  OwnLoader,   ///< a loader in flash that starts only a whole application
};
/// "boot pin", "software jump", "empty check", "own loader".
std::string_view name(WayBack way);

/// What the user says about it.
struct EntryOptions {
  /// nullopt: the image's information block decides; without one, BootPin.
  std::optional<WayBack> way{};
  /// Where the entry code lies; not empty means WayBack::EntryCode.
  std::vector<AddressRange> code{};
  /// Refuse to change it.
  bool keep = false;
};

/// What is known of the way back, and what this plan does to it.
struct EntryPlan {
  WayBack way = WayBack::BootPin;
  /// Who says so: "nothing else is known", "--entry", "the information block of the image".
  std::string_view said_by;
  /// Sectors with code that must stay for the unit to come back: those of the vector table, of the
  /// reset handler and of the named code. Empty unless `way` is EntryCode.
  std::vector<AddressRange> sectors;
  /// Nobody named the code; the sectors of vector table and reset handler stand for it.
  bool guessed = false;
  /// Those of them that this plan erases and writes.
  std::vector<AddressRange> rewritten;
  /// How long a power cut leaves a unit that needs BOOT0 or an ST-Link; 0: never, or not known.
  Duration window{};
  Duration window_max{};
  /// What an interruption leaves behind, in plain words; one sentence each.
  std::vector<std::string> interruption;
};

/// Errors: OutsideMemory (the named code), NotForThisDevice (a chip without an empty check).
Result<EntryPlan> find_entry(const Target& target, const stm32::MemoryMap& map,
                             const image::Image& image, const EntryOptions& options);

}  // namespace sureflash::update
