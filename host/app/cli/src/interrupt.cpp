#include "interrupt.hpp"

#include <atomic>
#include <csignal>

namespace sureflash::cli {
namespace {

std::atomic<int> interrupts = 0;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may only touch such a one");

extern "C" void count_interrupt(int) {
  interrupts.fetch_add(1);
}

}  // namespace

void install_interrupt_handler() {
  std::signal(SIGINT, count_interrupt);
  std::signal(SIGTERM, count_interrupt);
}

int interrupt_count() {
  return interrupts.load();
}

}  // namespace sureflash::cli
