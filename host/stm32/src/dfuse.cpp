#include "sureflash/stm32/dfuse.hpp"

#include <algorithm>
#include <array>

#include "sureflash/base/text.hpp"
#include "sureflash/proto/dfuse.hpp"

namespace sureflash::stm32 {
namespace {

using proto::DfuSeCommand;
using proto::DfuState;
using proto::StatusReply;

constexpr std::size_t kCommandsMax = 64;
/// A ping that took so long was held: a control transfer needs 1 ms to 3 ms, a page of flash at
/// least 20 ms.
constexpr Duration kHeldAtLeast = 10ms;
/// Once an erase was held, so short a write is enough: 2 KiB word by word take 8 ms (F4).
constexpr Duration kHeldAgainAtLeast = 5ms;
constexpr int kHeldPingsToLearn = 2;
constexpr int kQuickWritesToLearn = 4;
/// Writes below this may be over before the ping.
constexpr std::size_t kLongWrite = 1024;

std::array<std::uint8_t, 5> command(DfuSeCommand code, std::uint32_t address) {
  std::array<std::uint8_t, 5> bytes{static_cast<std::uint8_t>(code)};
  store_le32(bytes, 1, address);
  return bytes;
}

}  // namespace

std::optional<std::uint16_t> block_number(std::uint32_t pointer, std::uint32_t address,
                                          std::size_t size, std::uint16_t wTransferSize) {
  if (address < pointer) return std::nullopt;
  const std::uint32_t offset = address - pointer;
  if (offset == 0) return proto::kFirstDataBlock;
  if (size != wTransferSize || offset % wTransferSize != 0) return std::nullopt;
  const std::uint32_t block = proto::kFirstDataBlock + offset / wTransferSize;
  if (block > 0xFFFF) return std::nullopt;
  return static_cast<std::uint16_t>(block);
}

Task<> DfuSe::select(std::uint8_t alt_setting) {
  const Answer answer = co_await step(SelectAltSetting{client_->interface_number(), alt_setting});
  co_await dfu::check(answer, "SET_INTERFACE");
  pointer_.reset();
  idle_ = false;
  co_await ensure_idle();
}

Task<> DfuSe::ensure_idle() {
  if (idle_) co_return;
  co_await client_->to_idle();
  idle_ = true;
}

Task<Bytes> DfuSe::get_commands() {
  co_await ensure_idle();
  Bytes codes(std::min<std::size_t>(kCommandsMax, transfer_size_));
  idle_ = false;
  const std::size_t count = co_await client_->upload(proto::kCommandBlock, codes);
  codes.resize(count);
  co_await ensure_idle();
  co_return codes;
}

/// A stall has a reason, which GETSTATUS tells (and which CLRSTATUS would wipe out).
Task<> DfuSe::explain_stall(Error& stall) {
  stall.device = co_await client_->get_status();
}

Task<CommandReport> DfuSe::execute(std::uint16_t wBlockNum, ByteView data, Duration limit,
                                   Work work) {
  idle_ = false;
  const Duration began = co_await time_of_last_answer();
  auto sent = co_await caught(client_->dnload(wBlockNum, data));
  if (!sent) {
    Error error = std::move(sent).error();
    if (error.code == Errc::Stalled) {
      static_cast<void>(co_await caught(explain_stall(error)));
    }
    co_return fail(std::move(error));
  }
  // This GETSTATUS starts the work; a device may hold it until the work is done.
  const StatusReply started =
      co_await client_->get_status(std::max(limit, client_->limits().transfer));
  const StatusReply done = co_await finish(started, limit, work);
  co_await dfu::check_status(done);
  if (done.bState != DfuState::DfuDnloadIdle && done.bState != DfuState::DfuIdle) {
    Error e(Errc::UnexpectedState);
    e.device = done;
    co_return fail(std::move(e));
  }
  idle_ = done.bState == DfuState::DfuIdle;
  const Duration ended = co_await time_of_last_answer();
  co_return CommandReport{std::chrono::milliseconds(started.bwPollTimeout_ms), ended - began};
}

Task<> DfuSe::learn(Duration limit, Work work) {
  const Duration began = co_await time_of_last_answer();
  auto answered = co_await caught(client_->ping(limit));
  const Duration took = co_await time_of_last_answer() - began;
  if (!answered && answered.error().code != Errc::Stalled) {
    co_await fail(std::move(answered).error());
  } else if (!answered) {
    holding_ = Holding::No;
  } else if (took < (held_pings_ > 0 ? kHeldAgainAtLeast : kHeldAtLeast)) {
    if (work == Work::Erase || ++quick_pings_ == kQuickWritesToLearn) holding_ = Holding::No;
  } else if (++held_pings_ == kHeldPingsToLearn) {
    holding_ = Holding::Yes;
  }
}

Task<StatusReply> DfuSe::finish(StatusReply started, Duration limit, Work work) {
  const bool busy = dfu::is_busy(started.bState);
  const bool worth_it = work != Work::Short &&
                        std::chrono::milliseconds(started.bwPollTimeout_ms) >= 2 * kHeldAtLeast;
  if (busy && worth_it && holding_ == Holding::Unknown) co_await learn(limit, work);
  if (busy && holding_ == Holding::Yes) {
    started = co_await client_->get_status(std::max(limit, client_->limits().transfer));
    // It answered before it was done: it does not hold after all.
    if (dfu::is_busy(started.bState)) holding_ = Holding::No;
  }
  co_return co_await client_->poll_while_busy(started, limit);
}

Task<> DfuSe::unstick() {
  pointer_.reset();
  idle_ = false;
  // The first leads to dfuERROR, the second to dfuIDLE; a stall of either says nothing.
  static_cast<void>(co_await caught(client_->clear_status()));
  static_cast<void>(co_await caught(client_->clear_status()));
  co_await ensure_idle();
}

Task<CommandReport> DfuSe::set_address(std::uint32_t address) {
  pointer_.reset();
  const auto bytes = command(DfuSeCommand::SetAddressPointer, address);
  const CommandReport report =
      co_await execute(proto::kCommandBlock, bytes, limits_.command, Work::Short);
  pointer_ = address;
  co_return report;
}

Task<CommandReport> DfuSe::erase_sector(std::uint32_t address) {
  pointer_.reset();
  const auto bytes = command(DfuSeCommand::Erase, address);
  co_return co_await execute(proto::kCommandBlock, bytes, limits_.sector_erase, Work::Erase);
}

Task<CommandReport> DfuSe::mass_erase() {
  pointer_.reset();
  const std::array bytes{static_cast<std::uint8_t>(DfuSeCommand::Erase)};
  co_return co_await execute(proto::kCommandBlock, bytes, limits_.mass_erase, Work::Erase);
}

Task<StatusReply> DfuSe::read_unprotect() {
  pointer_.reset();
  idle_ = false;
  const std::array bytes{static_cast<std::uint8_t>(DfuSeCommand::ReadUnprotect)};
  co_await client_->dnload(proto::kCommandBlock, bytes);
  const StatusReply started = co_await client_->get_status();
  co_await dfu::check_status(started);
  const Answer answer = co_await step(Wait{
      std::min<Duration>(std::chrono::milliseconds(started.bwPollTimeout_ms), limits_.mass_erase)});
  co_await dfu::check(answer, "a wait");
  co_return started;
}

std::optional<std::uint16_t> DfuSe::block_for(std::uint32_t address, std::size_t size) const {
  return pointer_ ? block_number(*pointer_, address, size, wTransferSize_) : std::nullopt;
}

Task<CommandReport> DfuSe::write(std::uint32_t address, ByteView data) {
  if (!block_for(address, data.size())) co_await set_address(address);
  const Work work = data.size() >= kLongWrite ? Work::Write : Work::Short;
  auto report =
      co_await caught(execute(*block_for(address, data.size()), data, limits_.write, work));
  if (!report) {
    Error error = std::move(report).error();
    error.where.range = AddressRange::sized(address, data.size());
    error.where.block = block_for(address, data.size());
    pointer_.reset();
    co_return fail(std::move(error));
  }
  co_return *report;
}

Task<> DfuSe::read(std::uint32_t address, ByteSpan out) {
  if (out.size() % transfer_size_ != 1) {
    co_await read_blocks(address, out);
    co_return;
  }
  // ROMs upload 2 bytes at least (AN2662): the last one comes with its neighbour, which is in the
  // same memory, since no memory begins or ends at an odd address.
  const auto last = static_cast<std::uint32_t>(address + out.size() - 1);
  if (out.size() > 1) co_await read_blocks(address, out.first(out.size() - 1));
  std::array<std::uint8_t, 2> pair{};
  co_await read_blocks(last & ~1U, pair);
  out.back() = pair[last & 1U];
}

Task<> DfuSe::read_blocks(std::uint32_t address, ByteSpan out) {
  bool uploading = false;
  for (std::size_t offset = 0; offset < out.size();) {
    const std::size_t size = std::min<std::size_t>(transfer_size_, out.size() - offset);
    const auto at = static_cast<std::uint32_t>(address + offset);
    if (!block_for(at, size)) {
      if (uploading) co_await client_->abort();  // commands are refused in dfuUPLOAD-IDLE
      uploading = false;
      co_await set_address(at);
    }
    if (!uploading) co_await client_->abort();  // from dfuDNLOAD-IDLE; uploads begin in dfuIDLE
    uploading = true;
    idle_ = false;
    auto got = co_await caught(client_->upload(*block_for(at, size), out.subspan(offset, size)));
    if (got && *got == size) {
      offset += size;
      continue;
    }
    pointer_.reset();
    Error error = got ? Error(Errc::ResponseTooShort, "DFU_UPLOAD gave " + decimal(*got) + " of " +
                                                          decimal(size) + " bytes")
                      : std::move(got).error();
    if (error.code == Errc::Stalled) static_cast<void>(co_await caught(explain_stall(error)));
    static_cast<void>(co_await caught(ensure_idle()));
    co_await fail(std::move(error).at(AddressRange::sized(at, size)));
  }
  if (uploading) co_await client_->abort();
  idle_ = uploading || idle_;
}

Task<std::optional<Error>> DfuSe::leave(std::uint32_t address) {
  co_await set_address(address);
  // wBlockNum 2 as dfu-util and fwupd do; ROMs take any (dfuse.md 2.8).
  auto sent = co_await caught(client_->dnload(proto::kFirstDataBlock, {}));
  if (!sent) {
    if (sent.error().code == Errc::Disconnected) co_return std::nullopt;
    co_return fail(std::move(sent).error());
  }
  auto reply = co_await caught(client_->get_status());
  pointer_.reset();
  idle_ = false;
  if (!reply) co_return std::move(reply).error();
  auto status = dfu::check_status(*reply);
  if (!status) co_return std::move(status).error();
  if (reply->bState != DfuState::DfuManifest && reply->bState != DfuState::DfuManifestSync &&
      reply->bState != DfuState::DfuManifestWaitReset) {
    Error e(Errc::UnexpectedState);
    e.device = *reply;
    co_return e;
  }
  co_return std::nullopt;
}

}  // namespace sureflash::stm32
