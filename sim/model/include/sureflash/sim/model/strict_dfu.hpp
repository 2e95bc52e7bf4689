#pragma once

#include <array>
#include <optional>
#include <string>

#include "sureflash/sim/model/function.hpp"

namespace sureflash::sim {

/// The columns of the request × state table.
enum class DfuEvent : std::uint8_t {
  Detach,
  DnloadData,
  DnloadEnd,  ///< DNLOAD with wLength 0
  Upload,
  GetStatus,
  ClrStatus,
  GetState,
  Abort,
};
inline constexpr std::size_t kDfuEvents = 8;
inline constexpr std::size_t kDfuStates = 11;

/// What a device does with a request.
enum class DfuAction : std::uint8_t {
  Answer,          ///< acknowledge (and send what was asked for), keep the state
  Stall,           ///< stall, keep the state
  StallToError,    ///< stall, dfuERROR with errSTALLEDPKT
  StallToAppIdle,  ///< stall, appIDLE
  Silent,          ///< no answer
  Block,           ///< take a block
  End,             ///< the image is complete (DFU), or leave (DfuSe)
  Upload,          ///< send a block
  Status,          ///< GETSTATUS that moves the state on
  Clear,           ///< dfuIDLE with status OK
  ToIdle,
  Detach,
};

/// The table of DFU 1.1, A.1 (state transition diagram and its tables).
DfuAction strict_action(proto::DfuState state, DfuEvent event);

/// A DFU function that goes by the table. What a block means, and how long it takes, is the derived
/// class's business.
class StrictDfu : public Function {
 public:
  Reply class_request(const Request& request) final;

  proto::DfuState state() const { return state_; }
  proto::DfuStatus status() const { return status_; }
  /// Puts the machine into a state, for tests of each cell of the table.
  void force_state(proto::DfuState state) { state_ = state; }

 protected:
  /// Where a device differs from the table.
  virtual DfuAction action(DfuEvent event) const { return strict_action(state_, event); }
  virtual Reply block(const Request& request) = 0;
  virtual Reply end(const Request& request) = 0;
  virtual Reply upload(const Request& request) = 0;
  /// GETSTATUS in dfuDNLOAD-SYNC and dfuMANIFEST-SYNC.
  virtual Reply sync(const Request& request) = 0;
  virtual Reply detach(const Request& request) = 0;
  /// bwPollTimeout of a GETSTATUS that changes nothing.
  virtual std::uint32_t poll_ms(Duration /*now*/) const { return 0; }
  /// A look at each request before the table; true: it was dealt with, and is acknowledged.
  virtual bool intercept(DfuEvent /*event*/, Duration /*now*/) { return false; }

  Reply send_status(const Request& request, std::uint32_t poll_timeout_ms) const;
  void enter(proto::DfuState state) { state_ = state; }
  void fail_with(proto::DfuStatus status) {
    state_ = proto::DfuState::DfuError;
    status_ = status;
  }
  /// Stall, with dfuERROR and `status`.
  Reply refuse(proto::DfuStatus status = proto::DfuStatus::ErrStalledPkt) {
    fail_with(status);
    return Reply::stall();
  }
  void to_idle() {
    state_ = proto::DfuState::DfuIdle;
    status_ = proto::DfuStatus::Ok;
  }

 private:
  proto::DfuState state_ = proto::DfuState::DfuIdle;
  proto::DfuStatus status_ = proto::DfuStatus::Ok;
};

/// Which event a class request is; none if it is not DFU or has the wrong direction.
std::optional<DfuEvent> dfu_event(const proto::Setup& setup);
/// `duration` in whole milliseconds, upwards.
std::uint32_t ceil_ms(Duration duration);
/// Serial number as ST's firmware makes it from the unique id: word0 + word2 in eight upper-case
/// digits, then the upper four digits of word1. Source: STM32CubeF1,
/// DFU_Standalone/Src/usbd_desc.c.
std::string st_serial(const std::array<std::uint8_t, 12>& unique_id);

}  // namespace sureflash::sim
