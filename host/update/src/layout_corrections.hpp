#pragma once

#include "sureflash/update/target.hpp"

/// Layout strings are upper bounds, and some are plainly false: what is known better, and from
/// where.
namespace sureflash::update {

/// The serial number of a clone that sends bytes where UTF-16 is due (GD32VF103) as those bytes.
void mend_serial(Target& target);

/// Bytes of flash by the serial number of a GD32VF103 ("3CBJ"). Source: dfu-util, src/quirks.c;
/// fwupd, plugins/dfu/fu-dfu-target.c. nullopt: it is no such serial number.
std::optional<std::uint64_t> size_in_serial(const Target& target);

/// Puts the map of the flash right, by the serial number, the option bytes, or the table of chips;
/// Area::corrected then says so.
void correct_layout(Target& target);

}  // namespace sureflash::update
