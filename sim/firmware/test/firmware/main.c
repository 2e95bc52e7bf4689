/* A program with a table, data, and two functions; macros make it wrong in one way each. */
#include <stdint.h>

#ifndef STACK
#define STACK 0x20010000
#endif

volatile uint32_t counter;
volatile uint32_t seed = 1;

__attribute__((noinline)) static uint32_t checksum(uint32_t x) {
  for (int i = 0; i < 8; ++i) x = x >> 1 ^ (x & 1 ? 0xEDB88320 : 0);
  return x;
}

int main(void) {
  for (;;) {
    seed = checksum(seed);
    ++counter;
  }
}

extern uint32_t data_begin[], data_end[];
extern const uint32_t image_end[];

void Reset_Handler(void) {
  const uint32_t* from = image_end;
  for (uint32_t* to = data_begin; to != data_end; ++to) *to = *from++;
  main();
}

#ifndef NO_VECTORS
__attribute__((section(".vectors"), used)) const uintptr_t vectors[] = {
    STACK,
#ifdef RESET
    RESET,
#else
    (uintptr_t)&Reset_Handler,
#endif
};
#endif
#ifdef TOO_LARGE
const uint8_t filler[0x40000] __attribute__((used)) = {1};
#endif
