#pragma once

#include "sureflash/base/task.hpp"
#include "sureflash/update/target.hpp"

/// Option bytes and protection: what changes how a chip starts and what it lets be done to it.
namespace sureflash::update {

/// How a change of option bytes or protection ended.
enum class AfterReset : std::uint8_t {
  /// The device came back as a bootloader, and what it says now is what was wanted.
  Confirmed,
  /// It did not come back: it runs what is in flash (an F105 without BOOT0). Nothing is confirmed.
  Gone,
};

/// An F105 ROM needs up to 14 s to find an 8 MHz crystal (AN2606 table 229).
inline constexpr Duration kReturnTimeout = 20s;

/// Writes the whole block of option bytes, follows the reset that the chip does by itself, and
/// reads the result back. A power cut in between leaves the chip read-protected. Errors:
/// NotWritable (the device has no option bytes), DeviceReportsError, VerifyMismatch (it came back,
/// and they are not what was written), and those of the wire.
Task<AfterReset> write_option_bytes(const Target& target, Bytes block);

/// Removes read protection: the chip wipes its flash, resets, and is asked whether it is readable
/// now. Errors: as above; ReadProtected (it came back and still is); Unsupported (the device has no
/// such command, by the table or by what it lists: nothing is sent).
Task<AfterReset> remove_read_protection(const Target& target);

}  // namespace sureflash::update
