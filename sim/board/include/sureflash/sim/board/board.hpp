#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "sureflash/base/error.hpp"
#include "sureflash/sim/board/events.hpp"
#include "sureflash/sim/board/otg_fs.hpp"
#include "sureflash/sim/chip/chip.hpp"
#include "sureflash/sim/cpu/core.hpp"
#include "sureflash/sim/model/dfuse_rom.hpp"
#include "sureflash/sim/usb/device.hpp"

namespace sureflash::sim {

/// How the board is built and wired.
struct BoardOptions {
  std::uint32_t flash_kib = 256;      ///< 64, 128, 256
  std::uint32_t hse_hz = 25'000'000;  ///< crystal; 0: none
  bool vbus = true;                   ///< the cable is in, and VBUS is wired to PA9
  bool boot0 = false;
  bool boot1 = false;
  F105RomVersion rom = F105RomVersion::V2_2;
  /// Whether the ROM points VTOR to its own vectors. ST says so of V2.0 and later; reports of jumps
  /// that work with BOOT0 only say otherwise. Off is harder on firmware.
  bool rom_sets_vtor = false;
  /// Whether VTOR still points to the ROM when it starts an application ("leave"), or has been put
  /// back like everything else that it uses.
  bool rom_leaves_vtor = false;
  RomSwitches rom_switches{};
  OtgSwitches otg{};
  /// Codes of PLLMUL that are reserved on connectivity line multiply as they do on the other parts
  /// of the family; off: no clock. There is firmware for F105 boards that uses them.
  bool reserved_pllmul_multiplies = true;
  bool imprecise_store_faults = false;
  TimeChoice flash_time = TimeChoice::Typical;
  std::uint64_t seed = 0;  ///< unique id, RAM at power-on, damage by power cuts
};

/// Bytes that a programmer put into flash, or a debugger into RAM.
struct BoardSegment {
  std::uint32_t address = 0;
  ByteView bytes;
};

/// Why `Board::run` came back.
enum class BoardStop : std::uint8_t {
  Deadline,
  Breakpoint,
  Watchpoint,
  BkptInstruction,
  Stepped,
  Reset,      ///< the chip was reset; it runs on with the next call. Only with stop_on_reset
  Fault,      ///< a fault was taken; the handler runs with the next call. Only with stop_on_fault
  Lockup,     ///< time passes, nothing runs until a reset
  Requested,  ///< Board::request_stop
  NoPower,
};

enum class BoardState : std::uint8_t {
  Running,  ///< the core executes
  Rom,      ///< the ROM boot loader has the chip
  RomDead,  ///< so it has, but USB will never work
  NoPower,
};

enum class PinInput : std::uint8_t { Floating, Low, High };

/// A board with an STM32F105: chip, crystal, USB socket. Runs firmware instruction by instruction
/// in virtual time. Not thread-safe.
class Board final : public UsbDevice {
 public:
  /// Powered on, at time 0, before the first instruction. Errors: NotForThisDevice (a segment
  /// outside flash, RAM and option bytes, or no such size of flash).
  static Result<std::unique_ptr<Board>> create(BoardOptions options,
                                               std::span<const BoardSegment> firmware = {});
  ~Board() override;

  // --- Running
  /// Runs until the clock reaches `until`, or something stops it.
  BoardStop run(Duration until);
  /// One instruction. Asleep: time passes to the next event.
  BoardStop step();
  /// From an observer: `run` comes back behind this instruction.
  void request_stop();
  void stop_on_reset(bool on);
  void stop_on_fault(bool on);
  /// Called when a breakpoint, watchpoint, BKPT or fault stops the core while a USB transfer or
  /// advance_to drives the board: a debugger takes over; the core goes on when it returns. Without
  /// one the core goes on at once.
  void set_debugger(std::function<void(BoardStop)> on_stop);
  void set_observer(BoardObserver observer);
  BoardState state() const;
  const BoardOptions& options() const;

  cpu::Core& core();
  const cpu::Core& core() const;
  Chip& chip();
  const Chip& chip() const;
  /// Core clock (HCLK) now.
  std::uint32_t core_hz() const;

  // --- Wires
  /// Drives a pin from outside.
  void set_pin(char port, unsigned pin, PinInput level);
  /// Level of a pin, whoever drives it; floating pins read low.
  bool pin(char port, unsigned pin) const;
  /// Bytes that arrive at a USART, one after the other at its baud rate.
  void uart_receive(unsigned usart, ByteView bytes);
  void reset_pin();

  // --- Power
  void power_cycle();
  /// Takes the supply away at once.
  void cut_power();
  void cut_power_at_cycle(std::uint64_t cycle);
  /// Flash operations are counted from 0; see FlashFaultRule.
  void cut_power_at_flash_operation(std::uint64_t number, FlashFault when);

  // --- Everything there is, for going back. Observers, breakpoints and options are no part of it.
  struct Snapshot;
  std::shared_ptr<const Snapshot> snapshot() const;
  /// Precondition: a snapshot of this very board.
  void restore(const Snapshot& snapshot);

  // --- USB, as the host sees it
  Duration now() const override;
  void advance_to(Duration time) override;
  bool attached() const override;
  std::uint32_t attach_count() const override;
  Completion control(const proto::Setup& setup, ByteView out, ByteSpan in,
                     Duration timeout) override;
  Completion endpoint_out(std::uint8_t endpoint, ByteView data, Duration timeout) override;
  Completion endpoint_in(std::uint8_t endpoint, ByteSpan data, Duration timeout) override;
  void bus_reset() override;
  void set_vbus(bool on) override;
  /// The host stops all traffic on the bus, or resumes it.
  void suspend();
  void resume();

 private:
  class Machine;
  explicit Board(std::unique_ptr<Machine> machine);

  std::unique_ptr<Machine> machine_;
};

}  // namespace sureflash::sim
