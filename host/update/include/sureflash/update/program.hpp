#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sureflash/base/task.hpp"
#include "sureflash/stm32/dfuse.hpp"
#include "sureflash/update/plan.hpp"
#include "sureflash/update/target.hpp"

/// The jobs: program, verify, read, erase, start. Each is one coroutine over one open device.
namespace sureflash::update {

/// What a read of flash showed, compared with what it should have shown.
enum class ReadBack : std::uint8_t {
  NotTried,
  Refused,    ///< the device does not let it be read; see Observations::read_error
  Blank,      ///< all bytes have the erased value
  Unchanged,  ///< the bytes that were there before
  Expected,   ///< what was written
  Other,
};

/// What was seen while programming: the evidence a diagnosis argues with. Filled as far as the job
/// came.
struct Observations {
  std::optional<AddressRange> erased;
  std::optional<stm32::CommandReport> erase;
  ReadBack before_erase = ReadBack::NotTried;  ///< Blank or Other, or Refused
  ReadBack after_erase = ReadBack::NotTried;
  std::optional<AddressRange> written;
  std::optional<stm32::CommandReport> write;
  ReadBack after_write = ReadBack::NotTried;
  std::optional<Error> read_error;
  /// An erase also blanked a sector it was not told to erase.
  bool erased_too_much = false;
  /// Addresses that hold something else than the image; joined, at most kDifferencesMax of them.
  std::vector<AddressRange> differences;
};

inline constexpr std::size_t kDifferencesMax = 64;
/// A ROM needs about half a second to come back (AN2606 table 229, 25 MHz crystal).
inline constexpr Duration kWatchTime = 2s;

/// What was done.
struct Outcome {
  std::uint64_t bytes_erased = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t bytes_verified = 0;
  Duration erase_time{};
  Duration write_time{};
  Duration verify_time{};
  /// Every byte of the image was read back and equals it. False only when the device cannot be
  /// read.
  bool proven = false;
  std::vector<std::string> warnings;
};

/// Compares before anything is changed: reading is five to ten times faster than erasing and
/// writing. Ends by itself once reading on cannot pay off. A device that refuses to be read gives
/// an empty survey. Errors: those of make_plan, Interrupted, and those of the wire.
Task<Survey> survey(const Target& target, const image::Image& image, PlanOptions options);

/// Carries out a plan. The first sector and the first block are proven by reading them back before
/// anything else is touched, so that a device that stores nothing is found out after one page.
///
/// Order: erase the first sector of the plan; write and check a block of it (a trial); erase and
/// write what is urgent (entry code); erase the others, or everything; write the others, in the
/// plan's order; verify everything.
///
/// Errors: EraseHadNoEffect, DataNotStored, EraseTooWide (the trial block was lost and cannot be
/// kept), VerifyMismatch (Observations::differences says where), DeviceReportsError, Interrupted,
/// and those of the wire. After an error the device is in dfuIDLE, if it is there at all.
Task<Outcome> program(const Target& target, const Plan& plan, Observations& observations);

/// Reads back all of `image` and compares. Errors: VerifyMismatch, OutsideMemory, NotReadable.
Task<Outcome> verify(const Target& target, const image::Image& image, Observations& observations);

/// Reads `range`, which must lie in one area and be readable.
/// Errors: OutsideMemory, NotReadable, ReadProtected, and those of the wire.
Task<Bytes> read(const Target& target, AddressRange range);

/// Erases every sector that `ranges` touch and proves that they are blank.
/// Errors: OutsideMemory, NotErasable, WriteProtected, EraseHadNoEffect.
Task<Outcome> erase(const Target& target, std::vector<AddressRange> ranges,
                    Observations& observations);
/// Mass erase; proves that the flash is blank.
Task<Outcome> erase_all(const Target& target, Observations& observations);

/// Starts the program at `address`: the device leaves DFU mode. Checks before that a plausible
/// vector table is there, since the device would reset instead. Errors: VectorTableImplausible.
Task<> start(const Target& target, std::uint32_t address);

/// How a start went.
struct Started {
  /// What was wrong with the device's answer, although it left: not an error of the program.
  std::optional<Error> answer;
  /// Something else is at its place now: the application.
  bool came_back = false;
};
/// Starts the program, and looks for `watch` whether the device comes back. Errors: those of
/// start; CameBackInDfu; what the device answered, if it did not leave.
Task<Started> start_and_watch(const Target& target, std::uint32_t address,
                              Duration watch = kWatchTime);

/// Which sectors are blank. One flag for each sector that there is of the area, in rising order.
Task<std::vector<bool>> blank_sectors(const Target& target, const Area& area);

}  // namespace sureflash::update
