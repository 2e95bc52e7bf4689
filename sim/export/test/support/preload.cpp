// Goal: tests in this program see the USB devices of a testbed, and never those of this machine.
// Method: libumockdev-preload has to be there before libusb is; so the program starts itself anew
// with it, before anything else runs. UMOCKDEV_DIR is set by each test.
#include <cstdlib>
#include <unistd.h>

namespace {

/// glibc passes the arguments of main to constructors.
[[gnu::constructor]] void start_with_preload(int, char** arguments, char**) {
  if (::getenv("LD_PRELOAD") != nullptr) return;
  ::setenv("LD_PRELOAD", "libumockdev-preload.so.0", 1);
  // AddressSanitizer would insist on being the first library.
  ::setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 0);
  ::execv("/proc/self/exe", arguments);
  ::_exit(127);
}

}  // namespace
