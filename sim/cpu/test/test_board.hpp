#pragma once

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "sureflash/sim/cpu/core.hpp"

namespace sureflash::sim::cpu {

/// Flash at 0x08000000 and 0, SRAM at 0x20000000, and the device of firmware/board.h.
class TestBoard : public Bus {
 public:
  explicit TestBoard(Config config = {}) : core(*this, config) {
    core.map({.begin = 0x08000000, .size = kFlashSize, .data = flash.data()});
    core.map({.begin = 0, .size = kFlashSize, .data = flash.data()});
    core.map({.begin = 0x20000000, .size = kRamSize, .data = ram.data(), .writable = true});
  }

  void load(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    const std::vector<char> bytes((std::istreambuf_iterator<char>(in)), {});
    std::memcpy(flash.data(), bytes.data(), std::min<std::size_t>(bytes.size(), kFlashSize));
    core.reset();
  }
  /// Halfwords at the start of flash behind two vectors, SP at the top of RAM.
  void program(std::initializer_list<std::uint16_t> code) {
    const std::uint32_t vectors[] = {0x20000000 + kRamSize, kProgram + 1};
    std::memcpy(flash.data(), vectors, sizeof vectors);
    std::memcpy(flash.data() + (kProgram - 0x08000000), code.begin(), code.size() * 2);
    core.reset();
  }

  BusReply read(std::uint32_t address, unsigned size, Purpose) override {
    if (address == kDevice + 0x14 && size == 4) return {.value = scratch};
    return {.fault = address < kDevice || address >= kDevice + 0x20};
  }
  BusReply write(std::uint32_t address, unsigned size, std::uint32_t value) override {
    if (size != 4) return {.fault = true};
    switch (address) {
      case kDevice:
        failures.push_back(value);
        break;
      case kDevice + 4:
        exit_value = value;
        core.request_stop();
        break;
      case kDevice + 8:
        core.set_irq(value, true);
        break;
      case kDevice + 0xC:
        core.set_irq(value, false);
        break;
      case kDevice + 0x10:
        deadline = core.now() + value;
        break;
      case kDevice + 0x14:
        scratch = value;
        break;
      default:
        return {.fault = true};
    }
    return {};
  }
  std::uint64_t next_event() const override { return deadline; }
  void run_events(std::uint64_t) override {
    deadline = kNever;
    core.set_irq(5, true);
  }
  void reset_requested() override { ++reset_requests; }

  static constexpr std::uint32_t kFlashSize = 0x40000, kRamSize = 0x10000, kProgram = 0x08000100;
  static constexpr std::uint32_t kDevice = 0x40010000;
  std::vector<std::uint8_t> flash = std::vector<std::uint8_t>(kFlashSize, 0xFF);
  std::vector<std::uint8_t> ram = std::vector<std::uint8_t>(kRamSize);
  std::vector<std::uint32_t> failures;
  std::uint32_t exit_value = 0;
  std::uint32_t scratch = 0;
  std::uint64_t deadline = kNever;
  unsigned reset_requests = 0;
  Core core;
};

}  // namespace sureflash::sim::cpu
