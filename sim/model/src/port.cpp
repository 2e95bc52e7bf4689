#include "sureflash/sim/model/port.hpp"

#include <algorithm>

namespace sureflash::sim {
namespace {

using proto::DescriptorType;
using proto::Setup;
using proto::StandardRequest;

/// USB 2.0, 7.1.7.5: a root port resets for 50 ms, a hub for at least 10 ms.
constexpr Duration kBusReset = 10ms;

// USB 2.0, 9.3, table 9-2.
constexpr std::uint8_t kTypeMask = 0x60;
constexpr std::uint8_t kTypeStandard = 0x00;
constexpr std::uint8_t kTypeClass = 0x20;
constexpr std::uint8_t kRecipientMask = 0x1F;
constexpr std::uint8_t kRecipientDevice = 0;
constexpr std::uint8_t kRecipientInterface = 1;
constexpr std::uint8_t kRecipientEndpoint = 2;

std::uint8_t low(std::uint16_t value) {
  return static_cast<std::uint8_t>(value);
}

Reply send(ByteView data, ByteSpan in) {
  const std::size_t count = std::min(data.size(), in.size());
  std::copy_n(data.begin(), count, in.begin());
  return Reply::ack(count);
}

}  // namespace

void Port::attach(Function& function) {
  function_ = &function;
  if (vbus_) joined();
}

void Port::joined() {
  ++attach_count_;
  reset_state();
}

void Port::detach() {
  function_ = nullptr;
  reset_state();
}

void Port::reset_state() {
  configuration_ = 0;
  alt_settings_.assign(256, 0);
}

void Port::at(Duration time, std::function<void()> action) {
  const auto later = std::ranges::upper_bound(events_, time, {}, &Event::time);
  events_.insert(later, {time, std::move(action)});
}

void Port::advance_to(Duration time) {
  while (!events_.empty() && events_.front().time <= time) {
    const Event event = std::move(events_.front());
    events_.erase(events_.begin());
    now_ = std::max(now_, event.time);
    if (function_ != nullptr) function_->pass(now_);
    event.action();
  }
  now_ = std::max(now_, time);
  if (function_ != nullptr) function_->pass(now_);
}

Completion Port::control(const Setup& setup, ByteView out, ByteSpan in, Duration timeout) {
  advance_to(now_);
  if (!attached()) return {Handshake::Gone, 0};
  // No host controller does this; whoever exports the device must not be able to confuse it.
  const std::size_t given = setup.is_in() ? in.size() : out.size();
  if (given != setup.wLength) return {Handshake::Stall, 0};
  const std::uint32_t attachment = attach_count_;
  const Duration limit = now_ + timeout;
  const auto lost = [&] { return !attached() || attach_count_ != attachment; };

  // The core takes the SETUP packet; the rest is NAKed until the CPU has time for it.
  if (const Duration busy = function_->busy_until(); busy > now_) {
    advance_to(std::min(busy, limit));
    if (lost()) return {Handshake::Gone, 0};
    if (busy > limit) return {Handshake::Timeout, 0};
  }
  const bool standard_request = (setup.bmRequestType & kTypeMask) == kTypeStandard;
  Reply reply = Reply::stall();
  if (standard_request) {
    reply = standard(setup, in);
    if (reply.handshake == Handshake::Ack && setup.is_in() && attached()) function_->sent(now_);
  } else if ((setup.bmRequestType & kTypeMask) == kTypeClass &&
             (setup.bmRequestType & kRecipientMask) == kRecipientInterface && configured() &&
             has_interface(low(setup.wIndex))) {
    reply = function_->class_request({setup, out, in, now_});
  }
  if (reply.handshake == Handshake::Gone) {
    advance_to(now_);
    return {Handshake::Gone, reply.actual};
  }
  if (reply.handshake == Handshake::Timeout) {
    advance_to(limit);
    return {Handshake::Timeout, reply.actual};
  }
  const std::size_t moved = setup.is_in() ? reply.actual : out.size();
  const Duration end = now_ + BusTiming::at(speed()).transfer(moved) + reply.holds;
  if (reply.holds > Duration::zero() && end > limit) {
    advance_to(limit);
    return {lost() ? Handshake::Gone : Handshake::Timeout, reply.actual};
  }
  advance_to(end);
  // What the transfer brought about (a reset, a leave) happens after its status stage unless the
  // device held it, so a device that is gone by now has still answered.
  if (reply.holds > Duration::zero() && lost()) return {Handshake::Gone, reply.actual};
  // A stall in the status stage comes after the data.
  return {reply.handshake, reply.handshake == Handshake::Ack ? moved : reply.actual};
}

Reply Port::standard(const Setup& setup, ByteSpan in) {
  switch (setup.bmRequestType & kRecipientMask) {
    case kRecipientDevice:
      return to_device(setup, in);
    case kRecipientInterface:
      return to_interface(setup, in);
    case kRecipientEndpoint: {
      // Only endpoint 0 exists, and it never stays halted.
      const bool get = setup.bRequest == static_cast<std::uint8_t>(StandardRequest::GetStatus);
      if (low(setup.wIndex & 0x7F) != 0) return Reply::stall();
      if (get && setup.is_in()) return send(Bytes{0, 0}, in);
      const bool clear = setup.bRequest == static_cast<std::uint8_t>(StandardRequest::ClearFeature);
      return clear && !setup.is_in() ? Reply::ack() : Reply::stall();
    }
    default:
      return Reply::stall();
  }
}

Reply Port::to_device(const Setup& setup, ByteSpan in) {
  if (setup.is_in()) {
    switch (static_cast<StandardRequest>(setup.bRequest)) {
      case StandardRequest::GetStatus:
        return send(Bytes{std::uint8_t{function_->description().self_powered}, 0}, in);
      case StandardRequest::GetDescriptor:
        return get_descriptor(setup, in);
      case StandardRequest::GetConfiguration:
        return send(Bytes{configuration_}, in);
      default:
        return Reply::stall();
    }
  }
  switch (static_cast<StandardRequest>(setup.bRequest)) {
    case StandardRequest::SetAddress:
      return setup.wValue <= 127 ? Reply::ack() : Reply::stall();
    case StandardRequest::SetConfiguration:
      if (setup.wValue > 1) return Reply::stall();
      reset_state();
      configuration_ = low(setup.wValue);
      function_->configured(configuration_ != 0);
      return Reply::ack();
    default:
      return Reply::stall();
  }
}

Reply Port::to_interface(const Setup& setup, ByteSpan in) {
  const std::uint8_t number = low(setup.wIndex);
  const auto request = static_cast<StandardRequest>(setup.bRequest);
  if (!configured() || !has_interface(number)) return Reply::stall();
  if (!setup.is_in()) {
    return request == StandardRequest::SetInterface ? set_interface(setup) : Reply::stall();
  }
  switch (request) {
    case StandardRequest::GetStatus:
      return send(Bytes{0, 0}, in);
    case StandardRequest::GetInterface:
      return send(Bytes{alt_settings_[number]}, in);
    case StandardRequest::GetDescriptor: {
      const bool functional =
          setup.wValue >> 8 == static_cast<std::uint8_t>(DescriptorType::DfuFunctional);
      const DeviceDescription& device = function_->description();
      if (!functional || !device.functional_on_request) return Reply::stall();
      return send(functional_descriptor(device.functional), in);
    }
    default:
      return Reply::stall();
  }
}

Reply Port::set_interface(const Setup& setup) {
  const std::uint8_t number = low(setup.wIndex);
  if (setup.wValue > 0xFF || !has_alt_setting(number, low(setup.wValue))) return Reply::stall();
  alt_settings_[number] = low(setup.wValue);
  function_->interface_selected(number, low(setup.wValue));
  return Reply::ack();
}

Reply Port::get_descriptor(const Setup& setup, ByteSpan in) const {
  const DeviceDescription& device = function_->description();
  switch (static_cast<DescriptorType>(setup.wValue >> 8)) {
    case DescriptorType::Device:
      return send(device_descriptor(device), in);
    case DescriptorType::Configuration:
      if (low(setup.wValue) != 0) return Reply::stall();
      return send(configuration_descriptor(device), in);
    case DescriptorType::String: {
      const Bytes text = string_descriptor(device, low(setup.wValue));
      return text.empty() ? Reply::stall() : send(text, in);
    }
    case DescriptorType::DeviceQualifier: {
      const Bytes qualifier = device_qualifier(device);
      return qualifier.empty() ? Reply::stall() : send(qualifier, in);
    }
    default:
      return Reply::stall();
  }
}

bool Port::has_interface(std::uint8_t number) const {
  return std::ranges::find(function_->description().interfaces, number,
                           &InterfaceDescription::number) !=
         function_->description().interfaces.end();
}

bool Port::has_alt_setting(std::uint8_t number, std::uint8_t alt_setting) const {
  return std::ranges::any_of(function_->description().interfaces, [&](const auto& i) {
    return i.number == number && i.alt_setting == alt_setting;
  });
}

void Port::bus_reset() {
  advance_to(now_ + kBusReset);
  if (!attached()) return;
  const bool was_configured = configured();
  reset_state();
  if (was_configured) function_->configured(false);
  function_->bus_reset(now_, was_configured);
  advance_to(now_);
}

void Port::set_vbus(bool on) {
  if (on == vbus_) return;
  vbus_ = on;
  if (function_ == nullptr) return;
  if (on) {
    joined();
  } else {
    reset_state();
    function_->configured(false);
  }
}

}  // namespace sureflash::sim
