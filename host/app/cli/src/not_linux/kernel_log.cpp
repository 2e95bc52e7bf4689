#include "kernel_log.hpp"

namespace sureflash::cli {

/// Other systems have no such log for users.
std::vector<std::string> kernel_log() {
  return {};
}

}  // namespace sureflash::cli
