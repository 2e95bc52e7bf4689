#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "sureflash/sim/model/settings.hpp"
#include "sureflash/sim/model/virtual_device.hpp"

/// The virtual devices there are, by name.
namespace sureflash::sim {

struct ProfileHelp {
  std::string_view name;
  std::string_view help;
  std::span<const KeyHelp> keys;
};

/// For `sureflash sim list`.
std::span<const ProfileHelp> profiles();
/// The virtual ROMs of all lines of the table of chips, by name; members are names, too
/// ("stm32f407"). They all take chip_keys(). "stm32f105" is a profile of its own, with its ROM
/// versions.
std::span<const std::string_view> chip_profiles();
std::span<const KeyHelp> chip_keys();
/// Keys that every profile takes.
std::span<const KeyHelp> common_keys();

/// Makes the device that `spec` describes: PROFILE[,key=value…]. With state=FILE the chip of that
/// file is powered on. Values cannot hold commas; several sector ranges are joined by ';'
/// (wrp=0-3;8). Errors: DeviceSpec (says what exists), and those of StateFile.
Result<std::unique_ptr<VirtualDevice>> make_device(std::string_view spec);

}  // namespace sureflash::sim
