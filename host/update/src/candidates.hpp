#pragma once

#include "sureflash/stm32/dfuse.hpp"
#include "sureflash/update/target.hpp"

/// Which lines of chips a ROM may belong to. ST's ROMs since V2.1 do not say.
namespace sureflash::update {

/// Those of `lines` that agree with everything the device has shown of itself: layout, addresses of
/// option bytes and OTP, data EEPROM, commands. Source: dfuse.md 2.1, 5.
std::vector<const stm32::Chip*> fitting_chips(const Target& target,
                                              std::span<const stm32::Chip> lines);

/// Reads the ROM identifiers of the candidates where they would lie and keeps those that agree;
/// where nothing agrees, or nothing can be read, all stay. Source: AN2606, 4.2 and table 5.
Task<> compare_loader_ids(stm32::DfuSe& dfuse, Target& target);

/// What the chip says its flash has, and its unique id, where its ROM lets them be read.
Task<> read_signature(stm32::DfuSe& dfuse, Target& target);

}  // namespace sureflash::update
