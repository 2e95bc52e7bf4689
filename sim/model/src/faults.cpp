#include "sureflash/sim/model/faults.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "sureflash/proto/dfu.hpp"

namespace sureflash::sim {
namespace {

constexpr Duration kUnplugged = 1s;
/// bMaxPacketSize0 of all ROMs.
constexpr std::size_t kPacket = 64;
/// Where `random` looks for a victim: a short session has as many transfers, a small image as many
/// half-words.
constexpr std::uint64_t kRandomTransfers = 400;
constexpr std::uint64_t kRandomOperations = 20'000;

struct TransferName {
  std::string_view name;
  TransferFault kind;
};
constexpr TransferName kTransferNames[] = {
    {"stall", TransferFault::Stall},           {"timeout", TransferFault::Timeout},
    {"short", TransferFault::Short},           {"garbage", TransferFault::Garbage},
    {"disconnect", TransferFault::Disconnect}, {"vanish", TransferFault::Vanish},
    {"reset", TransferFault::Reset},
};

struct FlashName {
  std::string_view name;
  FlashFault kind;
};
constexpr FlashName kFlashNames[] = {
    {"cut-before", FlashFault::CutBefore}, {"cut-during", FlashFault::CutDuring},
    {"cut-after", FlashFault::CutAfter},   {"drop-write", FlashFault::DropWrite},
    {"flip-bit", FlashFault::FlipBit},     {"skip-erase", FlashFault::SkipErase},
    {"cut-late", FlashFault::CutLate},
};

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::unexpected<Error> bad(std::string_view item) {
  std::string kinds;
  for (const auto& t : kTransferNames) kinds += std::string(t.name) + " ";
  for (const auto& f : kFlashNames) kinds += std::string(f.name) + " ";
  return fail(Errc::DeviceSpec, "fault '" + std::string(item) +
                                    "': want KIND@N or KIND@N-M (kinds: " + kinds +
                                    "), status-ok, no-gap or random");
}

Result<void> add_item(std::string_view item, FaultPlan& plan) {
  const std::size_t at = item.find('@');
  if (at == std::string_view::npos) return bad(item);
  const std::string_view kind = item.substr(0, at);
  const std::string_view range = item.substr(at + 1);
  const std::size_t dash = range.find('-');
  const auto first = number(range.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : number(range.substr(dash + 1));
  if (!first || !last || *last < *first) return bad(item);
  for (const auto& t : kTransferNames) {
    if (t.name == kind) {
      plan.transfers.push_back({t.kind, *first, *last});
      return {};
    }
  }
  for (const auto& f : kFlashNames) {
    if (f.name == kind) {
      plan.flash.push_back({f.kind, *first, *last});
      return {};
    }
  }
  return bad(item);
}

/// Faults that a session can survive or must report; lies are not among them.
void add_random(std::uint64_t seed, FaultPlan& plan) {
  const std::uint64_t count = 1 + mix64(seed) % 3;
  for (std::uint64_t i = 1; i <= count; ++i) {
    const std::uint64_t choice = mix64(seed + 2 * i);
    const std::uint64_t where = mix64(seed + 2 * i + 1);
    constexpr std::size_t kCuts = 3;
    const std::size_t kind = choice % (std::size(kTransferNames) + kCuts);
    if (kind < std::size(kTransferNames)) {
      const std::uint64_t n = where % kRandomTransfers;
      plan.transfers.push_back({kTransferNames[kind].kind, n, n});
    } else {
      const std::uint64_t n = where % kRandomOperations;
      plan.flash.push_back({kFlashNames[kind - std::size(kTransferNames)].kind, n, n});
    }
  }
}

bool is_get_status(const proto::Setup& setup) {
  return setup.bmRequestType == proto::kClassInInterface &&
         setup.bRequest == static_cast<std::uint8_t>(proto::DfuRequest::GetStatus);
}

}  // namespace

Result<FaultPlan> parse_faults(std::string_view text, std::uint64_t seed) {
  FaultPlan plan;
  for (;;) {
    const std::size_t plus = text.find('+');
    const std::string_view item = text.substr(0, plus);
    if (item == "status-ok") {
      plan.status_always_ok = true;
    } else if (item == "no-gap") {
      plan.loses_packets = true;
    } else if (item == "random") {
      add_random(seed, plan);
    } else {
      TRY(add_item(item, plan));
    }
    if (plus == std::string_view::npos) return plan;
    text.remove_prefix(plus + 1);
  }
}

FaultyDevice::FaultyDevice(UsbDevice& device, FaultPlan plan, std::uint64_t seed)
    : device_(&device), plan_(std::move(plan)), seed_(seed) {}

void FaultyDevice::advance_to(Duration time) {
  if (plug_in_at_ <= time) {
    device_->advance_to(plug_in_at_);
    device_->set_vbus(true);
    plug_in_at_ = Duration::max();
  }
  device_->advance_to(time);
}

const TransferFaultRule* FaultyDevice::fault_now() const {
  const auto found = std::ranges::find_if(plan_.transfers, [&](const TransferFaultRule& rule) {
    return transfers_ >= rule.first && transfers_ <= rule.last;
  });
  return found == plan_.transfers.end() ? nullptr : &*found;
}

Completion FaultyDevice::control(const proto::Setup& setup, ByteView out, ByteSpan in,
                                 Duration timeout) {
  advance_to(now());
  const TransferFaultRule* rule = fault_now();
  const bool class_request = setup.bmRequestType == proto::kClassInInterface ||
                             setup.bmRequestType == proto::kClassOutInterface;
  if (plan_.loses_packets && class_request && std::max(out.size(), in.size()) > kPacket) {
    ++transfers_;
    return faulty(TransferFault::Timeout, setup, out, in, timeout);
  }
  const Completion done = rule != nullptr && attached()
                              ? faulty(rule->kind, setup, out, in, timeout)
                              : device_->control(setup, out, in, timeout);
  ++transfers_;
  if (plan_.status_always_ok) lie(setup, in, done);
  return done;
}

Completion FaultyDevice::faulty(TransferFault kind, const proto::Setup& setup, ByteView out,
                                ByteSpan in, Duration timeout) {
  switch (kind) {
    case TransferFault::Stall:
      advance_to(now() + BusTiming{}.transfer(0));
      return {Handshake::Stall, 0};
    case TransferFault::Timeout:
      advance_to(now() + timeout);
      return {Handshake::Timeout, 0};
    case TransferFault::Short: {
      Completion done = device_->control(setup, out, in, timeout);
      if (setup.is_in()) done.actual /= 2;
      return done;
    }
    case TransferFault::Garbage: {
      const Completion done = device_->control(setup, out, in, timeout);
      for (std::size_t i = 0; setup.is_in() && i < done.actual; ++i) {
        in[i] = static_cast<std::uint8_t>(mix64(seed_ ^ mix64(transfers_) ^ i));
      }
      return done;
    }
    case TransferFault::Disconnect:
      unplug(false);
      return {Handshake::Gone, 0};
    case TransferFault::Vanish:
      unplug(true);
      return {Handshake::Gone, 0};
    case TransferFault::Reset:
      device_->bus_reset();
      ++extra_attachments_;
      return {Handshake::Gone, 0};
  }
  return {Handshake::Gone, 0};
}

void FaultyDevice::unplug(bool for_good) {
  device_->set_vbus(false);
  if (!for_good) plug_in_at_ = now() + kUnplugged;
}

/// An error becomes dfuDNLOAD-IDLE with status OK, and the device is brought to where it will play
/// along.
void FaultyDevice::lie(const proto::Setup& setup, ByteSpan in, const Completion& done) {
  if (!is_get_status(setup) || done.handshake != Handshake::Ack ||
      done.actual < proto::kStatusReplyLength) {
    return;
  }
  in[0] = static_cast<std::uint8_t>(proto::DfuStatus::Ok);
  if (in[4] != static_cast<std::uint8_t>(proto::DfuState::DfuError)) return;
  in[4] = static_cast<std::uint8_t>(proto::DfuState::DfuDnloadIdle);
  device_->control({proto::kClassOutInterface,
                    static_cast<std::uint8_t>(proto::DfuRequest::ClrStatus), 0, setup.wIndex, 0},
                   {}, {}, 1s);
}

}  // namespace sureflash::sim
