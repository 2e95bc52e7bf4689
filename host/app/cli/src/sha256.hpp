#pragma once

#include <string>
#include <string_view>

namespace sureflash::cli {

/// SHA-256 in lower-case hex digits, by the library that the system has for it.
std::string sha256(std::string_view bytes);

}  // namespace sureflash::cli
