#include "interrupt.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <string_view>
#include <unistd.h>

#include "exit_code.hpp"

namespace sureflash::cli {
namespace {

/// What a session that was stopped at once needs to close its files.
constexpr unsigned kGraceSeconds = 1;

std::atomic<int> interrupts = 0;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may only touch such a one");

extern "C" void count_interrupt(int) {
  if (interrupts.fetch_add(1) == 1) ::alarm(kGraceSeconds);
}

extern "C" void end_process(int) {
  constexpr std::string_view kText =
      "error: interrupted while the device did not answer\n"
      "  hint: run the same command again: it finishes the job\n";
  // Nothing can be done about a failure here.
  if (::write(STDERR_FILENO, kText.data(), kText.size()) < 0) ::_exit(1);
  ::_exit(static_cast<int>(ExitCode::Interrupted));
}

}  // namespace

void install_interrupt_handler() {
  std::signal(SIGINT, count_interrupt);
  std::signal(SIGTERM, count_interrupt);
  std::signal(SIGALRM, end_process);
}

int interrupt_count() {
  return interrupts.load();
}

bool wait_for_input() {
  // poll() is the one that an interrupt always ends.
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  while (interrupt_count() == 0) {
    if (::poll(&input, 1, -1) >= 0 || errno != EINTR) return true;
  }
  return false;
}

}  // namespace sureflash::cli
