#include "sureflash/sim/export/host_port.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace sureflash::sim {
namespace {

/// USB 2.0, 7.1.7.3 (debounce), 7.1.7.5 (reset and recovery), 9.2.6.3 (SET_ADDRESS recovery).
constexpr Duration kDebounce = 100ms;
constexpr Duration kResetRecovery = 10ms;
constexpr Duration kAddressRecovery = 2ms;
/// Linux waits 5 s for a control transfer of its own (USB_CTRL_SET_TIMEOUT).
constexpr Duration kControlTimeout = 5s;
constexpr int kEnumerationTries = 3;
/// More device time than this is never made up for in one go: the loop has to serve others too.
constexpr Duration kCatchUpMax = 20ms;
/// How often a NAKing endpoint is asked and an idle device gets its time.
constexpr Duration kFrame = 1ms;
constexpr Duration kIdleTick = 5ms;
constexpr std::uint16_t kEnglish = 0x0409;

void append_utf8(std::string& text, std::uint16_t unit) {
  if (unit < 0x80) {
    text += static_cast<char>(unit);
  } else if (unit < 0x800) {
    text += static_cast<char>(0xC0 | unit >> 6);
    text += static_cast<char>(0x80 | (unit & 0x3F));
  } else {
    text += static_cast<char>(0xE0 | unit >> 12);
    text += static_cast<char>(0x80 | (unit >> 6 & 0x3F));
    text += static_cast<char>(0x80 | (unit & 0x3F));
  }
}

}  // namespace

Duration monotonic_clock() {
  return std::chrono::steady_clock::now().time_since_epoch();
}

Bytes Identity::descriptors() const {
  Bytes all = device_descriptor;
  all.insert(all.end(), configuration.begin(), configuration.end());
  return all;
}

HostPort::HostPort(UsbDevice& device, Pace pace, WallClock wall)
    : device_(&device), pace_(pace), wall_(std::move(wall)), offset_(device.now() - wall_()) {}

bool HostPort::lost() const {
  return changed_ || !device_->attached() || device_->attach_count() != attachment_;
}

void HostPort::follow_wall() {
  const Duration target = wall_() + offset_;
  if (target <= device_->now()) return;
  device_->advance_to(std::min(target, device_->now() + kCatchUpMax));
  // Slower than the wall clock: the device is late for ever, and never ahead.
  offset_ = std::min(offset_, device_->now() - wall_() + kCatchUpMax);
}

Duration HostPort::due() {
  if (pace_ == Pace::Fast) offset_ = std::max(offset_, device_->now() - wall_());
  return device_->now() - offset_;
}

HostPort::Event HostPort::tick() {
  follow_wall();
  // What a transfer brought about in the device's future has not happened yet; a pulled cable has.
  if (ahead_of_wall() && !cable_changed_) return Event::None;
  cable_changed_ = false;
  if (identity_ && lost()) {
    forget_device();
    return std::exchange(visible_, false) ? Event::Left : Event::None;
  }
  if (!identity_) return look_for_device();
  moving_ = queues_.poll(*device_, [this] { return due(); });
  return std::exchange(visible_, true) ? Event::None : Event::Arrived;
}

void HostPort::forget_device() {
  identity_.reset();
  debounced_at_.reset();
  changed_ = false;
  queues_.clear();
}

Duration HostPort::next_tick() const {
  if (queues_.empty()) return kIdleTick;
  const Duration lead = device_->now() - wall_() - offset_;
  if (lead > Duration::zero()) return lead;
  return moving_ ? Duration::zero() : kFrame;
}

HostPort::Event HostPort::look_for_device() {
  if (!device_->attached()) {
    debounced_at_.reset();
    return Event::None;
  }
  if (given_up_on_ == device_->attach_count()) return Event::None;
  if (!debounced_at_ || attachment_ != device_->attach_count()) {
    attachment_ = device_->attach_count();
    debounced_at_ = device_->now() + kDebounce;
  }
  if (pace_ == Pace::Fast) device_->advance_to(*debounced_at_);
  if (device_->now() < *debounced_at_ || lost()) return Event::None;
  debounced_at_.reset();
  bool done = false;
  for (int i = 0; i < kEnumerationTries && !done && device_->attached(); ++i) done = enumerate();
  if (!done && device_->attached()) given_up_on_ = device_->attach_count();
  if (!done || due() > wall_()) return Event::None;
  visible_ = true;
  return Event::Arrived;
}

bool HostPort::enumerate() {
  alt_settings_.clear();
  attachment_ = device_->attach_count();
  if (address_device() != Handshake::Ack) return false;
  auto identity = read_identity();
  if (!identity || configure(identity->configuration_value()) != Handshake::Ack) return false;
  identity_ = std::move(identity);
  return true;
}

Handshake HostPort::address_device() {
  device_->bus_reset();
  device_->advance_to(device_->now() + kResetRecovery);
  // A device that detaches by itself upon the reset counts as another one.
  if (lost()) return Handshake::Gone;
  const auto result =
      plain_out(proto::kStandardOutDevice, proto::StandardRequest::SetAddress, 1, 0);
  device_->advance_to(device_->now() + kAddressRecovery);
  return result;
}

Handshake HostPort::configure(std::uint8_t value) {
  return plain_out(proto::kStandardOutDevice, proto::StandardRequest::SetConfiguration, value, 0);
}

Handshake HostPort::plain_out(std::uint8_t type, proto::StandardRequest request,
                              std::uint16_t value, std::uint16_t index) {
  const proto::Setup setup{type, static_cast<std::uint8_t>(request), value, index, 0};
  return device_->control(setup, {}, {}, kControlTimeout).handshake;
}

Bytes HostPort::read_descriptor(proto::DescriptorType type, std::uint8_t index,
                                std::uint16_t language, std::uint16_t length) {
  Bytes bytes(length);
  const proto::Setup setup{
      proto::kStandardInDevice, static_cast<std::uint8_t>(proto::StandardRequest::GetDescriptor),
      static_cast<std::uint16_t>(static_cast<unsigned>(type) << 8 | index), language, length};
  const auto done = device_->control(setup, {}, bytes, kControlTimeout);
  bytes.resize(done.handshake == Handshake::Ack ? std::min<std::size_t>(done.actual, length) : 0);
  return bytes;
}

std::optional<Identity> HostPort::read_identity() {
  using enum proto::DescriptorType;
  Identity identity;
  identity.speed = device_->speed();
  identity.device_descriptor = read_descriptor(Device, 0, 0, proto::kDeviceDescriptorLength);
  if (identity.device_descriptor.size() != proto::kDeviceDescriptorLength) return std::nullopt;
  const Bytes head = read_descriptor(Configuration, 0, 0, proto::kConfigurationDescriptorLength);
  if (head.size() != proto::kConfigurationDescriptorLength) return std::nullopt;
  const std::uint16_t total = load_le16(head, 2);
  if (total < proto::kConfigurationDescriptorLength) return std::nullopt;
  identity.configuration = read_descriptor(Configuration, 0, 0, total);
  if (identity.configuration.size() < proto::kConfigurationDescriptorLength) return std::nullopt;
  identity.interfaces = read_interfaces(identity.configuration);
  identity.manufacturer = read_string(identity.device_descriptor[14], kEnglish);
  identity.product = read_string(identity.device_descriptor[15], kEnglish);
  identity.serial = read_string(identity.device_descriptor[16], kEnglish);
  return identity;
}

std::string HostPort::read_string(std::uint8_t index, std::uint16_t language) {
  std::string text;
  if (index == 0) return text;
  const Bytes bytes = read_descriptor(proto::DescriptorType::String, index, language, 255);
  if (bytes.size() < 2) return text;
  const std::size_t end = std::min<std::size_t>(bytes[0], bytes.size());
  for (std::size_t i = 2; i + 1 < end; i += 2) append_utf8(text, load_le16(bytes, i));
  return text;
}

template <class Transfer>
HostPort::Done HostPort::carry_out(Transfer transfer) {
  follow_wall();
  if (!identity_ || lost()) return {{Handshake::Gone, 0}, wall_()};
  const Completion completion = transfer();
  return {completion, due()};
}

HostPort::Done HostPort::control(const proto::Setup& setup, ByteView out, ByteSpan in,
                                 Duration timeout) {
  return carry_out([&] {
    ++control_transfers_;
    const auto completion = device_->control(setup, out, in, timeout);
    if (completion.handshake == Handshake::Ack) note_selection(setup);
    return completion;
  });
}

void HostPort::note_selection(const proto::Setup& setup) {
  const auto request = static_cast<proto::StandardRequest>(setup.bRequest);
  if (setup.bmRequestType == proto::kStandardOutInterface &&
      request == proto::StandardRequest::SetInterface) {
    alt_settings_[setup.wIndex] = setup.wValue;
  }
  if (setup.bmRequestType == proto::kStandardOutDevice &&
      request == proto::StandardRequest::SetConfiguration) {
    alt_settings_.clear();
  }
}

const EndpointInfo* HostPort::endpoint(std::uint8_t address) const {
  if (!visible_) return nullptr;
  for (const InterfaceInfo& interface : identity_->interfaces) {
    const auto selected = alt_settings_.find(interface.number);
    const std::uint16_t alt = selected == alt_settings_.end() ? 0 : selected->second;
    if (interface.alt_setting != alt) continue;
    for (const EndpointInfo& endpoint : interface.endpoints) {
      if (endpoint.address == address) return &endpoint;
    }
  }
  return nullptr;
}

void HostPort::submit(std::shared_ptr<Transfer> transfer) {
  const EndpointInfo& info = *endpoint(transfer->endpoint);
  queues_.submit(std::move(transfer), info);
}

HostPort::Done HostPort::reset() {
  queues_.clear();
  return carry_out([&]() -> Completion {
    if (const auto done = address_device(); done != Handshake::Ack) {
      changed_ = true;
      return {Handshake::Gone, 0};
    }
    const auto now = read_identity();
    changed_ = !now || now->device_descriptor != identity_->device_descriptor ||
               now->configuration != identity_->configuration ||
               configure(now->configuration_value()) != Handshake::Ack;
    for (const auto& [interface, alt] : alt_settings_) {
      if (alt != 0 && !changed_) {
        plain_out(proto::kStandardOutInterface, proto::StandardRequest::SetInterface, alt,
                  interface);
      }
    }
    return {changed_ ? Handshake::Gone : Handshake::Ack, 0};
  });
}

void HostPort::set_vbus(bool on) {
  device_->set_vbus(on);
  cable_changed_ = true;
}

}  // namespace sureflash::sim
