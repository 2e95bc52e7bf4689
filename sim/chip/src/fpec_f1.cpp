#include "sureflash/sim/chip/fpec_f1.hpp"

#include <algorithm>

namespace sureflash::sim {
namespace {

// PM0075, 3.
constexpr std::uint32_t kKey1 = 0x45670123;
constexpr std::uint32_t kKey2 = 0xCDEF89AB;
constexpr std::uint32_t kBsy = 1U << 0;
constexpr std::uint32_t kPgErr = 1U << 2;
constexpr std::uint32_t kWrPrtErr = 1U << 4;
constexpr std::uint32_t kEop = 1U << 5;
constexpr std::uint32_t kPg = 1U << 0;
constexpr std::uint32_t kPer = 1U << 1;
constexpr std::uint32_t kMer = 1U << 2;
constexpr std::uint32_t kOptPg = 1U << 4;
constexpr std::uint32_t kOptEr = 1U << 5;
constexpr std::uint32_t kStrt = 1U << 6;
constexpr std::uint32_t kLock = 1U << 7;
constexpr std::uint32_t kOptWre = 1U << 9;
constexpr std::uint32_t kErrIe = 1U << 10;
constexpr std::uint32_t kEopIe = 1U << 12;
constexpr std::uint32_t kOperations = kPg | kPer | kMer | kOptPg | kOptEr;

}  // namespace

void FpecF1::reset() {
  lock_ = option_lock_ = Lock::Locked;
  acr_ = 0x30;  // prefetch buffer on (PM0075, 3.1)
  sr_ = cr_ = ar_ = 0;
  busy_until_ = {};
}

std::uint32_t FpecF1::read(std::uint32_t offset, Duration now) const {
  const F1Options& options = chip_->options();
  switch (offset) {
    case kAcr:
      return acr_;
    case kSr: {
      // EOP comes when the operation is over.
      const bool busy = now < busy_until_;
      return busy ? (sr_ & ~kEop) | kBsy : sr_;
    }
    case kCr:
      return cr_ | (lock_ == Lock::Open ? 0 : kLock) | (option_lock_ == Lock::Open ? kOptWre : 0);
    case kObr:
      return (options.error ? 1U : 0U) | (options.read_protected ? 2U : 0U) |
             (options.user & 7U) << 2 | std::uint32_t{options.data0} << 10 |
             std::uint32_t{options.data1} << 18;
    case kWrpr:
      return options.wrp;
    default:
      return 0;  // keys and AR are write-only
  }
}

bool FpecF1::irq(Duration now) const {
  const std::uint32_t status = read(kSr, now);
  const bool error = (status & (kPgErr | kWrPrtErr)) != 0 && (cr_ & kErrIe) != 0;
  return error || ((status & kEop) != 0 && (cr_ & kEopIe) != 0);
}

BusAccess FpecF1::feed_key(Lock& lock, std::uint32_t value) {
  if (lock == Lock::Open) return BusAccess::Ok;
  if (lock == Lock::Locked && value == kKey1) {
    lock = Lock::FirstKey;
  } else if (lock == Lock::FirstKey && value == kKey2) {
    lock = Lock::Open;
  } else {
    lock = Lock::UntilReset;
    return BusAccess::Fault;
  }
  return BusAccess::Ok;
}

BusAccess FpecF1::write(std::uint32_t offset, std::uint32_t value, Duration now) {
  switch (offset) {
    case kAcr:
      acr_ = (value & 0x1F) | (value & 0x10 ? 0x20 : 0);
      return BusAccess::Ok;
    case kKeyr:
      return feed_key(lock_, value);
    case kOptkeyr:
      return feed_key(option_lock_, value);
    case kSr:
      sr_ &= ~(value & (kPgErr | kWrPrtErr | kEop));
      return BusAccess::Ok;
    case kCr:
      write_cr(value, now);
      return BusAccess::Ok;
    case kAr:
      if (now >= busy_until_) ar_ = value;
      return BusAccess::Ok;
    default:
      return BusAccess::Ok;
  }
}

void FpecF1::write_cr(std::uint32_t value, Duration now) {
  if (lock_ != Lock::Open) return;
  if ((value & kOptWre) == 0 && option_lock_ == Lock::Open) option_lock_ = Lock::Locked;
  cr_ = value & (kOperations | kErrIe | kEopIe);
  if ((value & kStrt) != 0) start(std::max(now, busy_until_));
  if ((value & kLock) != 0) lock_ = Lock::Locked;
}

/// Exactly one erase may be selected; with PG left set nothing happens (libopencm3 #253).
void FpecF1::start(Duration now) {
  const std::uint32_t selected = cr_ & kOperations;
  if (selected == kPer) {
    finish(chip_->flash().erase_sector(ar_), now);
  } else if (selected == kMer) {
    finish(chip_->flash().mass_erase(), now);
  } else if (selected == kOptEr && option_lock_ == Lock::Open) {
    finish(chip_->erase_options(), now);
  }
}

BusAccess FpecF1::store(std::uint32_t address, ByteView data, Duration now) {
  if (lock_ != Lock::Open || data.size() != 2 || address % 2 != 0) return BusAccess::Fault;
  const Duration begin = std::max(now, busy_until_);
  const std::uint32_t selected = cr_ & kOperations;
  if (selected == kPg && chip_->flash().range().contains(address)) {
    finish(chip_->flash().program(address, data), begin);
    return BusAccess::Ok;
  }
  const AddressRange options = chip_->description().options.range();
  if (selected == kOptPg && option_lock_ == Lock::Open && options.contains(address)) {
    finish(chip_->program_option(address, data[0]), begin);
    return BusAccess::Ok;
  }
  return BusAccess::Fault;
}

void FpecF1::finish(FlashResult result, Duration now) {
  busy_until_ = now + result.duration;
  switch (result.outcome) {
    case FlashOutcome::Ok:
      sr_ |= kEop;
      break;
    case FlashOutcome::NotErased:
      sr_ |= kPgErr;
      break;
    case FlashOutcome::WriteProtected:
      sr_ |= kWrPrtErr;
      break;
    case FlashOutcome::OutOfRange:
    case FlashOutcome::Misaligned:
    case FlashOutcome::PowerLost:
      break;
  }
}

}  // namespace sureflash::sim
