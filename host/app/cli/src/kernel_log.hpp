#pragma once

#include <string>
#include <vector>

namespace sureflash::cli {

/// The log of this machine's kernel, a line each, oldest first; empty where it may not be read.
std::vector<std::string> kernel_log();

}  // namespace sureflash::cli
