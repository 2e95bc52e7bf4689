/* Self-checking program for the core: exceptions, faults, priorities, stacks, SysTick, bit-band.
   Every expectation is from the ARMv7-M Architecture Reference Manual (DDI 0403E), section in the
   comment. */
#include "board.h"

volatile uint32_t checks;
extern uint32_t stack_top, data_begin, data_end, data_load, bss_begin, bss_end;
void start(void);

/* What the last fault handler saw. */
struct frame {
  uint32_t r0, r1, r2, r3, r12, lr, pc, xpsr;
};
static volatile struct frame seen;
static volatile uint32_t seen_count, seen_ipsr, seen_exc_return, skip_bytes;

/* Copies the frame and lets the program go on behind the instruction that faulted. */
__attribute__((used)) static void note(struct frame* frame, uint32_t exc_return) {
  seen.r0 = frame->r0;
  seen.pc = frame->pc;
  seen.xpsr = frame->xpsr;
  seen_exc_return = exc_return;
  seen_ipsr = READ_SPECIAL(ipsr);
  ++seen_count;
  frame->pc += skip_bytes;
  frame->xpsr |= 1u << 24;
}
__attribute__((naked)) static void fault_handler(void) {
  __asm volatile(
      "tst lr, #4\n ite eq\n mrseq r0, msp\n mrsne r0, psp\n"
      "mov r1, lr\n push {r4, lr}\n bl note\n pop {r4, pc}");
}

static volatile uint32_t order[16];
static volatile uint32_t order_count;
static void log_order(uint32_t what) {
  order[order_count++ & 15] = what;
}

static volatile uint32_t ticks, svc_number, pendsv_count;
static void systick_handler(void) {
  ++ticks;
}
__attribute__((used)) static void svc(struct frame* frame) {
  svc_number = ((uint8_t*)frame->pc)[-2];
  frame->r0 = frame->r0 * 2 + 1;
}
__attribute__((naked)) static void svc_handler(void) {
  __asm volatile("tst lr, #4\n ite eq\n mrseq r0, msp\n mrsne r0, psp\n b svc");
}

/* Two threads with stacks of their own, switched by PendSV. */
static uint32_t stacks[2][64];
static uint32_t* saved_psp[2];
static volatile uint32_t current_thread, switching, thread_work[2];
__attribute__((used)) static uint32_t* next_thread(uint32_t* sp) {
  saved_psp[current_thread] = sp;
  current_thread ^= 1;
  return saved_psp[current_thread];
}
__attribute__((naked)) static void pendsv_handler(void) {
  __asm volatile(
      "ldr r0, =pendsv_count_\n ldr r1, [r0]\n adds r1, #1\n str r1, [r0]\n"
      "ldr r0, =switching_\n ldr r0, [r0]\n cbnz r0, 1f\n bx lr\n"
      "1: mrs r0, psp\n stmdb r0!, {r4-r11}\n push {r4, lr}\n bl next_thread\n pop {r4, lr}\n"
      "ldmia r0!, {r4-r11}\n msr psp, r0\n bx lr\n .ltorg");
}
volatile uint32_t pendsv_count_, switching_;

/* Line 0: lets line 1 (more urgent) in while it runs. */
static void irq0(void) {
  log_order(10);
  ISPR(0) = 2;
  __asm volatile("dsb\n isb");
  log_order(11);
}
static void irq1(void) {
  log_order(20);
}
static void irq2(void) {
  log_order(30);
}
/* Line 3 is level triggered: it comes back until it is lowered. */
static volatile uint32_t level_count;
static void irq3(void) {
  if (++level_count == 3) DEVICE_LOWER = 3;
}
/* Line 5: the timer. */
static volatile uint32_t timer_pc, timer_xpsr, timer_count;
__attribute__((used)) static void timer(struct frame* frame) {
  DEVICE_LOWER = 5;
  timer_pc = frame->pc;
  timer_xpsr = frame->xpsr;
  ++timer_count;
}
__attribute__((naked)) static void irq5(void) {
  __asm volatile("mov r0, sp\n push {r4, lr}\n bl timer\n pop {r4, pc}");
}

__attribute__((section(".vectors"), used,
               aligned(512))) static const void* const vectors[16 + 8] = {&stack_top,
                                                                          start,
                                                                          fault_handler,
                                                                          fault_handler,
                                                                          fault_handler,
                                                                          fault_handler,
                                                                          fault_handler,
                                                                          0,
                                                                          0,
                                                                          0,
                                                                          0,
                                                                          svc_handler,
                                                                          fault_handler,
                                                                          0,
                                                                          pendsv_handler,
                                                                          systick_handler,
                                                                          irq0,
                                                                          irq1,
                                                                          irq2,
                                                                          irq3,
                                                                          irq2,
                                                                          irq5};

/* B1.5.6: registers survive, xPSR and PC are those of the instruction. */
static void faults(void) {
  skip_bytes = 2;
  seen_count = 0;
  __asm volatile("mov r0, #77\n udf #1" ::: "r0", "memory");
  CHECK(seen_count == 1 && seen_ipsr == 3); /* not enabled: HardFault */
  CHECK(seen.r0 == 77 && seen_exc_return == 0xFFFFFFF9);
  CHECK(*(uint16_t*)seen.pc == 0xDE01);
  CHECK(HFSR == 1u << 30 && CFSR == 1u << 16);
  HFSR = CFSR = 0xFFFFFFFF;
  CHECK(HFSR == 0 && CFSR == 0);

  SHCSR = 7u << 16;
  __asm volatile("udf #2");
  CHECK(seen_count == 2 && seen_ipsr == 6 && CFSR == 1u << 16 && HFSR == 0);
  CFSR = CFSR;

  skip_bytes = 4;
  __asm volatile("mcr p7, 0, r0, c1, c2, 0");
  CHECK(seen_count == 3 && CFSR == 1u << 19);
  CFSR = CFSR;

  skip_bytes = 2; /* precise: address in BFAR (B3.2.18) */
  __asm volatile("ldr r1, [%0]" ::"l"(0x30000004) : "r1", "memory");
  CHECK(seen_count == 4 && seen_ipsr == 5 && CFSR == (1u << 9 | 1u << 15) && BFAR == 0x30000004);
  CFSR = CFSR;
  __asm volatile("str r1, [%0]" ::"l"(0x30000008) : "memory");
  CHECK(seen_count == 5 && CFSR == (1u << 9 | 1u << 15) && BFAR == 0x30000008);
  CFSR = CFSR;

  /* A4.2: no state but Thumb. The frame's PC is the target; note() sets T and returns behind it. */
  skip_bytes = 0;
  __asm volatile("adr r1, 1f\n bx r1\n .align 2\n 1:" ::: "r1", "memory");
  CHECK(seen_count == 6 && seen_ipsr == 6 && CFSR == 1u << 17 && (seen.xpsr & 1u << 24) == 0);
  CFSR = CFSR;

  /* B3.1: no code in the peripheral region. */
  skip_bytes = 0;
  uint32_t back;
  __asm volatile(
      "adr %0, 1f\n adds %0, #1\n mov r1, #0x40000000\n adds r1, #1\n"
      "ldr r2, =landing_\n str %0, [r2]\n ldr r2, =jump_back_\n mov r3, #1\n str r3, [r2]\n"
      "blx r1\n b 1f\n .ltorg\n .align 2\n 1:"
      : "=&l"(back)::"r1", "r2", "r3", "lr", "memory");
  CHECK(seen_count == 7 && seen_ipsr == 4 && CFSR == 1 && seen.pc == 0x40000000);
  CFSR = CFSR;
  SHCSR = 0;
}

/* The MemManage handler leads back instead of skipping. */
uint32_t landing_, jump_back_;
__attribute__((used, naked)) static void memmanage_handler(void) {
  __asm volatile(
      "mov r0, sp\n mov r1, lr\n push {r4, lr}\n mov r4, r0\n bl note\n"
      "ldr r1, =landing_\n ldr r1, [r1]\n bic r1, #1\n str r1, [r4, #24]\n pop {r4, pc}\n .ltorg");
}

static void division_and_alignment(void) {
  volatile uint32_t zero = 0;
  uint32_t q;
  seen_count = 0;
  __asm volatile("udiv %0, %1, %2" : "=r"(q) : "r"(100), "r"(zero));
  CHECK(q == 0 && seen_count == 0);
  CCR |= 1u << 4 | 1u << 3; /* DIV_0_TRP, UNALIGN_TRP */
  SHCSR = 1u << 18;
  skip_bytes = 4;
  __asm volatile("udiv %0, %1, %2" : "=r"(q) : "r"(100), "r"(zero));
  CHECK(seen_count == 1 && CFSR == 1u << 25);
  CFSR = CFSR;
  static const uint32_t words[4] = {0x33221100, 0x77665544, 0xBBAA9988, 0xFFEEDDCC};
  const char* odd = (const char*)words + 1;
  uint32_t value = 0;
  __asm volatile("ldr.w %0, [%1]" : "+r"(value) : "r"(odd) : "memory");
  CHECK(seen_count == 2 && CFSR == 1u << 24 && value == 0);
  CFSR = CFSR;
  CCR &= ~(1u << 4 | 1u << 3);
  __asm volatile("ldr.w %0, [%1]" : "=r"(value) : "r"(odd) : "memory");
  CHECK(seen_count == 2 && value == 0x44332211);
  /* A3.2.1: LDM and LDRD never may, and change nothing when they fault. */
  uint32_t base = (uint32_t)odd, low = 5, high = 6;
  __asm volatile("mov r4, %1\n mov r5, %2\n ldmia.w %0!, {r4, r5}\n mov %1, r4\n mov %2, r5"
                 : "+r"(base), "+r"(low), "+r"(high)::"r4", "r5", "memory");
  CHECK(seen_count == 3 && CFSR == 1u << 24 && base == (uint32_t)odd && low == 5 && high == 6);
  CFSR = CFSR;
  /* An LDM that runs out of memory half-way starts again with all it had. */
  SHCSR = 1u << 17;
  base = 0x20010000 - 4;
  __asm volatile("mov r4, %1\n mov r5, %2\n ldmia.w %0!, {r4, r5}\n mov %1, r4\n mov %2, r5"
                 : "+r"(base), "+r"(low), "+r"(high)::"r4", "r5", "memory");
  CHECK(seen_count == 4 && BFAR == 0x20010000 && base == 0x2000FFFC && low == 5 && high == 6);
  CFSR = CFSR;
  SHCSR = 0;
}

static uint32_t call(uint32_t argument) {
  register uint32_t r0 __asm("r0") = argument;
  __asm volatile("svc #42" : "+r"(r0)::"memory");
  return r0;
}

static void calls(void) {
  CHECK(call(20) == 41 && svc_number == 42);
  /* B1.5.4: under PRIMASK an SVC cannot be taken: HardFault. */
  seen_count = 0;
  skip_bytes = 2;
  __asm volatile("cpsid i");
  call(1);
  __asm volatile("cpsie i");
  CHECK(seen_count == 1 && seen_ipsr == 3 && HFSR == 1u << 30);
  HFSR = HFSR;
  /* BKPT without debugger (C1.4). */
  __asm volatile("bkpt #3");
  CHECK(seen_count == 2 && seen_ipsr == 3 && HFSR == 1u << 31);
  HFSR = HFSR;
}

static void priorities(void) {
  IPR(0) = 0x80;
  IPR(1) = 0x40;
  IPR(2) = 0x40;
  IPR(3) = 0xFF;
  CHECK(IPR(3) == 0xF0 && REG(0xE000E400) == 0xF0404080); /* four bits; bytes and words */
  ISER(0) = 0x2F;
  CHECK(ICER(0) == 0x2F);

  order_count = 0; /* nesting */
  STIR = 0;
  __asm volatile("dsb\n isb");
  CHECK(order_count == 3 && order[0] == 10 && order[1] == 20 && order[2] == 11);

  order_count = 0; /* same priority: lower number first, no nesting */
  __asm volatile("cpsid i");
  ISPR(0) = 4 | 2 | 1;
  CHECK((ICSR >> 12 & 0x1FF) == 17 && (ICSR >> 22 & 1) == 1);
  __asm volatile("cpsie i\n isb");
  CHECK(order_count == 5 && order[0] == 20 && order[1] == 30 && order[2] == 10 && order[3] == 20);

  order_count = 0; /* BASEPRI holds back its level and below */
  WRITE_SPECIAL(basepri, 0x40);
  STIR = 2;
  __asm volatile("dsb\n isb");
  CHECK(order_count == 0);
  WRITE_SPECIAL(basepri_max, 0x80);
  CHECK(READ_SPECIAL(basepri) == 0x40);
  WRITE_SPECIAL(basepri, 0x50);
  CHECK(order_count == 1);
  WRITE_SPECIAL(basepri, 0);

  order_count = 0; /* one group: sub-priorities do not nest (B1.5.4) */
  AIRCR = 0x05FA0000 | 7 << 8;
  STIR = 0;
  __asm volatile("dsb\n isb");
  CHECK(order_count == 3 && order[0] == 10 && order[1] == 11 && order[2] == 20);
  AIRCR = 0x05FA0000;

  level_count = 0;
  DEVICE_RAISE = 3;
  __asm volatile("dsb\n isb");
  CHECK(level_count == 3 && (ISPR(0) & 8) == 0 && IABR(0) == 0);

  WRITE_SPECIAL(faultmask, 1);
  CHECK(READ_SPECIAL(faultmask) == 1);
  order_count = 0;
  STIR = 1;
  CHECK(order_count == 0);
  WRITE_SPECIAL(faultmask, 0);
  CHECK(order_count == 1);
}

static void thread_b(void) {
  for (;;) {
    ++thread_work[1];
    ICSR = 1u << 28;
    __asm volatile("isb");
  }
}

static void threads(void) {
  pendsv_count_ = 0;
  ICSR = 1u << 28;
  __asm volatile("isb");
  CHECK(pendsv_count_ == 1);
  /* B1.4.4: the other thread begins with a frame made by hand. */
  uint32_t* sp = &stacks[1][64 - 16];
  sp[8 + 6] = (uint32_t)thread_b & ~1u;
  sp[8 + 7] = 1u << 24;
  saved_psp[1] = sp;
  WRITE_SPECIAL(psp, &stacks[0][64]);
  uint32_t main_sp = READ_SPECIAL(msp);
  thread_work[0] = 0;
  current_thread = 0;
  switching_ = 1;
  __asm volatile(
      "mov r5, sp\n mov r0, #2\n msr control, r0\n isb\n"
      "ldr r4, =thread_work_loops_\n 1: ldr r0, =0xE000ED04\n mov r1, #0x10000000\n str r1, [r0]\n "
      "isb\n"
      "ldr r1, [r4]\n adds r1, #1\n str r1, [r4]\n cmp r1, #10\n bne 1b\n"
      "mov r0, #0\n msr control, r0\n isb\n b 2f\n .ltorg\n 2:" ::
          : "r0", "r1", "r4", "r5", "memory");
  switching_ = 0;
  extern volatile uint32_t thread_work_loops_;
  CHECK(thread_work_loops_ == 10 && thread_work[1] == 10 && READ_SPECIAL(msp) == main_sp);
  CHECK(READ_SPECIAL(psp) == (uint32_t)&stacks[0][64]);
}
volatile uint32_t thread_work_loops_;

static void timers(void) {
  DEMCR = 1u << 24;
  DWT_CYCCNT = 0;
  DWT_CTRL = 1;
  ticks = 0;
  SYST_RVR = 999;
  SYST_CVR = 0;
  SYST_CSR = 7;
  while (ticks < 10) __asm volatile("wfi");
  uint32_t cycles = DWT_CYCCNT;
  CHECK(cycles >= 10000 && cycles < 10200);
  CHECK(SYST_CVR <= 999 && (SYST_CSR & 1u << 16) != 0 && (SYST_CSR & 1u << 16) == 0);
  SYST_CSR = 0;
  SCR = 1u << 1; /* SLEEPONEXIT: the thread does not run between interrupts */
  ticks = 0;
  __asm volatile("cpsid i");
  SYST_CVR = 0;
  SYST_CSR = 7;
  __asm volatile("wfi"); /* wakes under PRIMASK without the handler */
  CHECK(ticks == 0);
  SCR = 0;
  SYST_CSR = 0;
  __asm volatile("cpsie i\n isb");
  CHECK(ticks == 1);
  __asm volatile("sev\n wfe"); /* the event register is set: no sleep */
}

static volatile uint8_t band[4];
static void bit_band(void) {
  volatile uint32_t* alias = (volatile uint32_t*)(0x22000000 + ((uint32_t)band - 0x20000000) * 32);
  alias[9] = 0xFFFFFFFF;
  CHECK(band[1] == 2 && alias[9] == 1 && alias[8] == 0);
  alias[9] = 0xFFFFFFFE;
  CHECK(band[1] == 0);
  DEVICE_SCRATCH = 0x80000000;
  CHECK(REG(0x42000000 + 0x10014 * 32 + 31 * 4) == 1);
  REG(0x42000000 + 0x10014 * 32 + 4 * 4) = 1;
  CHECK(DEVICE_SCRATCH == 0x80000010);
}

/* An interrupt at every place of a row of IT blocks: the stacked xPSR holds the rest of the block,
   and the sum is right whatever is interrupted (B1.4.2). */
static void interrupts_in_it_blocks(void) {
  uint32_t inside = 0;
  ISER(0) = 1u << 5;
  for (uint32_t delay = 1; delay < 90; ++delay) {
    uint32_t sum = 0;
    timer_count = 0;
    __asm volatile(
        "str %1, [%2]\n mov r1, #6\n"
        "1: cmp r1, r1\n ittet eq\n addeq %0, #1\n addeq %0, #2\n addne %0, #100\n addeq %0, #4\n"
        "subs r1, #1\n bne 1b"
        : "+r"(sum)
        : "r"(delay), "r"(0x40010010)
        : "r1", "cc", "memory");
    while (timer_count == 0) {
    }
    CHECK(sum == 42 && timer_count == 1);
    if ((timer_xpsr & 0x0600FC00) != 0) ++inside;
  }
  CHECK(inside >= 10);
}

/* B1.5.8: the frame is aligned to 8 bytes, bit 9 of the stacked xPSR remembers. */
static void stack_alignment(void) {
  uint32_t before, after;
  skip_bytes = 2;
  seen_count = 0;
  __asm volatile("mov %0, sp\n sub sp, #4\n udf #3\n add sp, #4\n mov %1, sp"
                 : "=&r"(before), "=r"(after)::"memory");
  const uint32_t first = seen.xpsr >> 9 & 1;
  __asm volatile("udf #3");
  CHECK(seen_count == 2 && before == after && first != (seen.xpsr >> 9 & 1));
  HFSR = CFSR = 0xFFFFFFFF;
}

static void code_in_ram(void) {
  static uint16_t code[4] __attribute__((aligned(4)));
  uint32_t (*function)(void) = (uint32_t(*)(void))((uint32_t)code | 1);
  for (uint32_t i = 0; i < 5; ++i) {  /* rewritten each time */
    code[0] = (uint16_t)(0x2000 | i); /* movs r0, #i */
    code[1] = 0x4770;                 /* bx lr */
    __asm volatile("dsb\n isb" ::: "memory");
    CHECK(function() == i);
  }
}

/* B1.4.4, B3.1: unprivileged code sees no system registers and cannot mask interrupts. */
static void unprivileged(void) {
  seen_count = 0;
  skip_bytes = 2;
  SHCSR = 1u << 17;
  WRITE_SPECIAL(control, 1);
  __asm volatile("cpsid i");
  CHECK(READ_SPECIAL(primask) == 0 && READ_SPECIAL(control) == 1);
  uint32_t value = 0;
  __asm volatile("ldr %0, [%1]" : "+l"(value) : "l"(0xE000ED00) : "memory");
  CHECK(seen_count == 1 && seen_ipsr == 5 && value == 0);
  WRITE_SPECIAL(control, 0);
  CHECK(READ_SPECIAL(control) == 1);
  /* Back through a handler. */
  extern volatile uint32_t make_privileged_;
  make_privileged_ = 1;
  __asm volatile("udf #9");
  CHECK(READ_SPECIAL(control) == 0);
  HFSR = CFSR = 0xFFFFFFFF;
  SHCSR = 0;
}
volatile uint32_t make_privileged_;
__attribute__((used, naked)) static void hardfault_handler(void) {
  __asm volatile(
      "ldr r0, =make_privileged_\n ldr r1, [r0]\n cbz r1, 1f\n mov r1, #0\n str r1, [r0]\n"
      "msr control, r1\n 1: b fault_handler\n .ltorg");
}

static void* table[16 + 8] __attribute__((aligned(512)));

__attribute__((noreturn, used)) void start(void) {
  for (uint32_t *to = &data_begin, *from = &data_load; to != &data_end;) *to++ = *from++;
  for (uint32_t* to = &bss_begin; to != &bss_end;) *to++ = 0;
  for (uint32_t i = 0; i < 24; ++i) table[i] = (void*)vectors[i];
  table[3] = (void*)hardfault_handler;
  table[4] = (void*)memmanage_handler;
  VTOR = (uint32_t)table;
  CHECK(VTOR == (uint32_t)table && (REG(0xE000ED00) & 0xFF0FFFF0) == 0x410FC230);
  CHECK(REG(0xE000EDF0) == 0 && REG(0xE000E004) == 2);
  faults();
  division_and_alignment();
  calls();
  priorities();
  threads();
  timers();
  bit_band();
  interrupts_in_it_blocks();
  stack_alignment();
  code_in_ram();
  unprivileged();
  DEVICE_EXIT = checks;
  for (;;) {
  }
}
