#include "terminal.hpp"

#include <io.h>
#include <windows.h>

namespace sureflash::cli {
namespace {

HANDLE handle_of(std::FILE* file) {
  return reinterpret_cast<HANDLE>(::_get_osfhandle(::_fileno(file)));
}

}  // namespace

bool is_terminal(std::FILE* file) {
  // _isatty takes NUL for one.
  DWORD mode = 0;
  if (::GetConsoleMode(handle_of(file), &mode) == 0) return false;
  if (file == stdin) return true;
  return ::SetConsoleMode(handle_of(file), mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING) != 0;
}

std::optional<std::size_t> terminal_lines(std::FILE* file) {
  CONSOLE_SCREEN_BUFFER_INFO info{};
  if (::GetConsoleScreenBufferInfo(handle_of(file), &info) == 0) return std::nullopt;
  return static_cast<std::size_t>(info.srWindow.Bottom - info.srWindow.Top) + 1;
}

}  // namespace sureflash::cli
