#pragma once

#include "sureflash/base/text.hpp"
#include "sureflash/sim/board/board.hpp"
#include "sureflash/sim/debug/fault_report.hpp"
#include "sureflash/sim/debug/gdb_session.hpp"

namespace sureflash::cli {

/// The board, as GDB gets it.
class GdbBoard final : public sim::debug::GdbTarget {
 public:
  GdbBoard(sim::Board& board, const sim::firmware::Elf& elf) : board_(board), elf_(elf) {}

  sim::cpu::Core& core() override { return board_.core(); }
  void reset() override {
    board_.reset_pin();
    // The reset happens when the board runs; it stops there.
    board_.run(board_.now() + 1ms);
  }
  AddressRange flash() const override { return board_.chip().flash().range(); }
  std::uint32_t sector_size() const override { return 0x800; }
  AddressRange ram() const override { return board_.chip().description().ram; }
  bool erase_flash(AddressRange range) override {
    return flash().contains(range) &&
           write_flash(static_cast<std::uint32_t>(range.begin), Bytes(range.size(), 0xFF));
  }
  bool write_flash(std::uint32_t address, ByteView bytes) override {
    board_.chip().flash().load(address, bytes);
    return true;
  }
  std::string info() override {
    std::string text = "time " + sureflash::text(board_.now()) + ", core at " +
                       decimal(board_.core_hz() / 1'000'000) + " MHz, " +
                       decimal(core().instructions()) + " instructions";
    if (core().asleep()) text += ", asleep";
    if (core().locked_up()) text += ", locked up";
    if (board_.state() != sim::BoardState::Running) text += ", the ROM has the chip";
    text += "\n";
    if (const auto& fault = core().last_fault()) {
      text += "last fault:\n";
      for (const std::string& line : lines(sim::debug::report(*fault, core(), &elf_))) {
        text += "  " + line + "\n";
      }
    }
    return text;
  }

 private:
  sim::Board& board_;
  const sim::firmware::Elf& elf_;
};

}  // namespace sureflash::cli
