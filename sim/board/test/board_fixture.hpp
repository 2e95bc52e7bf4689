#pragma once

#include <initializer_list>
#include <memory>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "sureflash/sim/board/board.hpp"

namespace sureflash::sim {

/// A board whose core idles (`b .`); the test plays the program through the bus of the core, as
/// loads and stores would.
class BoardTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kStack = 0x20010000, kCode = 0x08000101;

  void SetUp() override { start({}); }

  void start(BoardOptions options) {
    Bytes image;
    append_le32(image, kStack);
    append_le32(image, kCode);
    image.resize(0x100, 0xFF);
    append_le16(image, 0xE7FE);  // b .
    const BoardSegment segment{0x08000000, image};
    start(options, {&segment, 1});
  }
  void start(BoardOptions options, std::span<const BoardSegment> segments) {
    auto made = Board::create(options, segments);
    ASSERT_TRUE(made.has_value());
    board = *std::move(made);
    events.clear();
    board->set_observer([this](const BoardEvent& event) { events.push_back(event); });
  }

  /// Runs one instruction in RAM: str r1,[r0] or one of its relatives; or reads with ldr.
  void execute(std::uint16_t instruction, std::uint32_t address, std::uint32_t value) {
    const Bytes code{static_cast<std::uint8_t>(instruction),
                     static_cast<std::uint8_t>(instruction >> 8), 0xFE, 0xE7};
    cpu::Core& core = board->core();
    core.poke(kScratch, code);
    core.set_reg(0, address);
    core.set_reg(1, value);
    core.set_reg(15, kScratch);
    board->step();
  }
  void write(std::uint32_t address, std::uint32_t value) { execute(0x6001, address, value); }
  void write16(std::uint32_t address, std::uint32_t value) { execute(0x8001, address, value); }
  void write8(std::uint32_t address, std::uint32_t value) { execute(0x7001, address, value); }
  std::uint32_t read(std::uint32_t address) {
    execute(0x6801, address, 0);
    return board->core().reg(1);
  }
  void set_bits(std::uint32_t address, std::uint32_t bits) { write(address, read(address) | bits); }
  bool faulted() { return board->core().handler_mode(); }
  void pass(Duration time) { board->advance_to(board->now() + time); }

  template <class T>
  std::vector<T> all() const {
    std::vector<T> found;
    for (const BoardEvent& event : events) {
      if (const T* what = std::get_if<T>(&event.what)) found.push_back(*what);
    }
    return found;
  }

  std::vector<std::string> misuses() const {
    std::vector<std::string> texts;
    for (const Misuse& misuse : all<Misuse>()) texts.push_back(misuse.text);
    return texts;
  }

  static constexpr std::uint32_t kScratch = 0x20008000;
  std::unique_ptr<Board> board;
  std::vector<BoardEvent> events;
};

}  // namespace sureflash::sim
