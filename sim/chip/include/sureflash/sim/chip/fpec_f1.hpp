#pragma once

#include <cstdint>

#include "sureflash/sim/chip/chip.hpp"

namespace sureflash::sim {

enum class BusAccess : std::uint8_t { Ok, Fault };

/// The registers of the F1 flash controller (FPEC) on a chip's flash and option bytes.
/// Source: PM0075, 2.3, 2.4 and 3; offsets relative to 0x40022000.
///
/// Operations happen at once; BSY says how long they would have taken, and a further access that
/// needs the flash starts when that time is over. A CPU that runs from flash must stall until
/// busy_until().
class FpecF1 {
 public:
  /// `chip` must outlive this.
  explicit FpecF1(Chip& chip) : chip_(&chip) { reset(); }

  enum Register : std::uint32_t {
    kAcr = 0x00,
    kKeyr = 0x04,
    kOptkeyr = 0x08,
    kSr = 0x0C,
    kCr = 0x10,
    kAr = 0x14,
    kObr = 0x1C,
    kWrpr = 0x20,
  };

  /// System reset: locked, no operation selected.
  void reset();
  /// 32-bit access. Unknown offsets read 0 and ignore writes.
  std::uint32_t read(std::uint32_t offset, Duration now) const;
  BusAccess write(std::uint32_t offset, std::uint32_t value, Duration now);
  /// A CPU store of 1, 2 or 4 bytes into flash or option bytes. Only half-words, and only with PG
  /// or OPTPG, are no bus fault.
  BusAccess store(std::uint32_t address, ByteView data, Duration now);

  /// Level of the interrupt line: EOP with EOPIE, PGERR or WRPRTERR with ERRIE.
  bool irq(Duration now) const;
  Duration busy_until() const { return busy_until_; }

 private:
  enum class Lock : std::uint8_t { Locked, FirstKey, Open, UntilReset };

  BusAccess feed_key(Lock& lock, std::uint32_t value);
  void write_cr(std::uint32_t value, Duration now);
  void start(Duration now);
  void finish(FlashResult result, Duration now);

  Chip* chip_;
  Lock lock_ = Lock::Locked;
  Lock option_lock_ = Lock::Locked;
  std::uint32_t acr_ = 0;
  std::uint32_t sr_ = 0;
  std::uint32_t cr_ = 0;
  std::uint32_t ar_ = 0;
  Duration busy_until_{};
};

}  // namespace sureflash::sim
