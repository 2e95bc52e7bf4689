#pragma once

#include <cstddef>
#include <cstdio>
#include <optional>

namespace sureflash::cli {

/// Whether it is a terminal. One of Windows is told to obey control sequences (ECMA-48); an old one
/// that cannot is none.
bool is_terminal(std::FILE* file);

/// How many lines the terminal shows. Asked anew each time: windows change their size.
std::optional<std::size_t> terminal_lines(std::FILE* file);

}  // namespace sureflash::cli
