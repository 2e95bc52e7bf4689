#include "sureflash/transport/virtual.hpp"

#include <thread>

namespace sureflash::transport {
namespace {

constexpr Duration kEnumerationTimeout = 5s;
constexpr Duration kPollInterval = 1ms;
/// USB 2.0, 7.1.7.3 (debounce) and 7.1.7.5 (reset recovery).
constexpr Duration kDebounce = 100ms;
constexpr Duration kResetRecovery = 10ms;

Duration wall_clock() {
  return std::chrono::steady_clock::now().time_since_epoch();
}

Io io(sim::Handshake handshake) {
  switch (handshake) {
    case sim::Handshake::Ack:
      return Io::Ok;
    case sim::Handshake::Stall:
      return Io::Stall;
    case sim::Handshake::Timeout:
      return Io::Timeout;
    case sim::Handshake::Gone:
      return Io::Disconnected;
    case sim::Handshake::Babble:
      return Io::Failed;
  }
  return Io::Failed;
}

proto::Setup standard_out(proto::StandardRequest request, std::uint16_t value) {
  return {proto::kStandardOutDevice, static_cast<std::uint8_t>(request), value, 0, 0};
}

}  // namespace

VirtualTransport::VirtualTransport(sim::UsbDevice& device, Clock clock)
    : device_(&device), clock_(clock), began_device_(device.now()), began_wall_(wall_clock()) {}

Duration VirtualTransport::now() const {
  return device_->now() - began_device_;
}

void VirtualTransport::keep_pace() {
  if (clock_ != Clock::Real) return;
  const Duration ahead = now() - (wall_clock() - began_wall_);
  if (ahead > Duration::zero()) std::this_thread::sleep_for(ahead);
}

void VirtualTransport::pass(Duration duration) {
  device_->advance_to(device_->now() + duration);
  keep_pace();
}

Answer VirtualTransport::answer(Io io, std::size_t actual) {
  keep_pace();
  return {.io = io, .actual = actual, .time = now()};
}

Result<void> VirtualTransport::open(Duration timeout) {
  switch (await_return(timeout).io) {
    case Io::Ok:
      return {};
    case Io::Timeout:
      return fail(Errc::NoDevice);
    case Io::Stall:
      return fail(Errc::Stalled, "during enumeration");
    default:
      return fail(Errc::Disconnected, "during enumeration");
  }
}

Io VirtualTransport::enumerate() {
  pass(kDebounce);
  device_->bus_reset();
  pass(kResetRecovery);
  attachment_ = device_->attach_count();
  using enum proto::StandardRequest;
  for (const auto& setup : {standard_out(SetAddress, 1), standard_out(SetConfiguration, 1)}) {
    const auto done = device_->control(setup, {}, {}, kEnumerationTimeout);
    if (done.handshake != sim::Handshake::Ack) return io(done.handshake);
  }
  return Io::Ok;
}

Answer VirtualTransport::control(const ControlTransfer& transfer) {
  if (!device_->attached() || device_->attach_count() != attachment_) {
    return answer(Io::Disconnected);
  }
  const auto done = device_->control(transfer.setup, transfer.out, transfer.in, transfer.timeout);
  return answer(io(done.handshake), done.actual);
}

Answer VirtualTransport::await_return(Duration timeout) {
  const Duration limit = device_->now() + timeout;
  while (device_->now() <= limit) {
    if (device_->attached() && device_->attach_count() != attachment_) {
      const Io result = enumerate();
      // A device that leaves again while it is enumerated (a crystal search, a reset) is waited
      // for.
      if (result != Io::Disconnected) return answer(result);
    }
    pass(kPollInterval);
  }
  return answer(Io::Timeout);
}

Answer VirtualTransport::perform(const Step& step) {
  if (const auto* transfer = std::get_if<ControlTransfer>(&step)) return control(*transfer);
  if (const auto* wait = std::get_if<Wait>(&step)) {
    pass(wait->duration);
    return answer(Io::Ok);
  }
  if (const auto* select = std::get_if<SelectAltSetting>(&step)) {
    return control({{proto::kStandardOutInterface,
                     static_cast<std::uint8_t>(proto::StandardRequest::SetInterface),
                     select->alt_setting, select->interface_number, 0},
                    {},
                    {},
                    kEnumerationTimeout});
  }
  if (std::holds_alternative<BusReset>(step)) {
    const std::uint32_t before = attachment_;
    device_->bus_reset();
    pass(kResetRecovery);
    if (!device_->attached()) return answer(Io::Disconnected);
    if (device_->attach_count() != before) return answer(Io::Disconnected);
    return answer(enumerate());
  }
  if (const auto* await = std::get_if<AwaitReturn>(&step)) return await_return(await->timeout);
  return answer(Io::Ok);
}

}  // namespace sureflash::transport
