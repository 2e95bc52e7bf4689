#include "rom_bootloader.hpp"

#include "registers.hpp"

namespace rom_bootloader {
namespace {

using namespace stm32f105;

/// System memory of connectivity line devices: 18 KiB, the vector table first. Source: AN2606,
/// chapter "STM32F105xx/107xx devices".
constexpr std::uint32_t kRomBegin = 0x1FFFB000;
constexpr std::uint32_t kRomEnd = 0x1FFFF800;
/// Source: STM32F105xx data sheet, memory map: 64 KiB.
constexpr std::uint32_t kRamBegin = 0x20000000;
constexpr std::uint32_t kRamEnd = 0x20010000;

/// A plug bounces for some milliseconds: 16 samples, one every 2500 cycles of the 8 MHz HSI, make 5
/// ms.
constexpr unsigned kSamples = 16;
constexpr std::uint32_t kCyclesBetweenSamples = 2500;

constexpr unsigned kVbusPin = 9;
constexpr unsigned kVbusShift = (kVbusPin - 8) * 4;

/// Whether the last reset came from outside: power, or the NRST pin. PINRSTF alone says nothing,
/// because every reset pulls the pin low from inside (RM0008, 8.1.1). No flag at all: nobody reset
/// the chip, the ROM jumped here. The flags outlive a system reset, so they are cleared for the
/// next one.
bool reset_from_outside() {
  constexpr std::uint32_t kFromOutside = kRccCsrPinRstF | kRccCsrPorRstF;
  constexpr std::uint32_t kFromInside =
      kRccCsrSftRstF | kRccCsrIwdgRstF | kRccCsrWwdgRstF | kRccCsrLpwrRstF;
  const std::uint32_t flags = rcc().CSR;
  rcc().CSR = flags | kRccCsrRmvf;
  return (flags & kFromOutside) != 0 && (flags & kFromInside) == 0;
}

/// Polls, so that no interrupt can be pending when the ROM takes over.
void wait_cycles(std::uint32_t cycles) {
  systick().LOAD = cycles - 1;
  systick().VAL = 0;
  systick().CTRL = kSysTickProcessorClock | kSysTickEnable;
  while ((systick().CTRL & kSysTickCountFlag) == 0) {
  }
  systick().CTRL = 0;
}

/// PA9 is 5 V tolerant and has no pull-down here: the board's divider must pull it low without a
/// cable.
bool vbus_present() {
  rcc().APB2ENR = rcc().APB2ENR | kRccApb2IoPortA;
  gpio_a().CRH = (gpio_a().CRH & ~(0xFU << kVbusShift)) | kGpioFloatingInput << kVbusShift;
  bool present = true;
  for (unsigned i = 0; i < kSamples && present; ++i) {
    wait_cycles(kCyclesBetweenSamples);
    present = (gpio_a().IDR & 1U << kVbusPin) != 0;
  }
  // As after reset: the ROM starts from there. PA9 itself was a floating input all along.
  rcc().APB2ENR = rcc().APB2ENR & ~kRccApb2IoPortA;
  systick().LOAD = 0;
  systick().VAL = 0;
  return present;
}

/// A stack in RAM, and code in system memory with the Thumb bit.
bool rom_plausible() {
  const std::uint32_t stack = at<const Register>(kRomBegin);
  const std::uint32_t entry = at<const Register>(kRomBegin + 4);
  return stack > kRamBegin && stack <= kRamEnd && stack % 4 == 0 && entry > kRomBegin &&
         entry < kRomEnd && entry % 2 == 1;
}

/// Starts the program whose vector table is at the address in r0, as a reset would. In assembler,
/// because from the moment MSP changes no compiled code may touch the stack.
///
/// VTOR: BOOT0 is low, so address 0 shows the user flash, and the vectors there are ours.
/// Interrupts on: the ROM runs its USB from interrupts and, as after any reset, expects them
/// enabled (AN2606, 4.1).
[[gnu::naked, noreturn]] void start(std::uint32_t /*vector_table: r0*/) {
  asm volatile(
      "  ldr   r1, =0xE000ED08 \n"  // SCB_VTOR (PM0056, 4.4.4)
      "  str   r0, [r1]        \n"
      "  dsb                   \n"
      "  movs  r1, #0          \n"
      "  msr   basepri, r1     \n"
      "  msr   faultmask, r1   \n"
      "  msr   control, r1     \n"  // privileged, main stack
      "  isb                   \n"
      "  ldr   r1, [r0]        \n"  // initial stack pointer
      "  ldr   r2, [r0, #4]    \n"  // reset vector
      "  mov   lr, #-1         \n"  // as after reset: nowhere to return to
      "  msr   msp, r1         \n"
      "  cpsie i               \n"  // PRIMASK = 0
      "  isb                   \n"
      "  bx    r2              \n"
      "  .ltorg                \n");
}

}  // namespace

void enter_when_cable_present() {
  if (reset_from_outside() && rom_plausible() && vbus_present()) start(kRomBegin);
}

}  // namespace rom_bootloader
