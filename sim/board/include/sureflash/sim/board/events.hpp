#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "sureflash/base/time.hpp"
#include "sureflash/proto/usb.hpp"
#include "sureflash/sim/cpu/core.hpp"
#include "sureflash/sim/usb/device.hpp"

/// What happens on a board, for logs, conditions and tests.
namespace sureflash::sim {

enum class ResetCause : std::uint8_t {
  PowerOn,
  Pin,       ///< NRST
  Software,  ///< AIRCR.SYSRESETREQ
  IndependentWatchdog,
  WindowWatchdog,
  LowPower,
  Rom,  ///< the boot loader reset the chip: after six trials, read protection, option bytes
};

/// The level of an output changed.
struct PinChanged {
  char port = 'A';  ///< 'A' to 'E'
  unsigned pin = 0;
  bool high = false;
};
/// A byte left the pin.
struct UartSent {
  unsigned usart = 1;
  std::uint8_t byte = 0;
};
enum class UsbChange : std::uint8_t { Attached, Detached, BusReset, Suspended, Resumed };
/// The connection to the host changed.
struct UsbChanged {
  UsbChange what = UsbChange::Attached;
};
/// A control transfer is over.
struct UsbControlled {
  proto::Setup setup;
  Completion completion;
};
struct ChipReset {
  ResetCause cause = ResetCause::PowerOn;
};
/// The core took a fault, or locked up (exception 0).
struct FaultTaken {
  cpu::FaultRecord fault;
};
/// First access to a register that is not modelled, or to a reserved address.
struct UnknownRegister {
  std::string name;  ///< "I2C1_CR1", "0x40007C00"
  std::uint32_t address = 0;
  bool is_write = false;
  std::uint32_t value = 0;  ///< written
  bool faults = false;      ///< nothing answers there: the core takes a BusFault
};
/// The firmware does what the manual forbids, in words. Each text once between two resets.
struct Misuse {
  std::string text;
};
/// The ROM boot loader has the chip.
struct RomEntered {
  bool by_boot_pins = false;
  std::uint32_t jumped_from = 0;  ///< address of the branch, if not by boot pins
};
/// Something that the ROM needs was not so when the core jumped there.
struct RomCondition {
  std::string what;    ///< "interrupts are disabled (PRIMASK = 1)"
  std::string remedy;  ///< what the firmware should have done, before the branch in RomEntered
};
struct RomFailed {
  std::vector<RomCondition> conditions;
  std::string consequence;  ///< what the chip does now
};
/// One of the six trials to find the crystal has begun.
struct RomTrial {
  unsigned number = 1;           ///< 1 to 6
  std::uint32_t assumed_hz = 0;  ///< the crystal it takes for given
  bool fits = false;
};
/// The ROM started a program.
struct RomLeft {
  std::uint32_t vector_table = 0;
};
struct PowerLost {};

struct BoardEvent {
  Duration time{};
  std::uint64_t cycle = 0;
  /// The instruction that runs, or runs next; meaningless while the ROM has the chip.
  std::uint32_t pc = 0;
  std::variant<PinChanged, UartSent, UsbChanged, UsbControlled, ChipReset, FaultTaken,
               UnknownRegister, Misuse, RomEntered, RomFailed, RomTrial, RomLeft, PowerLost>
      what;
};

using BoardObserver = std::function<void(const BoardEvent&)>;

}  // namespace sureflash::sim
