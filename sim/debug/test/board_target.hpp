#pragma once

#include <algorithm>

#include "../../cpu/test/test_board.hpp"

#include "sureflash/sim/debug/gdb_session.hpp"

namespace sureflash::sim::debug {

/// A core with flash and RAM, as a debugger gets it.
class BoardTarget final : public GdbTarget {
 public:
  cpu::Core& core() override { return board.core; }
  void reset() override {
    ++resets;
    board.core.reset();
  }
  AddressRange flash() const override { return AddressRange::sized(0x0800'0000, 0x4'0000); }
  std::uint32_t sector_size() const override { return 0x800; }
  AddressRange ram() const override { return AddressRange::sized(0x2000'0000, 0x1'0000); }
  bool erase_flash(AddressRange range) override {
    if (!flash().contains(range)) return false;
    std::fill_n(board.flash.begin() + static_cast<long>(range.begin - flash().begin), range.size(),
                std::uint8_t{0xFF});
    return true;
  }
  bool write_flash(std::uint32_t address, ByteView bytes) override {
    std::ranges::copy(bytes, board.flash.begin() + (address - 0x0800'0000));
    return true;
  }
  std::string info() override { return "a test board\n"; }

  cpu::TestBoard board;
  int resets = 0;
};

}  // namespace sureflash::sim::debug
