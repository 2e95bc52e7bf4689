#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "sureflash/sim/chip/state_file.hpp"
#include "sureflash/sim/model/faults.hpp"
#include "sureflash/sim/model/port.hpp"

namespace sureflash::sim {

/// What the chip executes.
enum class Running : std::uint8_t {
  NoPower,  ///< after a power cut, until power_cycle()
  Nothing,  ///< no boot loader selected and no application: lock-up
  Loader,   ///< the DFU side of the profile
  Application,
};

enum class StartCause : std::uint8_t { PowerOn, SystemReset };

/// What an application does once it was started.
enum class ApplicationThen : std::uint8_t {
  Stays,
  JumpsBack,  ///< its entry code sees VBUS and jumps to the loader
  Resets,     ///< a fault or a watchdog resets the chip
};

/// How a profile's chip comes up, as data.
struct BootRules {
  /// Whether the loader runs after such a start (boot pins, a button).
  std::function<bool(StartCause)> loader_first;
  /// Whether there is an application to start at this address.
  std::function<bool(std::uint32_t)> application_valid;
  /// Where a start finds the application.
  std::uint32_t application_base = 0x08000000;
  /// Whether the loader runs when there is no application.
  bool loader_without_application = false;
  /// Whether software can enter the loader at all.
  std::function<bool()> loader_reachable = [] { return true; };
  /// Between start of the loader, and of the application, and its pull-up.
  Duration loader_startup{};
  Duration application_startup = 20ms;
  ApplicationThen application_then = ApplicationThen::Stays;
};

/// Whether waits take wall time: the transport's business, carried here because it is part of the
/// spec.
enum class ClockChoice : std::uint8_t { Virtual, Real };

/// A chip with firmware on a USB port, as a profile puts it together: everything a test, the
/// command or an export needs.
class VirtualDevice final : private Firmware {
 public:
  struct Parts {
    std::unique_ptr<Chip> chip;
    std::optional<StateFile> state;
    FaultPlan faults;
    std::uint64_t seed = 0;
    ClockChoice clock = ClockChoice::Virtual;
    BootRules boot;
    /// Makes the functions, once there is a Firmware to give them.
    std::function<std::unique_ptr<Function>(Chip&, Firmware&)> make_loader;
    std::function<std::unique_ptr<Function>(Chip&, Firmware&)> make_application;
  };

  /// Plugged in and powered, at virtual time 0.
  explicit VirtualDevice(Parts parts);
  /// Saves the chip if it has a file; call save() to learn of errors.
  ~VirtualDevice() override;
  VirtualDevice(const VirtualDevice&) = delete;
  VirtualDevice& operator=(const VirtualDevice&) = delete;

  /// The device as a host sees it.
  UsbDevice& usb() { return faulty_ ? static_cast<UsbDevice&>(*faulty_) : port_; }
  /// Control transfers so far, as fault= counts them; 0 without a fault that counts them.
  std::uint64_t transfer_count() const { return faulty_ ? faulty_->transfer_count() : 0; }
  Chip& chip() { return *parts_.chip; }
  const Chip& chip() const { return *parts_.chip; }
  ClockChoice clock() const { return parts_.clock; }
  Running running() const { return running_; }
  /// The vector table of the application that runs.
  std::optional<std::uint32_t> application() const;
  /// The loader's function, for tests that look inside.
  Function& loader() { return *loader_; }

  /// Writes the chip to its file; nothing to do without one. Errors: FileUnwritable.
  Result<void> save() const;
  /// Takes the supply away and gives it back: ends a power cut.
  void power_cycle();

 private:
  void system_reset(Duration at) override;
  void start_application(Duration at, std::uint32_t base) override;
  void start_loader(Duration at) override;
  void reconnect(Duration at) override;
  void lose_power(Duration at) override;

  void boot(StartCause cause);
  void run_loader();
  void run_application(std::uint32_t base);
  void attach_later(Function& function, Duration after);

  Parts parts_;
  Port port_;
  std::unique_ptr<Function> loader_;
  std::unique_ptr<Function> application_function_;
  std::unique_ptr<FaultyDevice> faulty_;
  Running running_ = Running::Nothing;
  std::uint32_t application_base_ = 0;
};

}  // namespace sureflash::sim
