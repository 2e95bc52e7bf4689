#pragma once

#include <array>
#include <bitset>
#include <map>
#include <set>

#include "backup.hpp"
#include "core_clock.hpp"
#include "crc_unit.hpp"
#include "dma.hpp"
#include "exti.hpp"
#include "gpio.hpp"
#include "memory_map.hpp"
#include "peripheral.hpp"
#include "plain_registers.hpp"
#include "rcc.hpp"
#include "rom.hpp"
#include "timer.hpp"
#include "usart.hpp"
#include "usb_host.hpp"
#include "usb_socket.hpp"
#include "watchdogs.hpp"

#include "sureflash/sim/board/board.hpp"
#include "sureflash/sim/chip/fpec_f1.hpp"

namespace sureflash::sim {

/// The chip and the board around it: memory map, time, resets. One clock rules: the cycles of the
/// core, which go on while it sleeps, while the ROM has the chip, and without power.
class Board::Machine final : public cpu::Bus, public Chipset {
 public:
  explicit Machine(BoardOptions options);

  // --- Chipset
  Duration now() const override { return clock_.time_at(core.now()); }
  const ClockTree& clocks() const override { return rcc_->clocks(); }
  void set_irq(unsigned line, bool level) override { core.set_irq(line, level); }
  void pulse_irq(unsigned line) override;
  void emit(decltype(BoardEvent::what) what) override;
  void misuse(std::string text) override;
  void request_reset(ResetCause cause) override;

  // --- cpu::Bus, bus.cpp
  cpu::BusReply read(std::uint32_t address, unsigned size, cpu::Purpose purpose) override;
  cpu::BusReply write(std::uint32_t address, unsigned size, std::uint32_t value) override;
  std::uint64_t next_event() const override { return next_event_; }
  void run_events(std::uint64_t now) override;
  void reset_requested() override { request_reset(ResetCause::Software); }
  void faulted(const cpu::FaultRecord& fault) override;

  // --- The board
  BoardStop run(Duration until);
  BoardStop step();
  /// Runs for somebody on the bus: nothing but a debugger stops it.
  void pass(Duration until);
  void power_on();
  void lose_power();
  void cut_power_at(std::uint64_t cycle);
  void power_cycle();
  void request_stop();
  std::shared_ptr<const Snapshot> snapshot() const;
  void restore(const Snapshot& snapshot);
  bool load(const BoardSegment& segment);
  bool rom_has_chip() const { return state == BoardState::Rom || state == BoardState::RomDead; }

  // --- The USB socket, usb.cpp
  bool attached() const;
  std::uint32_t attach_count() const { return attach_count_; }
  Completion control(const proto::Setup& setup, ByteView out, ByteSpan in, Duration timeout);
  Completion endpoint_out(std::uint8_t endpoint, ByteView data, Duration timeout);
  Completion endpoint_in(std::uint8_t endpoint, ByteSpan data, Duration timeout);
  void bus_reset();
  void set_vbus(bool on);
  void suspend();
  void resume();
  Gpio* gpio(char port);
  void uart_receive(unsigned usart, ByteView bytes);

  BoardOptions options;
  Chip chip;
  cpu::Core core;
  BoardState state = BoardState::Running;
  BoardObserver observer;
  std::function<void(BoardStop)> debugger;
  bool stop_on_reset = false;
  bool stop_on_fault = false;

 private:
  void make_peripherals();
  Rcc::Hooks rcc_hooks();
  void add(std::string_view name, Peripheral* peripheral);
  void reset_blocks(Gate gate, std::uint32_t bits);
  void reset(ResetCause cause);
  void reset_peripherals();
  void start_hardware_watchdog();
  void connection_changed();
  void catch_up_with_rom();
  std::optional<BoardStop> run_rom(Duration until);

  // rom_entry.cpp
  std::vector<RomCondition> rom_conditions(RomFate& fate);
  void enter_rom();
  void leave_rom(std::uint32_t vector_table);

  void map_memory();
  void map_flash();
  void pin_changed(char port, unsigned pin, bool high);
  void update_flash_irq();
  void change_clocks();
  void check_latency();
  void schedule();
  /// Something may be due earlier than was known.
  void hurry(Duration event);
  std::optional<BoardStop> after_slice(cpu::Stop why);
  void idle_until(Duration until);

  // bus.cpp
  cpu::BusReply read_memory(std::uint32_t address, unsigned size, cpu::Purpose purpose);
  cpu::BusReply read_flash(std::uint32_t address, unsigned size, cpu::Purpose purpose);
  cpu::BusReply read_register(const Block& block, std::uint32_t address, unsigned size,
                              cpu::Purpose purpose);
  cpu::BusReply write_register(const Block& block, std::uint32_t address, unsigned size,
                               std::uint32_t value);
  cpu::BusReply write_fpec(std::uint32_t offset, std::uint32_t value);
  cpu::BusReply store_to_flash(std::uint32_t address, unsigned size, std::uint32_t value);
  cpu::BusReply nobody_answers(std::uint32_t address, bool is_write, std::uint32_t value);
  void report_unknown(std::uint32_t address, bool is_write, std::uint32_t value);
  bool clocked(const Block& block, std::uint32_t address);
  void flash_busy_changed();
  Dma::Bus dma_bus();
  void serve_dma();
  static std::size_t index_of(const Block& block) {
    return static_cast<std::size_t>(&block - blocks().data());
  }
  Peripheral* at(const Block& block) const { return slots_[index_of(block)]; }
  bool modelled(const Block& block) const { return modelled_[index_of(block)]; }
  /// A register of that name exists, and is modelled.
  bool knows(const Block& block, std::uint32_t offset) const {
    const std::bitset<256>& named = named_[index_of(block)];
    return modelled(block) && (block.registers.empty() || named[offset / 4 % 256]);
  }

  CoreClock clock_;
  FpecF1 fpec_;
  std::unique_ptr<Rcc> rcc_;
  Pwr pwr_;
  Bkp bkp_{*this, pwr_};
  Afio afio_;
  Exti exti_{*this};
  std::vector<std::unique_ptr<Gpio>> gpio_;  ///< A to E
  CrcUnit crc_;
  Dma dma1_{*this, 1, dma_bus()};
  Dma dma2_{*this, 2, dma_bus()};
  bool dma_moving_ = false;
  Iwdg iwdg_{*this};
  Wwdg wwdg_{*this};
  std::vector<std::unique_ptr<Usart>> usarts_;  ///< 1 to 3
  std::vector<std::unique_ptr<Timer>> timers_;  ///< 1 to 7
  UsbSocket socket_;
  UsbHost host_;
  Rom rom_;
  std::vector<std::unique_ptr<PlainRegisters>> plain_;
  std::vector<Peripheral*> slots_;        ///< one for each of blocks(), or nullptr
  std::vector<Peripheral*> peripherals_;  ///< all of them
  std::vector<bool> modelled_;            ///< by block
  std::vector<std::bitset<256>> named_;   ///< registers that have a name, by block
  std::vector<Peripheral*> timed_;        ///< those that have events of their own
  std::set<std::uint32_t> reported_;
  std::set<std::string> misuses_;
  std::uint64_t next_event_ = 0;
  Duration next_time_{};  ///< the same, but for a power cut
  std::uint64_t power_cut_cycle_ = cpu::kNever;
  std::uint32_t attach_count_ = 0;
  bool attached_ = false;
  bool rom_requested_ = false;
  bool just_reset_ = false;
  bool flash_mapped_ = true;
  bool user_stop_ = false;
  bool fault_seen_ = false;
  std::optional<ResetCause> pending_reset_;
};

}  // namespace sureflash::sim
