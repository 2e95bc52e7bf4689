#pragma once

#include "sureflash/update/evidence.hpp"

namespace sureflash::cli {

/// What this machine knows that may explain why a device could not be opened: the kernel log when
/// there is no device, the other devices when there are several. Empty where it may not be read.
update::Surroundings surroundings(const Error& error);

}  // namespace sureflash::cli
