/* Programs that go wrong, one for each CASE. Function names and lines are part of the test. */
#include <stdint.h>

#define REG(address) (*(volatile uint32_t*)(address))
#define CCR REG(0xE000ED14)
#define SHCSR REG(0xE000ED24)
#define NOINLINE __attribute__((noinline))

volatile uint32_t zero;
volatile uint32_t precious[0x400];

NOINLINE uint32_t divide(uint32_t a, uint32_t b) {
  return a / b; /* the line of the test */
}

NOINLINE void jump(uint32_t where) {
  ((void (*)(void))where)();
  zero = 0;
}

NOINLINE void write_flash(uint32_t where) {
  *(volatile uint16_t*)where = 0x1234; /* the line of the test */
}

NOINLINE uint32_t recurse(volatile uint32_t* outer) {
  volatile uint32_t room[100];
  room[0] = *outer + 1;
  return recurse(room) + room[0];
}

void body(void) {
  zero = 0;   /* nothing clears .bss here, and RAM is anything at power-on */
#if CASE == 1 /* jumps into nowhere */
  jump(0x60000001);
#elif CASE == 2  /* writes flash while locked */
  write_flash(0x08003000);
#elif CASE == 3  /* divides by zero, trapped */
  CCR |= 1 << 4;
  SHCSR |= 1 << 18;
  zero = divide(10, zero);
#elif CASE == 4  /* divides by zero, not trapped */
  zero = divide(10, zero);
#elif CASE == 5  /* its stack grows into data, then through the bottom of RAM */
  zero = recurse(&zero);
#elif CASE == 6  /* a function pointer without the Thumb bit */
  jump(0x08000100);
#elif CASE == 7  /* floating point */
  __asm volatile(".inst.w 0xEEB70A00");
#elif CASE == 8  /* undefined */
  __asm volatile("udf #1");
#elif CASE == 9  /* semihosting */
  __asm volatile("bkpt #0xab");
#elif CASE == 10 /* data that may not be run */
  jump(0x40000001);
#elif CASE == 11 /* a fault in the handler of faults */
  REG(0xE000ED08) = 0x30000000;
  jump(0x60000001);
#elif CASE == 12 /* behind RAM */
  zero = REG(0x20010004);
#endif
}

void Reset_Handler(void) {
  body();
  for (;;) {
  }
}

void Fault_Handler(void) {
  for (;;) {
  }
}

__attribute__((section(".vectors"), used)) const uintptr_t vectors[] = {
    0x20010000,
    (uintptr_t)&Reset_Handler,
    (uintptr_t)&Fault_Handler,
    (uintptr_t)&Fault_Handler,
    (uintptr_t)&Fault_Handler,
    (uintptr_t)&Fault_Handler,
    (uintptr_t)&Fault_Handler,
};
