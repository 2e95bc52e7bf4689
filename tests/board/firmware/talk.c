/* Programs for the tests of `sim run`, one for each CASE; registers as in RM0008. No C library. */
#include <stdint.h>

#define REG(address) (*(volatile uint32_t*)(address))
#define RCC_APB2ENR REG(0x40021018)
#define GPIOA_CRH REG(0x40010804)
#define GPIOC_CRH REG(0x40011004)
#define GPIOC_BSRR REG(0x40011010)
#define USART1_SR REG(0x40013800)
#define USART1_DR REG(0x40013804)
#define USART1_BRR REG(0x40013808)
#define USART1_CR1 REG(0x4001380C)
#define IWDG_KR REG(0x40003000)
#define IWDG_PR REG(0x40003004)
#define IWDG_RLR REG(0x40003008)

static void open_uart(void) {
  RCC_APB2ENR |= 1 << 14 | 1 << 4 | 1 << 2;           /* USART1, GPIOC, GPIOA */
  GPIOA_CRH = (GPIOA_CRH & ~0xFF0U) | 0x4B0;          /* PA9: TX, PA10: RX */
  GPIOC_CRH = (GPIOC_CRH & ~(0xFU << 20)) | 2U << 20; /* PC13: output */
  USART1_BRR = 8000000 / 115200;
  USART1_CR1 = 1 << 13 | 1 << 3 | 1 << 2; /* UE, TE, RE */
}

__attribute__((noinline)) static void put(char c) {
  while ((USART1_SR & 1 << 7) == 0) { /* TXE */
  }
  USART1_DR = (uint32_t)c;
}

static void say(const char* text) {
  while (*text) put(*text++);
}

#if CASE == 2
__attribute__((noinline)) static void wait_for_ever(void) {
  for (;;) {
  }
}
#endif

void Reset_Handler(void) {
  open_uart();
#if CASE == 1 /* says hello, lights PC13, then answers what it is told */
  say("hello\r\nready\n");
  GPIOC_BSRR = 1 << 13;
  for (;;) {
    while ((USART1_SR & 1 << 5) == 0) { /* RXNE */
    }
    const char c = (char)USART1_DR;
    put(c);
    if (c == '\n') say("thanks\n");
  }
#elif CASE == 2 /* starts the watchdog and never feeds it */
  IWDG_KR = 0x5555;
  IWDG_PR = 0;
  IWDG_RLR = 40; /* 4 ms at 40 kHz */
  IWDG_KR = 0xCCCC;
  say("started\n");
  wait_for_ever();
#endif
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
};
