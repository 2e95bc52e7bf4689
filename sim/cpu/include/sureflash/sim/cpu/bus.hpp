#pragma once

#include <cstdint>
#include <limits>

/// What the core sees of the rest of the chip.
namespace sureflash::sim::cpu {

struct FaultRecord;

inline constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

/// Why an address is read. Debug reads must have no side effect and take no time.
enum class Purpose : std::uint8_t { Fetch, Load, Debug };

struct BusReply {
  std::uint32_t value = 0;
  /// The bus answers with an error: the core takes a BusFault.
  bool fault = false;
  /// Cycles the core has to wait, for instance while flash is busy.
  std::uint32_t stall_cycles = 0;
};

/// Memory that the core may access without asking: `data` is `size` bytes and outlives its mapping.
/// At most one per 16 MiB of address space, and none across such a border; everything else goes
/// through `Bus`. Stores to memory that is not writable go through `Bus::write`.
struct Memory {
  std::uint32_t begin = 0;
  std::uint32_t size = 0;
  std::uint8_t* data = nullptr;
  bool writable = false;
  /// Cycles added to each load and to each fetch that is not sequential.
  std::uint8_t wait_states = 0;
};

/// The chip around the core. Times are core cycles since reset of the world, see `Core::now`.
class Bus {
 public:
  virtual ~Bus() = default;

  /// @param[in] size  1, 2 or 4; `address` is a multiple of it.
  virtual BusReply read(std::uint32_t address, unsigned size, Purpose purpose) = 0;
  virtual BusReply write(std::uint32_t address, unsigned size, std::uint32_t value) = 0;

  /// When something happens next without the core's doing; kNever if nothing will.
  virtual std::uint64_t next_event() const { return kNever; }
  /// Carries out what is due. Afterwards next_event() > now.
  virtual void run_events(std::uint64_t now) { static_cast<void>(now); }

  /// AIRCR.SYSRESETREQ was written. The core stops with Stop::ResetRequested after this
  /// instruction; its owner resets the chip.
  virtual void reset_requested() {}
  /// The core went to sleep. @param[in] deep  SCR.SLEEPDEEP.
  virtual void sleep_entered(bool deep) { static_cast<void>(deep); }
  /// A fault was taken, or the core locked up. It may be asked to stop, and nothing else.
  virtual void faulted(const FaultRecord& fault) { static_cast<void>(fault); }
};

}  // namespace sureflash::sim::cpu
