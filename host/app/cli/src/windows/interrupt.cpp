#include "interrupt.hpp"

#include <atomic>
#include <cstdio>
#include <windows.h>

#include "exit_code.hpp"

namespace sureflash::cli {
namespace {

/// What a session that was stopped at once needs to close its files.
constexpr DWORD kGraceMs = 1000;

std::atomic<int> interrupts = 0;

/// Windows calls it in a thread of its own.
BOOL WINAPI count_interrupt(DWORD) {
  if (interrupts.fetch_add(1) == 1) {
    ::Sleep(kGraceMs);
    std::fputs(
        "error: interrupted while the device did not answer\n"
        "  hint: run the same command again: it finishes the job\n",
        stderr);
    ::TerminateProcess(::GetCurrentProcess(), static_cast<UINT>(ExitCode::Interrupted));
  }
  return TRUE;
}

}  // namespace

void install_interrupt_handler() {
  ::SetConsoleCtrlHandler(count_interrupt, TRUE);
}

int interrupt_count() {
  return interrupts.load();
}

bool wait_for_input() {
  // Ctrl-C ends a read from the console.
  return interrupt_count() == 0;
}

}  // namespace sureflash::cli
