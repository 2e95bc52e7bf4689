#pragma once

#include <string>

#include "sureflash/base/error.hpp"
#include "sureflash/sim/chip/chip.hpp"

/// A chip kept in a file between runs.
namespace sureflash::sim {

/// Everything of a chip that survives without power: flash and its wear, option bytes, unique id.
/// Format, little-endian: "SFCHIP" 0D 0A; u16 version (1); u16 length and bytes of the chip's name;
/// u32 length and bytes of flash; u32 number of sectors and u32 erase count each; 16 option bytes;
/// 12 bytes of unique id; u32 CRC-32 (zlib) of all before.
Bytes encode_state(const Chip& chip);
/// Errors: FormatInvalid (not a chip file, another version), Truncated, ChecksumMismatch,
/// NotForThisDevice (another chip). The chip is unchanged then; else it is as after power-on.
Result<void> decode_state(ByteView file, Chip& chip);

/// Holds a chip file: no other process can until this is gone.
class StateFile {
 public:
  /// Takes the lock (on `path` + ".lock", because saving replaces the file itself). Errors:
  /// DeviceBusy (another process has it), FileUnwritable.
  static Result<StateFile> open(std::string path);
  StateFile(StateFile&& other) noexcept;
  StateFile& operator=(StateFile&&) = delete;
  ~StateFile();

  /// Loads the chip if the file exists. Errors as decode_state, FileUnreadable.
  /// @returns whether there was a file.
  Result<bool> load(Chip& chip) const;
  /// Replaces the file as a whole or not at all. Errors: FileUnwritable.
  Result<void> save(const Chip& chip) const;

  const std::string& path() const { return path_; }

 private:
  StateFile(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::string path_;
  int lock_;
};

}  // namespace sureflash::sim
