#pragma once

#include "peripheral.hpp"

namespace sureflash::sim {

/// CRC-32 of whole words, polynomial 0x04C11DB7, most significant bit first, no inversion. Source:
/// RM0008, chapter 4.
struct CrcState {
  std::uint32_t dr = 0xFFFFFFFF, idr = 0;
};
class CrcUnit final : public StatefulPeripheral<CrcState> {
 public:
  void reset() override { s_ = {}; }
  std::uint32_t peek(std::uint32_t offset) const override {
    return offset == 0 ? s_.dr : offset == 4 ? s_.idr : 0;
  }
  void write(std::uint32_t offset, std::uint32_t value) override {
    if (offset == 0) add(value);
    if (offset == 4) s_.idr = value & 0xFF;
    if (offset == 8 && (value & 1) != 0) s_.dr = 0xFFFFFFFF;
  }

 private:
  void add(std::uint32_t word) {
    s_.dr ^= word;
    for (int i = 0; i < 32; ++i) {
      s_.dr = s_.dr << 1 ^ ((s_.dr & 0x80000000) != 0 ? 0x04C11DB7U : 0U);
    }
  }
};

}  // namespace sureflash::sim
