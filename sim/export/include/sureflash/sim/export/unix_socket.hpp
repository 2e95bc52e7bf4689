#pragma once

#include <filesystem>

#include "sureflash/base/error.hpp"
#include "sureflash/sim/export/descriptor.hpp"

namespace sureflash::sim {

/// Listens at a Unix stream socket, without blocking. Errors: FileUnwritable; the name of a socket
/// has at most 107 characters (sun_path).
Result<Descriptor> listen_at(const std::filesystem::path& path);

}  // namespace sureflash::sim
