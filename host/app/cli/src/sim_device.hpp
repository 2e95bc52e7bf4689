#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sureflash/base/error.hpp"
#include "sureflash/sim/model/virtual_device.hpp"

namespace sureflash::cli {

/// A virtual device, whatever is behind it.
class SimDevice {
 public:
  virtual ~SimDevice() = default;
  virtual sim::UsbDevice& usb() = 0;
  virtual sim::ClockChoice clock() const = 0;
  /// Keeps the chip in its file, if it has one. Errors: FileUnwritable.
  virtual Result<void> save() = 0;
  /// What its maker should know of what it has done since the last call; for people.
  virtual std::vector<std::string> take_notes() { return {}; }
};

/// "sim:PROFILE…" or "board:FIRMWARE…".
bool is_sim_device(std::string_view device);
/// As above; without prefix a profile. Errors: DeviceSpec, those of StateFile and of firmware
/// files.
Result<std::unique_ptr<SimDevice>> make_sim_device(std::string_view device);

/// `spec`: behind "board:". In usb/, because its library for ELF files is there; no_usb/ says
/// Unsupported.
Result<std::unique_ptr<SimDevice>> make_board_device(std::string_view spec);

}  // namespace sureflash::cli
