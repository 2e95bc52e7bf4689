// The application proper: a light on PC6 that blinks. PC6 belongs neither to USB, nor to the debug
// port, a crystal or the pins on which the ROM listens.

#include "registers.hpp"

namespace {

using namespace stm32f105;

constexpr unsigned kLedPin = 6;
constexpr unsigned kLedShift = kLedPin * 4;
/// Source: RM0008, 8.2.2: the internal oscillator, clock after reset.
constexpr std::uint32_t kHsiHz = 8'000'000;
constexpr std::uint32_t kTicksPerSecond = 1000;

volatile std::uint32_t milliseconds_left = HALF_PERIOD_MS;
volatile std::uint32_t toggle_count;

/// After a reset this changes nothing. The ROM, which may have jumped here, runs on its PLL.
void run_from_hsi() {
  rcc().CR = rcc().CR | kRccCrHsiOn;
  while ((rcc().CR & kRccCrHsiReady) == 0) {
  }
  rcc().CFGR = 0;  // HSI, no prescaler, no clock output
  while ((rcc().CFGR & kRccCfgrSwsMask) != 0) {
  }
  rcc().CR = rcc().CR & ~(kRccCrCssOn | kRccCrPllOn | kRccCrPll2On | kRccCrPll3On);
  rcc().CR = rcc().CR & ~kRccCrHseOn;
  rcc().CIR = 0;
}

void start_led() {
  rcc().APB2ENR = rcc().APB2ENR | kRccApb2IoPortC;
  gpio_c().CRL = (gpio_c().CRL & ~(0xFU << kLedShift)) | kGpioPushPullOutput2MHz << kLedShift;
}

void start_ticking() {
  systick().CTRL = 0;
  systick().LOAD = kHsiHz / kTicksPerSecond - 1;
  systick().VAL = 0;
  systick().CTRL = kSysTickProcessorClock | kSysTickTickInt | kSysTickEnable;
}

}  // namespace

extern "C" void SysTick_Handler() {
  milliseconds_left = milliseconds_left - 1;
  if (milliseconds_left != 0) return;
  milliseconds_left = HALF_PERIOD_MS;
  gpio_c().ODR = gpio_c().ODR ^ 1U << kLedPin;
  toggle_count = toggle_count + 1;
}

int main() {
  run_from_hsi();
  start_led();
  start_ticking();
  asm volatile("cpsie i");
  for (;;) asm volatile("wfi");
}
