#include "kernel_log.hpp"

namespace sureflash::cli {

/// Windows has no such log for users.
std::vector<std::string> kernel_log() {
  return {};
}

}  // namespace sureflash::cli
