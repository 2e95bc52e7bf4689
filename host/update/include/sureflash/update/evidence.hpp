#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "sureflash/base/task.hpp"
#include "sureflash/update/program.hpp"
#include "sureflash/update/target.hpp"

/// What a diagnosis argues with. Gathering it is I/O; naming causes is not (see diagnose.hpp).
namespace sureflash::update {

/// What only the front end can see: the machine around the device.
struct Surroundings {
  /// Lines of the kernel log, newest last; see enumeration_failures.
  std::vector<std::string> kernel_log;
  /// Other DFU devices that are there: "usb 1-3: 0483:df11, serial STM32".
  std::vector<std::string> devices;
};

/// A few bytes from two places of flash, which are read without harm.
struct Samples {
  static constexpr std::size_t kBytes = 64;
  std::optional<AddressRange> first_at;
  std::optional<AddressRange> second_at;
  Bytes first;   ///< empty: not read
  Bytes second;  ///< empty: not read
  std::optional<Error> error;
};

struct Evidence {
  /// nullptr: no device could be opened or identified.
  const Target* target = nullptr;
  /// nullptr: nothing failed.
  const Error* error = nullptr;
  Observations seen;
  /// What the device answered to the first GETSTATUS, before anything else was asked.
  std::optional<proto::StatusReply> found;
  Samples samples;
  /// The word at system memory + 4, by which ROM versions of an F105 can be told.
  std::optional<std::uint32_t> rom_reset_vector;
  Surroundings around;
  /// What was wrong with the answer to a start that went well (Started::answer).
  std::optional<Error> start_answer;

  bool failed_with(Errc code) const { return error != nullptr && error->code == code; }
};

/// GETSTATUS, nothing else: in which state the device is. nullopt: it does not say.
Task<std::optional<proto::StatusReply>> look_at_state();

/// Reads what can be read without harm, if the device is still there. Never fails.
Task<Evidence> gather(const Target& target, const Error* error, const Observations& seen);

/// What one sector does when it is erased and written; its content is put back.
struct Trial {
  Observations seen;
  std::optional<Error> error;
};
/// Erases and writes `sector` for a trial and restores what was in it. A power cut in between
/// loses the content. Trial::error: OutsideMemory, NotErasable (nothing was tried), DataNotStored,
/// EraseHadNoEffect, VerifyMismatch, and those of the wire.
Task<Trial> try_sector(const Target& target, AddressRange sector);

/// The lines of a kernel log that tell of a USB device that could not be enumerated.
/// Source: Linux, drivers/usb/core/hub.c.
std::vector<std::string> enumeration_failures(std::span<const std::string> kernel_log);

}  // namespace sureflash::update
