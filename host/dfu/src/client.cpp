#include "sureflash/dfu/client.hpp"

#include <algorithm>
#include <array>

namespace sureflash::dfu {
namespace {

using proto::DfuRequest;
using proto::DfuState;
using proto::StatusReply;

/// A device that announces 0 ms while it is busy would be polled without rest (fwupd waits 5 ms).
constexpr Duration kPollIntervalMin = 1ms;
constexpr int kPollShare = 64;
/// After a stalled poll, at least; doubled each time, so that three of them bridge 28 ms, or 1.75
/// times what was announced.
constexpr Duration kAfterStalledPoll = 4ms;
constexpr std::size_t kDeviceStatusLength = 2;

Duration announced(const StatusReply& reply) {
  return std::chrono::milliseconds(reply.bwPollTimeout_ms);
}

/// Where nothing is announced, less and less often, as a share of the time that it takes already: a
/// ROM that hangs (H74x) would be asked ten thousand times.
Duration poll_time(const StatusReply& reply, Duration waited) {
  return std::max({announced(reply), kPollIntervalMin, waited / kPollShare});
}

}  // namespace

Result<void> check(const Answer& answer, std::string_view what) {
  const auto error = [&](Errc code) -> Result<void> {
    Error e(code, "during " + std::string(what));
    e.os = answer.os;
    return fail(std::move(e));
  };
  switch (answer.io) {
    case Io::Ok:
      return {};
    case Io::Stall:
      return error(Errc::Stalled);
    case Io::Timeout:
      return error(Errc::TimedOut);
    case Io::Disconnected:
      return error(Errc::Disconnected);
    case Io::Denied:
      return error(Errc::PermissionDenied);
    case Io::Busy:
      return error(Errc::DeviceBusy);
    case Io::Unsupported:
      return error(Errc::Unsupported);
    case Io::Stopped:
      return error(Errc::Interrupted);
    case Io::Failed:
      return error(Errc::TransferFailed);
  }
  return error(Errc::TransferFailed);
}

Result<StatusReply> parse_status(ByteView reply) {
  if (reply.size() < proto::kStatusReplyLength) {
    return fail(Errc::ResponseTooShort,
                "DFU_GETSTATUS gave " + std::to_string(reply.size()) + " of 6 bytes");
  }
  return StatusReply{.bStatus = static_cast<proto::DfuStatus>(reply[0]),
                     .bwPollTimeout_ms = static_cast<std::uint32_t>(load_le16(reply, 1)) |
                                         static_cast<std::uint32_t>(reply[3]) << 16,
                     .bState = static_cast<DfuState>(reply[4]),
                     .iString = reply[5]};
}

Result<void> check_status(const StatusReply& reply) {
  if (reply.bState != DfuState::DfuError && reply.bStatus == proto::DfuStatus::Ok &&
      reply.bState <= DfuState::DfuError) {
    return {};
  }
  Error e(Errc::DeviceReportsError);
  e.device = reply;
  return fail(std::move(e));
}

bool is_busy(DfuState state) {
  return state == DfuState::DfuDnBusy || state == DfuState::DfuDnloadSync ||
         state == DfuState::DfuManifest || state == DfuState::DfuManifestSync;
}

proto::Setup Client::setup(std::uint8_t bmRequestType, DfuRequest request, std::uint16_t wValue,
                           std::size_t wLength) const {
  return {bmRequestType, static_cast<std::uint8_t>(request), wValue, interface_number_,
          static_cast<std::uint16_t>(wLength)};
}

Task<> Client::out(DfuRequest request, std::uint16_t wValue, ByteView data, std::string_view what,
                   Duration timeout) {
  const Answer answer =
      co_await step(ControlTransfer{setup(proto::kClassOutInterface, request, wValue, data.size()),
                                    data,
                                    {},
                                    timeout == Duration::zero() ? limits_.transfer : timeout});
  co_await check(answer, what);
}

Task<> Client::detach(std::uint16_t timeout_ms) {
  co_await out(DfuRequest::Detach, timeout_ms, {}, "DFU_DETACH", {});
}

Task<> Client::dnload(std::uint16_t wBlockNum, ByteView data, Duration timeout) {
  co_await out(DfuRequest::Dnload, wBlockNum, data, "DFU_DNLOAD", timeout);
}

Task<> Client::clear_status() {
  co_await out(DfuRequest::ClrStatus, 0, {}, "DFU_CLRSTATUS", {});
}

Task<> Client::abort() {
  co_await out(DfuRequest::Abort, 0, {}, "DFU_ABORT", {});
}

Task<std::size_t> Client::upload(std::uint16_t wBlockNum, ByteSpan data) {
  const Answer answer = co_await step(
      ControlTransfer{setup(proto::kClassInInterface, DfuRequest::Upload, wBlockNum, data.size()),
                      {},
                      data,
                      limits_.transfer});
  co_await check(answer, "DFU_UPLOAD");
  co_return std::min(answer.actual, data.size());
}

Task<StatusReply> Client::get_status(Duration timeout) {
  std::array<std::uint8_t, proto::kStatusReplyLength> reply{};
  const Answer answer = co_await step(
      ControlTransfer{setup(proto::kClassInInterface, DfuRequest::GetStatus, 0, reply.size()),
                      {},
                      reply,
                      timeout == Duration::zero() ? limits_.transfer : timeout});
  co_await check(answer, "DFU_GETSTATUS");
  co_return parse_status(ByteView(reply).first(std::min(answer.actual, reply.size())));
}

Task<DfuState> Client::get_state() {
  std::array<std::uint8_t, 1> reply{};
  const Answer answer = co_await step(ControlTransfer{
      setup(proto::kClassInInterface, DfuRequest::GetState, 0, 1), {}, reply, limits_.transfer});
  co_await check(answer, "DFU_GETSTATE");
  if (answer.actual < 1) co_return fail(Errc::ResponseTooShort, "DFU_GETSTATE gave no byte");
  co_return static_cast<DfuState>(reply[0]);
}

Task<StatusReply> Client::poll_while_busy(StatusReply last, Duration operation_limit) {
  Duration waited{};
  // 0 ms means "poll at once", which is taken at its word once.
  Duration wanted = announced(last);
  while (is_busy(last.bState)) {
    if (waited >= operation_limit) {
      Error e(Errc::StuckBusy);
      e.device = last;
      co_return fail(std::move(e));
    }
    const Duration pause = std::min(wanted, operation_limit - waited);
    if (pause > Duration::zero()) {
      const Answer answer = co_await step(Wait{pause});
      co_await check(answer, "a wait");
      waited += pause;
    }
    last = co_await poll_again(std::max(limits_.transfer, operation_limit - waited), pause);
    wanted = poll_time(last, waited);
  }
  co_return last;
}

Task<StatusReply> Client::poll_again(Duration timeout, Duration waited) {
  // The worst case of a write is six times the typical one that is announced (F4, byte by byte):
  // half the announced time, then twice, then eight times as much.
  Duration pause = std::max(kAfterStalledPoll, waited / 2);
  for (int attempt = 0;; ++attempt) {
    auto reply = co_await caught(get_status(timeout));
    if (reply || reply.error().code != Errc::Stalled || attempt == kStalledPolls) {
      co_return std::move(reply);
    }
    const Answer answer = co_await step(Wait{pause});
    co_await check(answer, "a wait");
    pause *= 4;
  }
}

Task<> Client::ping(Duration timeout) {
  std::array<std::uint8_t, kDeviceStatusLength> status{};
  const Answer answer = co_await step(ControlTransfer{
      {proto::kStandardInDevice, static_cast<std::uint8_t>(proto::StandardRequest::GetStatus), 0, 0,
       kDeviceStatusLength},
      {},
      status,
      timeout});
  co_await check(answer, "GET_STATUS");
}

Task<> Client::to_idle() {
  StatusReply reply;
  Duration patience = limits_.operation;
  for (int attempt = 0; attempt < kIdleAttempts; ++attempt) {
    // What another program left busy may stall a question that comes too early, or too late.
    reply = co_await poll_again(limits_.transfer, {});
    if (reply.bState == DfuState::DfuDnBusy || reply.bState == DfuState::DfuManifest) {
      auto done = co_await caught(poll_while_busy(reply, patience));
      // Still busy: H74x ROMs and ST's middleware can hang there, and come back with two CLRSTATUS
      // (dfuse.md 5.2, 7.2). No operation takes so long, so it is not waited for again.
      if (done) {
        reply = *done;
      } else {
        patience = Duration::zero();
      }
    }
    switch (reply.bState) {
      case DfuState::DfuIdle:
        co_return;
      case DfuState::AppIdle:
      case DfuState::AppDetach:
      case DfuState::DfuManifestWaitReset: {
        Error e(Errc::NoIdle);
        e.device = reply;
        co_await fail(std::move(e));
        break;
      }
      case DfuState::DfuDnloadSync:
      case DfuState::DfuDnloadIdle:
      case DfuState::DfuManifestSync:
      case DfuState::DfuUploadIdle:
        // A stall only says that this was not the way out; the next GETSTATUS tells more.
        static_cast<void>(co_await caught(abort()));
        break;
      default:  // dfuERROR, a hung dfuDNBUSY, and states that only a defect produces
        static_cast<void>(co_await caught(clear_status()));
        break;
    }
  }
  Error e(Errc::NoIdle);
  e.device = reply;
  co_await fail(std::move(e));
}

Task<StatusReply> Client::download(ByteView firmware, std::uint16_t transfer_size) {
  co_await to_idle();
  std::uint16_t block = 0;
  for (std::size_t offset = 0; offset < firmware.size(); offset += transfer_size) {
    const ByteView data =
        firmware.subspan(offset, std::min<std::size_t>(transfer_size, firmware.size() - offset));
    co_await dnload(block++, data);
    const StatusReply first = co_await get_status();
    const StatusReply reply = co_await poll_while_busy(first, limits_.operation);
    co_await check_status(reply);
    if (reply.bState != DfuState::DfuDnloadIdle) {
      Error e(Errc::UnexpectedState);
      e.device = reply;
      co_return fail(std::move(e));
    }
    co_await step(Progress{Progress::Activity::Writing, offset + data.size(), firmware.size(), {}});
  }
  co_await dnload(block, {});
  // dfuMANIFEST-SYNC, then dfuMANIFEST; a tolerant device ends in dfuIDLE, another one waits for a
  // reset.
  StatusReply reply = co_await get_status();
  Duration waited{};
  while (is_busy(reply.bState) && waited < limits_.operation) {
    const Duration pause = poll_time(reply, waited);
    const Answer answer = co_await step(Wait{std::min(pause, limits_.operation)});
    co_await check(answer, "a wait");
    waited += pause;
    auto next = co_await caught(get_status());
    if (!next) {
      // It has reset itself, or waits for a reset and answers nothing (DFU 1.1, A.2.9).
      reply.bState = DfuState::DfuManifestWaitReset;
      break;
    }
    reply = *next;
  }
  co_await check_status(reply);
  co_return reply;
}

Task<Bytes> Client::upload_all(std::uint16_t transfer_size, std::size_t size_max) {
  co_await to_idle();
  Bytes all;
  std::uint16_t block = 0;
  while (all.size() < size_max) {
    const std::size_t old_size = all.size();
    const std::size_t want = std::min<std::size_t>(transfer_size, size_max - old_size);
    all.resize(old_size + want);
    const std::size_t got = co_await upload(block++, ByteSpan(all).subspan(old_size));
    all.resize(old_size + got);
    if (got < want) co_return all;
    co_await step(Progress{Progress::Activity::Reading, all.size(), all.size(), {}});
  }
  co_await abort();
  co_return all;
}

}  // namespace sureflash::dfu
