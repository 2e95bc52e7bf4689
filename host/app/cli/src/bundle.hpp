#pragma once

#include "failure.hpp"

namespace sureflash::cli {

/// What somebody who is to help needs: findings, machine, USB devices, descriptors, the decoded
/// session. No bytes of firmware unless --trace-firmware. `opened` is null when there is no device.
Json support_bundle(const Opened* opened, const std::vector<update::Finding>& findings);

}  // namespace sureflash::cli
