#include "usb_socket.hpp"

#include <cstdlib>

#include "sureflash/base/text.hpp"

namespace sureflash::sim {
namespace {

constexpr unsigned kIrqOtgFs = 67;
constexpr Duration kFrame = 1ms;
/// USB 2.0, 7.1.7.6: no activity for that long is Suspend.
constexpr Duration kIdleToSuspend = 3ms;
constexpr std::uint32_t kUsbHz = 48'000'000;
/// USB 2.0, 7.1.11: 12 Mb/s ± 0.25 %.
constexpr std::uint32_t kUsbHzTolerance = kUsbHz / 400;

}  // namespace

UsbSocket::UsbSocket(Chipset& chip, OtgSwitches switches, Hooks hooks)
    : chip_(chip),
      hooks_(std::move(hooks)),
      otg_([&chip](std::string text) { chip.misuse(std::move(text)); }, switches) {}

void UsbSocket::reset() {
  otg_.reset();
  update();
}

std::uint32_t UsbSocket::read(std::uint32_t offset) {
  const std::uint32_t value = otg_.read(offset);
  const bool changes = offset == otg::kGrxstsp || offset >= otg::kFifoBegin ||
                       (offset >= otg::kHostBegin && offset < otg::kHostEnd);
  if (changes) update();
  return value;
}

void UsbSocket::write(std::uint32_t offset, std::uint32_t value) {
  otg_.write(offset, value);
  update();
}

/// Tells the chip and the host what has become of the core.
void UsbSocket::update() {
  if (pulled_up() && !in_step()) {
    chip_.misuse("the USB clock is " + decimal(s_.usb_hz / 1000) +
                 " kHz instead of 48 MHz (RM0008, 8.2.4): the host understands nothing");
  }
  chip_.set_irq(kIrqOtgFs, otg_.irq());
  if (otg_.wakeup() != s_.wakeup) {
    s_.wakeup = otg_.wakeup();
    hooks_.wakeup(s_.wakeup);
  }
  if (pulled_up() == s_.pulled_up) return;
  s_.pulled_up = pulled_up();
  s_.active = s_.host_suspends = false;
  s_.idle_since = chip_.now();
  s_.next_frame = s_.pulled_up ? chip_.now() + kIdleToSuspend : kNoTime;
  hooks_.connection();
}

void UsbSocket::set_vbus(bool on) {
  s_.vbus = on;
  otg_.set_vbus(on);
  update();
}

void UsbSocket::set_clock(bool enabled, std::uint32_t usb_hz) {
  s_.usb_hz = usb_hz;
  otg_.set_usb_clock(enabled && usb_hz != 0);
  update();
}

bool UsbSocket::in_step() const {
  return static_cast<std::uint32_t>(std::abs(static_cast<std::int64_t>(s_.usb_hz) - kUsbHz)) <=
         kUsbHzTolerance;
}

Duration UsbSocket::next_event() const {
  return s_.next_frame;
}

/// A frame begins; or, where no frames are, the bus has been idle for 3 ms.
void UsbSocket::run_events() {
  const bool frames = s_.active && !s_.host_suspends;
  if (frames) {
    s_.next_frame += kFrame;
    s_.frame = (s_.frame + 1) & 0x7FF;
    otg_.start_of_frame(s_.frame);
  } else {
    otg_.suspend();
    s_.next_frame = chip_.now() + kFrame;
    if (s_.host_suspends && otg_.remote_wakeup()) resume();
  }
  // Flash may have stalled the core over several frames.
  if (s_.next_frame <= chip_.now()) {
    const auto missed = (chip_.now() - s_.next_frame) / kFrame + 1;
    s_.frame = static_cast<std::uint16_t>((s_.frame + missed) & 0x7FF);
    s_.next_frame += missed * kFrame;
  }
  update();
}

void UsbSocket::begin_bus_reset() {
  s_.active = s_.host_suspends = false;
  s_.next_frame = kNoTime;
  otg_.begin_bus_reset();
  update();
}

void UsbSocket::end_bus_reset() {
  s_.active = true;
  s_.next_frame = chip_.now() + kFrame;
  if (in_step()) otg_.end_bus_reset();
  update();
}

void UsbSocket::suspend() {
  if (!s_.active || s_.host_suspends) return;
  s_.host_suspends = true;
  s_.next_frame = chip_.now() + kIdleToSuspend;
  update();
}

void UsbSocket::resume() {
  if (!s_.host_suspends) return;
  s_.host_suspends = false;
  s_.next_frame = chip_.now() + kFrame;
  otg_.resume();
  update();
}

PacketReply UsbSocket::setup(std::uint8_t address, const std::array<std::uint8_t, 8>& packet) {
  if (!in_step()) return PacketReply::None;
  const PacketReply reply = otg_.setup(address, packet);
  update();
  return reply;
}

PacketReply UsbSocket::out(std::uint8_t address, std::uint8_t endpoint, bool data1, ByteView data) {
  if (!in_step()) return PacketReply::None;
  const PacketReply reply = otg_.out(address, endpoint, data1, data);
  update();
  return reply;
}

InPacket UsbSocket::in(std::uint8_t address, std::uint8_t endpoint) {
  if (!in_step()) return {};
  InPacket packet = otg_.in(address, endpoint);
  update();
  return packet;
}

std::any UsbSocket::save() const {
  State copy = s_;
  copy.otg = otg_.state();
  return copy;
}

void UsbSocket::restore(const std::any& state) {
  s_ = std::any_cast<const State&>(state);
  otg_.restore(s_.otg);
  s_.otg = {};
}

}  // namespace sureflash::sim
