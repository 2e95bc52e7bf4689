#include "sureflash/sim/model/cube_dfu.hpp"

#include <algorithm>

#include "sureflash/base/text.hpp"
#include "sureflash/proto/dfuse.hpp"
#include "sureflash/sim/model/strict_dfu.hpp"

namespace sureflash::sim {
namespace {

using proto::DfuSeCommand;
using proto::DfuState;
using proto::DfuStatus;

/// The code stores the status errSTALLEDPKT where a state belongs.
constexpr std::uint8_t kState15 = static_cast<std::uint8_t>(DfuStatus::ErrStalledPkt);
constexpr std::size_t kStatusPlace = 0;
constexpr std::size_t kPollPlace = 1;
constexpr std::size_t kStatePlace = 4;
constexpr std::size_t kCommandWithAddress = 5;
constexpr std::uint8_t kLayoutString = 6;
constexpr Duration kLeaveDelay = 1ms;
constexpr Duration kForever = Duration::max();

}  // namespace

CubeDfu::CubeDfu(CubeOptions options, Chip& chip, CubeMedia& media, Firmware& firmware)
    : options_(std::move(options)),
      chip_(&chip),
      media_(&media),
      firmware_(&firmware),
      buffer_(kTransferSize) {
  usb_ = {
      .bcd_usb = 0x0200,
      .vendor_id = proto::kStVendorId,
      .product_id = proto::kStDfuProductId,
      .bcd_device = 0x0200,
      .configuration_string = 2,
      .strings = {"STMicroelectronics",
                  options_.product.empty() ? "STM32 DownLoad Firmware Update" : options_.product,
                  st_serial(chip.unique_id()), "DFU Config", "DFU Interface", options_.layout},
      .interfaces = {{.string_index = kLayoutString}},
      .functional = {.attributes = proto::kCanDnload | proto::kCanUpload | proto::kWillDetach,
                     .detach_timeout_ms = 255,
                     .transfer_size = kTransferSize,
                     .bcd_dfu = proto::kBcdDfuSe}};
  initialise();
}

/// USBD_DFU_Init, at SET_CONFIGURATION.
void CubeDfu::initialise() {
  pointer_ = options_.application_base;
  manifest_in_progress_ = false;
  to_idle();
}

void CubeDfu::start() {
  initialise();
  busy_until_ = {};
}

void CubeDfu::configured(bool yes) {
  if (!yes) return;
  initialise();
  if (options_.found_in_state_15) set_state(kState15);
}

void CubeDfu::clear_poll() {
  std::fill_n(status_.begin() + kPollPlace, 3, std::uint8_t{0});
}

void CubeDfu::set_state(std::uint8_t state) {
  state_ = state;
  status_[kStatePlace] = state;
}

void CubeDfu::to_idle() {
  status_ = {};
  set_state(DfuState::DfuIdle);
  block_number_ = 0;
  length_ = 0;
}

bool CubeDfu::in_state(std::initializer_list<DfuState> states) const {
  return std::ranges::any_of(states,
                             [&](DfuState s) { return state_ == static_cast<std::uint8_t>(s); });
}

Reply CubeDfu::class_request(const Request& request) {
  using enum proto::DfuRequest;
  switch (static_cast<proto::DfuRequest>(request.setup.bRequest)) {
    case Detach:
      return detach(request);
    case Dnload:
      return request.setup.is_in() ? Reply::stall() : download(request);
    case Upload:
      // The code looks at wLength only; an OUT request would leave the host waiting.
      return request.setup.is_in() ? upload(request) : Reply{Handshake::Timeout, 0, {}};
    case GetStatus:
      return get_status(request);
    case ClrStatus:
      return clear_status();
    case GetState: {
      const std::array<std::uint8_t, 1> state{state_};
      if (request.in.empty()) return Reply::ack();
      request.in[0] = state[0];
      return finish_in(request, Reply::ack(1));
    }
    case Abort:
      return abort();
  }
  return Reply::stall();
}

Reply CubeDfu::download(const Request& request) {
  if (!in_state({DfuState::DfuIdle, DfuState::DfuDnloadIdle})) return Reply::stall();
  if (request.setup.wLength == 0) {
    manifest_in_progress_ = true;
    clear_poll();
    set_state(DfuState::DfuManifestSync);
    return Reply::ack();
  }
  block_number_ = request.setup.wValue;
  length_ = std::min(request.setup.wLength, kTransferSize);
  set_state(DfuState::DfuDnloadSync);
  std::copy_n(request.out.begin(), std::min<std::size_t>(length_, request.out.size()),
              buffer_.begin());
  if (request.setup.wLength <= kTransferSize) return Reply::ack();
  // v2.5.3 receives all of it, over whatever lies behind the buffer: the firmware is lost. The
  // newer one stops receiving, and the host finds nobody taking the rest.
  if (old()) crash();
  return {Handshake::Timeout, 0, {}};
}

Reply CubeDfu::upload(const Request& request) {
  if (request.setup.wLength == 0) {
    clear_poll();
    set_state(DfuState::DfuIdle);
    return Reply::ack();
  }
  if (!in_state({DfuState::DfuIdle, DfuState::DfuUploadIdle})) {
    length_ = 0;
    block_number_ = 0;
    return Reply::stall();
  }
  block_number_ = request.setup.wValue;
  length_ = old() ? request.setup.wLength : std::min(request.setup.wLength, kTransferSize);
  clear_poll();
  if (block_number_ == proto::kCommandBlock) return get_commands(request);
  if (block_number_ >= proto::kFirstDataBlock) return upload_data(request);
  set_state(kState15);
  return Reply::stall();
}

Reply CubeDfu::get_commands(const Request& request) {
  constexpr std::array<std::uint8_t, 3> kCommands{0x00, 0x21, 0x41};
  set_state(length_ > kCommands.size() ? DfuState::DfuIdle : DfuState::DfuUploadIdle);
  std::ranges::copy(kCommands, buffer_.begin());
  const std::size_t count = std::min(kCommands.size(), request.in.size());
  std::copy_n(kCommands.begin(), count, request.in.begin());
  return finish_in(request, Reply::ack(count));
}

Reply CubeDfu::upload_data(const Request& request) {
  set_state(DfuState::DfuUploadIdle);
  const std::uint32_t address =
      pointer_ + (block_number_ - std::uint32_t{proto::kFirstDataBlock}) * kTransferSize;
  const ByteSpan in = request.in.first(std::min<std::size_t>(length_, request.in.size()));
  switch (media_->read(address, in)) {
    case CubeMedia::Read::Data:
      return finish_in(request, Reply::ack(in.size()));
    case CubeMedia::Read::Null:
      if (old()) {
        // The USB core is given address 0 to send from: the boot alias.
        if (!chip_->read(0, in)) return crash(), Reply{Handshake::Timeout, 0, {}};
        return finish_in(request, Reply::ack(in.size()));
      }
      set_state(kState15);
      return Reply::stall();
    case CubeMedia::Read::Crashed:
      break;
  }
  crash();
  return {Handshake::Timeout, 0, {}};
}

Reply CubeDfu::get_status(const Request& request) {
  if (!request.setup.is_in()) return {Handshake::Timeout, 0, {}};
  if (in_state({DfuState::DfuDnloadSync})) {
    clear_poll();
    if (length_ != 0) {
      set_state(DfuState::DfuDnBusy);
      const bool erases = block_number_ == proto::kCommandBlock &&
                          buffer_[0] == static_cast<std::uint8_t>(DfuSeCommand::Erase);
      std::ranges::copy(media_->poll(erases), status_.begin() + kPollPlace);
    } else {
      set_state(DfuState::DfuDnloadIdle);
    }
  } else if (in_state({DfuState::DfuManifestSync}) && manifest_in_progress_) {
    clear_poll();
    status_[kPollPlace] = 1;
    set_state(DfuState::DfuManifest);
  }
  const std::size_t count = std::min(status_.size(), request.in.size());
  std::copy_n(status_.begin(), count, request.in.begin());
  return finish_in(request, Reply::ack(count));
}

Reply CubeDfu::clear_status() {
  const bool was_error = in_state({DfuState::DfuError});
  status_ = {};
  set_state(was_error ? DfuState::DfuIdle : DfuState::DfuError);
  if (!was_error) status_[kStatusPlace] = static_cast<std::uint8_t>(DfuStatus::ErrUnknown);
  return Reply::ack();
}

Reply CubeDfu::abort() {
  if (in_state({DfuState::DfuIdle, DfuState::DfuDnloadSync, DfuState::DfuDnloadIdle,
                DfuState::DfuManifestSync, DfuState::DfuUploadIdle})) {
    to_idle();
  }
  return Reply::ack();
}

/// USBD_Stop and USBD_Start in the middle of the request: its status stage never comes.
Reply CubeDfu::detach(const Request& request) {
  abort();
  firmware_->reconnect(request.now);
  return {Handshake::Gone, 0, {}};
}

Reply CubeDfu::finish_in(const Request& request, Reply reply) {
  const Sent sent = tx_ready(request.now);
  if (sent.vanishes) return {Handshake::Gone, reply.actual, {}};
  if (sent.stalls) return {Handshake::Stall, reply.actual, {}};
  reply.holds = sent.duration;
  return reply;
}

void CubeDfu::sent(Duration now) {
  tx_ready(now);
}

CubeDfu::Sent CubeDfu::tx_ready(Duration now) {
  if (in_state({DfuState::DfuDnBusy})) return execute(now);
  if (in_state({DfuState::DfuManifest})) {
    manifest_in_progress_ = false;
    clear_poll();
    set_state(DfuState::DfuManifestWaitReset);
    firmware_->system_reset(options_.leave_vanishes ? now : now + kLeaveDelay);
    return {.vanishes = options_.leave_vanishes};
  }
  return {};
}

CubeDfu::Sent CubeDfu::crash() {
  busy_until_ = kForever;
  return {.duration = kForever / 2};
}

/// Notes the time. @returns whether the code goes on to dfuDNLOAD-SYNC.
bool CubeDfu::apply(CubeMedia::Outcome outcome, Duration now, Sent& sent) {
  sent.duration = outcome.duration;
  busy_until_ = now + outcome.duration;
  if (outcome.power_lost) {
    firmware_->lose_power(busy_until_);
    sent.duration += 1ms;
  } else if (outcome.crashed) {
    sent = crash();
  } else if (!outcome.ok && !old()) {
    status_ = {};
    status_[kStatusPlace] = static_cast<std::uint8_t>(DfuStatus::ErrVendor);
    set_state(DfuState::DfuError);
  }
  // v2.5.3 returns from the failed hook and stays in dfuDNBUSY: the next IN request tries again.
  return outcome.ok && !outcome.crashed && !outcome.power_lost;
}

CubeDfu::Sent CubeDfu::execute(Duration now) {
  Sent sent;
  if (block_number_ >= proto::kFirstDataBlock) {
    const std::uint32_t address =
        pointer_ + (block_number_ - std::uint32_t{proto::kFirstDataBlock}) * kTransferSize;
    if (!apply(media_->write(address, buffer_, length_), now, sent)) return sent;
  } else if (block_number_ == proto::kCommandBlock) {
    const auto command = static_cast<DfuSeCommand>(buffer_[0]);
    if (length_ == kCommandWithAddress && command == DfuSeCommand::SetAddressPointer) {
      pointer_ = load_le32(buffer_, 1);
    } else if (length_ == kCommandWithAddress && command == DfuSeCommand::Erase) {
      const std::uint32_t address = load_le32(buffer_, 1);
      if (old()) pointer_ = address;
      if (!apply(media_->erase(address), now, sent)) return sent;
    } else if (length_ == kCommandWithAddress && !old()) {
      return sent;  // unknown command: dfuDNBUSY for ever
    } else {
      sent = execute_short_command();
    }
  }
  length_ = 0;
  block_number_ = 0;
  clear_poll();
  set_state(DfuState::DfuDnloadSync);
  return sent;
}

/// Commands of other lengths do nothing; most ask for a stall, which the host sees in the status
/// stage of this GETSTATUS (inferred: the core clears the bit only at the next SETUP), and report
/// OK afterwards.
CubeDfu::Sent CubeDfu::execute_short_command() {
  const bool get = buffer_[0] == static_cast<std::uint8_t>(DfuSeCommand::GetCommands);
  if (length_ == 1 && (get || !old())) return {};
  return {.stalls = true};
}

}  // namespace sureflash::sim
