#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sureflash/base/error.hpp"
#include "sureflash/base/step.hpp"

/// Sessions as text, one step a line, for people to read and for tests to replay:
///
///     sureflash-trace 1
///     # sim:stm32f105
///     0.000814 control a1 03 0000 0000 6 20000ms -> ok 6 in=000000000200
///     0.003100 control 21 01 0002 0000 2048 20000ms out=crc32:5f1c2d3e -> ok 2048
///     0.057700 wait 54600000ns -> ok
///     0.060000 select 0 1 -> ok
///     0.170000 reset -> disconnected os=-4
///     3.100000 await 20000ms -> ok
///
/// First the time at which the step was over, in seconds since the session began. control:
/// bmRequestType, bRequest, wValue and wIndex in hexadecimal; wLength; time limit. Behind the
/// arrow: how it ended, and for control the bytes moved. Data stands there whole, or as CRC-32
/// (IEEE) where it is firmware.
namespace sureflash::transport::trace {

/// Data of a transfer: the bytes, or only how many there were and their CRC-32.
struct Payload {
  Bytes bytes{};
  bool left_out = false;
  std::uint32_t crc32 = 0;

  friend bool operator==(const Payload&, const Payload&) = default;
};

enum class Kind : std::uint8_t { Control, Wait, Select, Reset, Await };

/// One line.
struct Entry {
  Kind kind = Kind::Control;
  proto::Setup setup{};          ///< Control
  Duration limit{};              ///< Control, Await: time limit; Wait: how long
  SelectAltSetting selection{};  ///< Select
  Payload out{};                 ///< Control to the device
  Payload in{};                  ///< Control from the device
  Answer answer{};
  std::size_t line = 0;  ///< in the file, from 1

  friend bool operator==(const Entry& a, const Entry& b);
};

struct Trace {
  std::vector<Entry> entries;
  std::vector<std::string> comments;  ///< without "# "
};

enum class Firmware : std::uint8_t { LeftOut, Included };

/// The first line of a file, with its end.
inline constexpr std::string_view kHeader = "sureflash-trace 1\n";

/// What was asked and answered, as an entry. `step` is not Progress. Data of DFU_DNLOAD and
/// DFU_UPLOAD, except commands of DfuSe (block 0, at most 5 bytes out, 16 in), counts as firmware.
Entry make_entry(const Step& step, const Answer& answer, Firmware firmware);
/// The line, with its end.
std::string format(const Entry& entry);
/// Reads a file. Errors: FormatUnknown (another first line), FormatInvalid (where.name: "line 12").
Result<Trace> parse(std::string_view text);

}  // namespace sureflash::transport::trace
