#pragma once

namespace sureflash::cli {

/// Ctrl-C (SIGINT) and SIGTERM: the first asks to stop at the next safe point, the second at once.
void install_interrupt_handler();
int interrupt_count();

}  // namespace sureflash::cli
