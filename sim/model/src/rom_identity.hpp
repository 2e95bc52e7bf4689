#pragma once

#include "sureflash/sim/model/dfuse_rom.hpp"
#include "sureflash/sim/model/settings.hpp"

/// What a ROM says of itself.
namespace sureflash::sim {

/// "mass-erase-unreliable"; nullopt: no such quirk.
std::optional<proto::ChipQuirk> find_quirk(std::string_view name);

/// The texts, serial number and version of the maker's ROM; where there are several, the one that
/// variant= names.
Result<void> introduce(const proto::ChipData& data, const Chip& chip, const Settings& settings,
                       RomDescription& rom, RomSwitches& switches);

/// layout=, usb-id= and transfer-size=.
Result<void> apply_identity(const Settings& settings, DeviceDescription& usb);

}  // namespace sureflash::sim
