/* What the programs need: the test device of programs_test.cpp, system registers, CHECK. */
#pragma once
#include <stdint.h>

#define REG(address) (*(volatile uint32_t*)(address))
#define REG8(address) (*(volatile uint8_t*)(address))

/* Test device. */
#define DEVICE_FAILED REG(0x40010000)  /* line of a failed check */
#define DEVICE_EXIT REG(0x40010004)    /* number of checks made; ends the program */
#define DEVICE_RAISE REG(0x40010008)   /* interrupt line goes high */
#define DEVICE_LOWER REG(0x4001000C)   /* interrupt line goes low */
#define DEVICE_TIMER REG(0x40010010)   /* line 5 goes high in that many cycles */
#define DEVICE_SCRATCH REG(0x40010014) /* storage */

#define ICSR REG(0xE000ED04)
#define VTOR REG(0xE000ED08)
#define AIRCR REG(0xE000ED0C)
#define SCR REG(0xE000ED10)
#define CCR REG(0xE000ED14)
#define SHPR(exception) REG8(0xE000ED18 + (exception)-4)
#define SHCSR REG(0xE000ED24)
#define CFSR REG(0xE000ED28)
#define HFSR REG(0xE000ED2C)
#define BFAR REG(0xE000ED38)
#define STIR REG(0xE000EF00)
#define ISER(n) REG(0xE000E100 + 4 * (n))
#define ICER(n) REG(0xE000E180 + 4 * (n))
#define ISPR(n) REG(0xE000E200 + 4 * (n))
#define IABR(n) REG(0xE000E300 + 4 * (n))
#define IPR(line) REG8(0xE000E400 + (line))
#define SYST_CSR REG(0xE000E010)
#define SYST_RVR REG(0xE000E014)
#define SYST_CVR REG(0xE000E018)
#define DEMCR REG(0xE000EDFC)
#define DWT_CTRL REG(0xE0001000)
#define DWT_CYCCNT REG(0xE0001004)

extern volatile uint32_t checks;
#define CHECK(condition)                        \
  do {                                          \
    ++checks;                                   \
    if (!(condition)) DEVICE_FAILED = __LINE__; \
  } while (0)

#define READ_SPECIAL(name)                           \
  ({                                                 \
    uint32_t value_;                                 \
    __asm volatile("mrs %0, " #name : "=r"(value_)); \
    value_;                                          \
  })
#define WRITE_SPECIAL(name, value) \
  __asm volatile("msr " #name ", %0\n isb" ::"r"((uint32_t)(value)) : "memory")
