#pragma once

#include <algorithm>

#include "sureflash/base/task.hpp"
#include "sureflash/stm32/dfuse.hpp"
#include "sureflash/update/program.hpp"

namespace sureflash::update {

/// A DfuSe connection to one area of a target, and what all jobs need of it.
class Session {
 public:
  Session(const Target& target, std::uint8_t alt_setting)
      : target_(&target),
        client_(target.descriptors.dfu.interface_number),
        dfuse_(client_, target.wTransferSize(), target.transfer_size()),
        alt_setting_(alt_setting) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  stm32::DfuSe& dfuse() { return dfuse_; }
  const Target& target() const { return *target_; }
  std::uint8_t erased_value() const { return target_->erased_value(); }
  bool is_blank(ByteView bytes) const {
    return std::ranges::all_of(bytes, [&](std::uint8_t b) { return b == erased_value(); });
  }

  Task<> open() { co_await dfuse_.select(alt_setting_); }

  Task<Bytes> read(AddressRange range) {
    Bytes bytes(range.size());
    co_await dfuse_.read(static_cast<std::uint32_t>(range.begin), bytes);
    co_return bytes;
  }

  /// Reports progress. A user who wants to stop is obeyed here, between two operations: the device
  /// is brought to dfuIDLE first.
  Task<> progress(Progress p) {
    const Answer answer = co_await step(p);
    if (!answer.stop_requested) co_return;
    co_await client_.to_idle();
    co_await fail(Errc::Interrupted, "the device is in dfuIDLE");
  }

  /// After an error: leave the device in a state that can be named, if it still answers. The error
  /// of a job is worth more than one of this.
  Task<> settle(const Error& error) {
    if (error.code == Errc::Disconnected || error.code == Errc::TimedOut ||
        error.code == Errc::Interrupted || error.code == Errc::StuckBusy) {
      co_return;
    }
    static_cast<void>(co_await caught(client_.to_idle()));
  }

 private:
  static std::unexpected<Error> fail(Errc code, std::string detail) {
    return sureflash::fail(code, std::move(detail));
  }

  const Target* target_;
  dfu::Client client_;
  stm32::DfuSe dfuse_;
  std::uint8_t alt_setting_;
};

/// Whether an answer says nothing of what the device does: one that resets or starts its program
/// may be gone in the middle of it.
inline bool is_silence(const Error& answer) {
  switch (answer.code) {
    case Errc::Stalled:
    case Errc::TimedOut:
    case Errc::Disconnected:
    case Errc::TransferFailed:
      return true;
    default:
      return false;
  }
}

/// With what was put right about the flash: it may be why.
inline Error outside_memory(const Target& target, Stage stage, AddressRange range) {
  const Area* flash = target.flash();
  return Error(Errc::OutsideMemory, flash == nullptr ? std::string() : flash->corrected)
      .in(stage, range);
}

/// Reads back `image` and compares it, byte for byte.
Task<Outcome> compare(Session& session, const image::Image& image, Observations& observations);

}  // namespace sureflash::update
