// Speed of the virtual Cortex-M3, beside Unicorn with an exact program counter (a code hook), in
// one run. items_per_second are instructions per second. Unicorn is asked for the same number of
// instructions.

#include <cstring>
#include <initializer_list>
#include <vector>

#include <benchmark/benchmark.h>
#include <unicorn/unicorn.h>

#include "sureflash/sim/cpu/core.hpp"

namespace {

using namespace sureflash::sim::cpu;

constexpr std::uint32_t kFlash = 0x08000000, kRam = 0x20000000, kStart = kFlash + 0x200;
constexpr std::size_t kFlashSize = 0x40000, kRamSize = 0x10000;
constexpr std::uint64_t kInstructions = 2'000'000;

class Bench : public Bus {
 public:
  Bench(std::initializer_list<std::uint16_t> code, std::uint8_t wait_states = 2)
      : flash(kFlashSize), ram(kRamSize), core(*this) {
    const std::uint32_t vectors[] = {kRam + 0x8000, kStart + 1};
    std::memcpy(flash.data(), vectors, sizeof vectors);
    const std::uint32_t systick = kStart + 0x100 + 1;
    std::memcpy(flash.data() + 4 * exception::kSysTick, &systick, 4);
    std::memcpy(flash.data() + (kStart - kFlash), code.begin(), code.size() * 2);
    const std::uint16_t handler[] = {0x3001, 0x4770};  // adds r0, #1; bx lr
    std::memcpy(flash.data() + 0x300, handler, sizeof handler);
    for (const std::uint32_t begin : {kFlash, 0U}) {
      core.map(
          {.begin = begin, .size = kFlashSize, .data = flash.data(), .wait_states = wait_states});
    }
    core.map({.begin = kRam, .size = kRamSize, .data = ram.data(), .writable = true});
    core.reset();
    core.set_reg(4, kRam);
    core.set_reg(5, kRam + 0x4000);
    core.set_reg(6, 0xEDB88320);
  }
  BusReply read(std::uint32_t, unsigned, Purpose) override { return {.fault = true}; }
  BusReply write(std::uint32_t, unsigned, std::uint32_t) override { return {.fault = true}; }

  void measure(benchmark::State& state) {
    std::uint64_t done = 0;
    for (auto _ : state) {
      const std::uint64_t before = core.instructions();
      core.run(core.now() + 2 * kInstructions);
      done += core.instructions() - before;
    }
    if (core.last_fault()) state.SkipWithError("the program faulted");
    state.SetItemsProcessed(static_cast<std::int64_t>(done));
  }

  std::vector<std::uint8_t> flash, ram;
  Core core;
};

// CRC-32, bit by bit, over 16 KiB: ldrb, eors, 8 times (lsrs, it cs, eorcs, subs, bne).
const std::initializer_list<std::uint16_t> kCrc = {0x4621, 0x2700, 0xF811, 0x3B01, 0x405F,
                                                   0x2208, 0x087F, 0xBF28, 0xEA87, 0x0706,
                                                   0x3A01, 0xD1F9, 0x42A9, 0xD1F3, 0xE7F0};
// memcpy of 8 KiB by words: ldr, str, adds, cmp, bne.
const std::initializer_list<std::uint16_t> kCopy = {0x2100, 0xF44F, 0x5200, 0x5863, 0x506B,
                                                    0x3104, 0x4291, 0xD1FA, 0xE7F6};
// Stores only: 7 stores of different widths and a branch.
const std::initializer_list<std::uint16_t> kStores = {0x6020, 0x8061, 0x70A2, 0x6063,
                                                      0x60A5, 0x60E6, 0x7427, 0xE7F7};

void crc(benchmark::State& state) {
  Bench(kCrc).measure(state);
}
BENCHMARK(crc);

void copy(benchmark::State& state) {
  Bench(kCopy).measure(state);
}
BENCHMARK(copy);

void stores(benchmark::State& state) {
  Bench(kStores).measure(state);
}
BENCHMARK(stores);

/// A SysTick interrupt every 100 cycles.
void interrupts(benchmark::State& state) {
  Bench bench(kCopy);
  State s = bench.core.state();
  s.systick_reload = 99;
  s.systick_ctrl = 7;
  bench.core.restore(s);
  bench.measure(state);
}
BENCHMARK(interrupts);

void ignore(uc_engine*, std::uint64_t, std::uint32_t, void*) {}

void unicorn(benchmark::State& state, std::initializer_list<std::uint16_t> code) {
  std::vector<std::uint8_t> flash(kFlashSize), ram(kRamSize);
  std::memcpy(flash.data() + (kStart - kFlash), code.begin(), code.size() * 2);
  uc_engine* uc = nullptr;
  uc_open(UC_ARCH_ARM, static_cast<uc_mode>(UC_MODE_THUMB | UC_MODE_MCLASS), &uc);
  uc_ctl_set_cpu_model(uc, UC_CPU_ARM_CORTEX_M3);
  uc_mem_map_ptr(uc, kFlash, kFlashSize, UC_PROT_READ | UC_PROT_EXEC, flash.data());
  uc_mem_map_ptr(uc, kRam, kRamSize, UC_PROT_READ | UC_PROT_WRITE, ram.data());
  uc_hook hook = 0;
  uc_hook_add(uc, &hook, UC_HOOK_CODE, reinterpret_cast<void*>(&ignore), nullptr, 1, 0);
  std::uint32_t r4 = kRam, r5 = kRam + 0x4000, r6 = 0xEDB88320, pc = kStart;
  uc_reg_write(uc, UC_ARM_REG_R4, &r4);
  uc_reg_write(uc, UC_ARM_REG_R5, &r5);
  uc_reg_write(uc, UC_ARM_REG_R6, &r6);
  for (auto _ : state) {
    if (uc_emu_start(uc, pc | 1, 0, 0, kInstructions) != UC_ERR_OK) state.SkipWithError("unicorn");
    uc_reg_read(uc, UC_ARM_REG_PC, &pc);
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kInstructions));
  uc_close(uc);
}
BENCHMARK_CAPTURE(unicorn, crc, kCrc);
BENCHMARK_CAPTURE(unicorn, copy, kCopy);
BENCHMARK_CAPTURE(unicorn, stores, kStores);

}  // namespace
