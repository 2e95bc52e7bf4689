// From the reset vector to main: the vector table, the initial contents of RAM.

#include <cstddef>

#include "registers.hpp"
#include "rom_bootloader.hpp"

int main();

extern "C" {

/// Borders of sections, from the linker script. Only their addresses mean something.
extern std::uint32_t ld_stack_top[];
extern const std::uint32_t ld_data_image[];
extern std::uint32_t ld_data_begin[];
extern std::uint32_t ld_data_end[];
extern std::uint32_t ld_bss_begin[];
extern std::uint32_t ld_bss_end[];

void SysTick_Handler();

/// An interrupt or fault that nobody expects. Stays here, where a debugger finds it.
[[noreturn]] void Unexpected_Handler() {
  for (;;) {
    asm volatile("");
  }
}

[[noreturn]] void Reset_Handler();

}  // extern "C"

namespace {

using Handler = void (*)();

/// Interrupt lines of connectivity line devices, WWDG (0) to OTG_FS (67). Source: RM0008, table 61.
constexpr std::size_t kInterruptCount = 68;

/// Source: PM0056, section 2.3.4, and RM0008, table 61.
struct VectorTable {
  std::uint32_t* initial_stack;
  Handler reset;
  Handler nmi = Unexpected_Handler;
  Handler hard_fault = Unexpected_Handler;
  Handler memory_management_fault = Unexpected_Handler;
  Handler bus_fault = Unexpected_Handler;
  Handler usage_fault = Unexpected_Handler;
  Handler reserved_7_to_10[4] = {};
  Handler sv_call = Unexpected_Handler;
  Handler debug_monitor = Unexpected_Handler;
  Handler reserved_13 = nullptr;
  Handler pend_sv = Unexpected_Handler;
  Handler sys_tick = Unexpected_Handler;
  Handler interrupts[kInterruptCount];

  constexpr VectorTable(std::uint32_t* stack, Handler on_reset, Handler on_sys_tick)
      : initial_stack(stack), reset(on_reset), sys_tick(on_sys_tick) {
    for (Handler& handler : interrupts) handler = Unexpected_Handler;
  }
};
static_assert(sizeof(VectorTable) == (16 + kInterruptCount) * 4);

[[gnu::section(".vectors"),
  gnu::used]] constinit const VectorTable vectors(ld_stack_top, Reset_Handler, SysTick_Handler);

/// What this image is, right behind the vector table, for people and programs that look into it.
[[gnu::section(".version"), gnu::used]] constexpr char version[] = "vbus-dfu " VERSION " STM32F105";

/// The ROM leaves DFU by a jump: its VTOR, its interrupts and what is pending of them are still
/// there then. After a reset this changes nothing. Interrupts stay off until main wants them.
void take_over_exceptions() {
  using namespace stm32f105;
  asm volatile("cpsid i");
  systick().CTRL = 0;
  at<Register>(kIcsrAddress) = kIcsrPendStClr;
  for (Register& word : nvic_icer().words) word = 0xFFFFFFFF;
  for (Register& word : nvic_icpr().words) word = 0xFFFFFFFF;
  at<Register>(kVtorAddress) = reinterpret_cast<std::uintptr_t>(&vectors);
  asm volatile("dsb");
}

}  // namespace

extern "C" void Reset_Handler() {
  rom_bootloader::enter_when_cable_present();
  take_over_exceptions();

  const std::uint32_t* from = ld_data_image;
  for (std::uint32_t* to = ld_data_begin; to != ld_data_end; ++to) *to = *from++;
  for (std::uint32_t* to = ld_bss_begin; to != ld_bss_end; ++to) *to = 0;

  main();
  Unexpected_Handler();
}
