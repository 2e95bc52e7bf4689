#include "sureflash/sim/model/strict_dfu.hpp"

#include <algorithm>

#include "sureflash/base/text.hpp"

namespace sureflash::sim {
namespace {

using proto::DfuRequest;
using proto::DfuState;
using proto::DfuStatus;

using enum DfuAction;

constexpr DfuAction kError = StallToError;
constexpr DfuAction kApp = StallToAppIdle;

/// DFU 1.1, A.1.1 to A.1.11. Columns as in DfuEvent.
constexpr DfuAction kTable[kDfuStates][kDfuEvents] = {
    // DETACH, DNLOAD,  end,     UPLOAD,  GETSTATUS, CLRSTATUS, GETSTATE, ABORT
    {Detach, Stall, Stall, Stall, Answer, Stall, Answer, Stall},       // appIDLE
    {kApp, kApp, kApp, kApp, Answer, kApp, Answer, kApp},              // appDETACH
    {kError, Block, kError, Upload, Answer, kError, Answer, Answer},   // dfuIDLE
    {kError, kError, kError, kError, Status, kError, Answer, kError},  // DNLOAD-SYNC
    {kError, kError, kError, kError, kError, kError, kError, kError},  // DNBUSY
    {kError, Block, End, kError, Answer, kError, Answer, ToIdle},      // DNLOAD-IDLE
    {kError, kError, kError, kError, Status, kError, Answer, kError},  // MANIFEST-SYNC
    {kError, kError, kError, kError, kError, kError, kError, kError},  // MANIFEST
    {Silent, Silent, Silent, Silent, Silent, Silent, Silent, Silent},  // WAIT-RESET
    {kError, kError, kError, Upload, Answer, kError, Answer, ToIdle},  // UPLOAD-IDLE
    {Stall, Stall, Stall, Stall, Answer, Clear, Answer, Stall},        // dfuERROR
};

}  // namespace

DfuAction strict_action(DfuState state, DfuEvent event) {
  const auto row = static_cast<std::size_t>(state);
  return row < kDfuStates ? kTable[row][static_cast<std::size_t>(event)] : Stall;
}

std::optional<DfuEvent> dfu_event(const proto::Setup& setup) {
  const bool in = setup.is_in();
  switch (static_cast<DfuRequest>(setup.bRequest)) {
    case DfuRequest::Detach:
      return in ? std::nullopt : std::optional(DfuEvent::Detach);
    case DfuRequest::Dnload:
      if (in) return std::nullopt;
      return setup.wLength == 0 ? DfuEvent::DnloadEnd : DfuEvent::DnloadData;
    case DfuRequest::Upload:
      return in ? std::optional(DfuEvent::Upload) : std::nullopt;
    case DfuRequest::GetStatus:
      return in ? std::optional(DfuEvent::GetStatus) : std::nullopt;
    case DfuRequest::ClrStatus:
      return in ? std::nullopt : std::optional(DfuEvent::ClrStatus);
    case DfuRequest::GetState:
      return in ? std::optional(DfuEvent::GetState) : std::nullopt;
    case DfuRequest::Abort:
      return in ? std::nullopt : std::optional(DfuEvent::Abort);
  }
  return std::nullopt;
}

Reply StrictDfu::class_request(const Request& request) {
  const auto event = dfu_event(request.setup);
  if (!event) return Reply::stall();
  if (intercept(*event, request.now)) return Reply::ack();
  switch (action(*event)) {
    case Answer:
      if (*event == DfuEvent::GetStatus) return send_status(request, poll_ms(request.now));
      if (*event == DfuEvent::GetState && !request.in.empty()) {
        request.in[0] = static_cast<std::uint8_t>(state_);
        return Reply::ack(1);
      }
      return Reply::ack();
    case Stall:
      return Reply::stall();
    case StallToError:
      return refuse();
    case StallToAppIdle:
      state_ = DfuState::AppIdle;
      return Reply::stall();
    case Silent:
      return {Handshake::Timeout, 0, {}};
    case Block:
      return block(request);
    case End:
      return end(request);
    case Upload:
      return upload(request);
    case Status:
      return sync(request);
    case Clear:
    case ToIdle:
      to_idle();
      return Reply::ack();
    case Detach:
      return detach(request);
  }
  return Reply::stall();
}

Reply StrictDfu::send_status(const Request& request, std::uint32_t poll_timeout_ms) const {
  const std::array<std::uint8_t, proto::kStatusReplyLength> bytes{
      static_cast<std::uint8_t>(status_),
      static_cast<std::uint8_t>(poll_timeout_ms),
      static_cast<std::uint8_t>(poll_timeout_ms >> 8),
      static_cast<std::uint8_t>(poll_timeout_ms >> 16),
      static_cast<std::uint8_t>(state_),
      0};
  const std::size_t count = std::min(bytes.size(), request.in.size());
  std::copy_n(bytes.begin(), count, request.in.begin());
  return Reply::ack(count);
}

std::uint32_t ceil_ms(Duration duration) {
  return static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::milliseconds>(duration).count());
}

std::string st_serial(const std::array<std::uint8_t, 12>& unique_id) {
  const std::uint32_t sum = load_le32(unique_id, 0) + load_le32(unique_id, 8);
  return hex(sum).substr(2) + hex(load_le32(unique_id, 4) >> 16, 4).substr(2);
}

}  // namespace sureflash::sim
