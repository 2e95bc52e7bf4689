#pragma once

#include <chrono>

namespace sureflash {

/// Every duration and every point in time (since the session or the virtual world began).
/// Nanoseconds, because a half-word takes 52.5 µs. Virtual in tests, monotonic in programs.
using Duration = std::chrono::nanoseconds;

using namespace std::chrono_literals;

}  // namespace sureflash
