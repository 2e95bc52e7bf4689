// A target with a planted bug behind three comparisons: if it is not found, the harness is broken.

#include "fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const bool planted = size >= 3 && data[0] == 'B' && data[1] == 'U' && data[2] == 'G';
  sureflash::fuzz::require(!planted, "planted bug");
  return 0;
}
