#pragma once

namespace sureflash::cli {

/// Ctrl-C (SIGINT) and SIGTERM: the first asks to stop at the next safe point, the second at once:
/// the process ends a second later even if a device or the system holds it up.
void install_interrupt_handler();
int interrupt_count();

/// Waits until standard input has something to read. false: an interrupt came first.
bool wait_for_input();

}  // namespace sureflash::cli
