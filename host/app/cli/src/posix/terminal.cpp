#include "terminal.hpp"

#include <unistd.h>

#include <sys/ioctl.h>

namespace sureflash::cli {

bool is_terminal(std::FILE* file) {
  return ::isatty(::fileno(file)) == 1;
}

std::optional<std::size_t> terminal_lines(std::FILE* file) {
  winsize size{};
  if (::ioctl(::fileno(file), TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return std::nullopt;
  return size.ws_row;
}

}  // namespace sureflash::cli
