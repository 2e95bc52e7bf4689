#include "sureflash/sim/export_test/dfu_device.hpp"

#include <algorithm>
#include <optional>

namespace sureflash::sim {
namespace {

using proto::DfuRequest;
using proto::DfuState;
using proto::DfuStatus;

constexpr std::uint32_t kFlash = 0x08000000;
constexpr std::size_t kMemorySize = 64 * 1024;
constexpr std::size_t kPageSize = 1024;
constexpr std::uint16_t kTransferSize = 2048;
constexpr std::uint8_t kAttributes = proto::kCanDnload | proto::kCanUpload | proto::kWillDetach;
constexpr Duration kOffBus = 200ms;

}  // namespace

DfuDevice::DfuDevice(DfuDeviceOptions options)
    : options_(std::move(options)),
      run_time_(options_.run_time),
      state_(run_time_ ? DfuState::AppIdle : DfuState::DfuIdle),
      memory_(kMemorySize, 0xFF) {}

void DfuDevice::advance_to(Duration time) {
  now_ = std::max(now_, time);
  if (leave_at_ && now_ >= *leave_at_) {
    leave_at_.reset();
    pulled_up_ = false;
    return_at_ = now_ + kOffBus;
  }
  if (return_at_ && now_ >= *return_at_) {
    return_at_.reset();
    run_time_ = run_time_after_;
    state_ = run_time_ ? DfuState::AppIdle : DfuState::DfuIdle;
    status_ = DfuStatus::Ok;
    pulled_up_ = true;
    ++attach_count_;
  }
}

void DfuDevice::leave_bus_at(Duration time, bool run_time_after) {
  leave_at_ = time;
  run_time_after_ = run_time_after;
}

void DfuDevice::bus_reset() {
  alt_ = 0;
  configured_ = false;
}

void DfuDevice::set_vbus(bool on) {
  if (on && !vbus_) ++attach_count_;
  vbus_ = on;
}

void DfuDevice::delay(DfuRequest request, Duration duration) {
  delayed_ = request;
  delay_ = duration;
}

Completion DfuDevice::stall() {
  return {Handshake::Stall, 0};
}

Completion DfuDevice::reply(ByteSpan in, ByteView data) {
  const std::size_t size = std::min(in.size(), data.size());
  std::copy_n(data.begin(), size, in.begin());
  return {Handshake::Ack, size};
}

Completion DfuDevice::control(const proto::Setup& setup, ByteView out, ByteSpan in,
                              Duration timeout) {
  if (!attached()) return {Handshake::Gone, 0};
  ++transfers_;
  const bool class_request = (setup.bmRequestType & 0x60) == 0x20;
  if (class_request && delayed_ && setup.bRequest == static_cast<std::uint8_t>(*delayed_)) {
    advance_to(now_ + std::min(delay_, timeout));
    if (delay_ > timeout) return {Handshake::Timeout, 0};
  }
  const std::uint32_t before = attach_count_;
  advance_to(now_ + BusTiming{}.transfer(setup.wLength));
  if (!attached() || attach_count_ != before) return {Handshake::Gone, 0};
  return class_request ? dfu(setup, out, in) : standard(setup, in);
}

Completion DfuDevice::standard(const proto::Setup& setup, ByteSpan in) {
  using enum proto::StandardRequest;
  switch (static_cast<proto::StandardRequest>(setup.bRequest)) {
    case SetAddress:
      return {};
    case SetConfiguration:
      configured_ = true;
      return {};
    case GetConfiguration: {
      const std::uint8_t value = configured_ ? 1 : 0;
      return reply(in, {&value, 1});
    }
    case GetStatus:
      return reply(in, Bytes{1, 0});
    case SetInterface:
      if (setup.wIndex != 0 || setup.wValue >= options_.layouts.size()) return stall();
      alt_ = static_cast<std::uint8_t>(setup.wValue);
      return {};
    case GetDescriptor:
      break;
    default:
      return stall();
  }
  const auto index = static_cast<std::uint8_t>(setup.wValue);
  switch (static_cast<proto::DescriptorType>(setup.wValue >> 8)) {
    case proto::DescriptorType::Device:
      return reply(in, device_descriptor());
    case proto::DescriptorType::Configuration:
      return reply(in, configuration());
    case proto::DescriptorType::String: {
      const Bytes text = string(index);
      return text.empty() ? stall() : reply(in, text);
    }
    default:
      return stall();
  }
}

Bytes DfuDevice::device_descriptor() const {
  Bytes d{18, 1, 0x00, 0x01, 0, 0, 0, 64};
  append_le16(d, proto::kStVendorId);
  append_le16(d, run_time_ ? std::uint16_t{0x5740} : proto::kStDfuProductId);
  append_le16(d, 0x2200);
  d.insert(d.end(), {1, 2, 3, 1});
  return d;
}

Bytes DfuDevice::configuration() const {
  const std::size_t alts = run_time_ ? 1 : options_.layouts.size();
  Bytes c{9, 2};
  append_le16(c, static_cast<std::uint16_t>(9 + 9 * alts + 9));
  c.insert(c.end(), {1, 1, 0, 0xC0, 50});
  for (std::size_t alt = 0; alt < alts; ++alt) {
    c.insert(c.end(),
             {9, 4, 0, static_cast<std::uint8_t>(alt), 0, 0xFE, 1,
              static_cast<std::uint8_t>(run_time_ ? 1 : 2), static_cast<std::uint8_t>(4 + alt)});
  }
  c.insert(c.end(), {9, 0x21, kAttributes, 255, 0});
  append_le16(c, kTransferSize);
  append_le16(c, proto::kBcdDfuSe);
  return c;
}

Bytes DfuDevice::string(std::uint8_t index) const {
  if (index == 0) return {4, 3, 0x09, 0x04};
  std::string text;
  if (index == 1) text = "STMicroelectronics";
  if (index == 2) text = run_time_ ? "Sureflash test application" : "STM32  BOOTLOADER";
  if (index == 3) text = options_.serial;
  if (index >= 4 && index - 4U < options_.layouts.size()) text = options_.layouts[index - 4U];
  if (text.empty()) return {};
  Bytes d{static_cast<std::uint8_t>(2 + 2 * text.size()), 3};
  for (const char c : text) append_le16(d, static_cast<std::uint8_t>(c));
  return d;
}

Completion DfuDevice::dfu(const proto::Setup& setup, ByteView out, ByteSpan in) {
  const auto request = static_cast<DfuRequest>(setup.bRequest);
  if (setup.wIndex != 0) return stall();
  if (request == DfuRequest::GetStatus) return status(in);
  if (request == DfuRequest::GetState) {
    const auto state = static_cast<std::uint8_t>(state_);
    return reply(in, {&state, 1});
  }
  if (run_time_) {
    if (request != DfuRequest::Detach) return stall();
    leave_bus_at(now_ + 5ms, false);
    return {};
  }
  if (request == DfuRequest::Dnload) return download(setup, out);
  if (request == DfuRequest::Upload) return upload(setup, in);
  const bool clears = request == DfuRequest::ClrStatus && state_ == DfuState::DfuError;
  const bool aborts = request == DfuRequest::Abort && state_ != DfuState::DfuError;
  if (!clears && !aborts) return stall();
  state_ = DfuState::DfuIdle;
  status_ = DfuStatus::Ok;
  return {};
}

Completion DfuDevice::download(const proto::Setup& setup, ByteView out) {
  const bool idle = state_ == DfuState::DfuIdle || state_ == DfuState::DfuDnloadIdle;
  if (!idle || out.size() > kTransferSize || setup.wValue == 1) {
    state_ = DfuState::DfuError;
    status_ = DfuStatus::ErrStalledPkt;
    return stall();
  }
  if (out.empty()) {
    state_ = DfuState::DfuManifestSync;
    return {};
  }
  block_ = setup.wValue;
  pending_.assign(out.begin(), out.end());
  state_ = DfuState::DfuDnloadSync;
  return {Handshake::Ack, out.size()};
}

Completion DfuDevice::upload(const proto::Setup& setup, ByteSpan in) {
  const bool idle = state_ == DfuState::DfuIdle || state_ == DfuState::DfuUploadIdle;
  const std::uint64_t address = pointer_ + (setup.wValue - 2ULL) * kTransferSize;
  const bool inside = address >= kFlash && address + in.size() <= kFlash + kMemorySize;
  if (!idle || setup.wValue < 2 || !inside) {
    state_ = DfuState::DfuError;
    status_ = DfuStatus::ErrTarget;
    return stall();
  }
  state_ = DfuState::DfuUploadIdle;
  return reply(in, ByteView(memory_).subspan(address - kFlash, in.size()));
}

void DfuDevice::execute() {
  status_ = DfuStatus::ErrTarget;
  const bool command = block_ == 0 && pending_.size() == 5;
  const std::uint32_t address =
      command ? load_le32(pending_, 1) : pointer_ + (block_ - 2U) * kTransferSize;
  const std::size_t size = command ? 1 : pending_.size();
  if (block_ == 0 && pending_ == Bytes{0x41}) {
    std::fill(memory_.begin(), memory_.end(), 0xFF);
    status_ = DfuStatus::Ok;
    return;
  }
  const bool inside = address >= kFlash && address + size <= kFlash + kMemorySize;
  if (!inside || (block_ == 0 && !command)) return;
  const auto at = memory_.begin() + (address - kFlash);
  if (!command) {
    // Flash programs from erased to anything, once.
    const bool erased = std::all_of(at, at + static_cast<std::ptrdiff_t>(size),
                                    [](std::uint8_t byte) { return byte == 0xFF; });
    if (erased) std::copy(pending_.begin(), pending_.end(), at);
  } else if (pending_[0] == 0x41) {
    const std::size_t page = (address - kFlash) / kPageSize * kPageSize;
    std::fill_n(memory_.begin() + static_cast<std::ptrdiff_t>(page), kPageSize, 0xFF);
  } else {
    pointer_ = address;
  }
  status_ = DfuStatus::Ok;
}

Completion DfuDevice::status(ByteSpan in) {
  Bytes answer{static_cast<std::uint8_t>(status_), 0, 0, 0, 0, 0};
  if (state_ == DfuState::DfuDnloadSync && !pending_.empty()) {
    execute();
    pending_.clear();
    state_ = DfuState::DfuDnBusy;
    const auto poll_ms = static_cast<std::uint32_t>(options_.busy / 1ms);
    answer[0] = 0;
    answer[1] = static_cast<std::uint8_t>(poll_ms);
    answer[2] = static_cast<std::uint8_t>(poll_ms >> 8);
  } else if (state_ == DfuState::DfuDnBusy) {
    state_ = status_ == DfuStatus::Ok ? DfuState::DfuDnloadIdle : DfuState::DfuError;
    answer[0] = static_cast<std::uint8_t>(status_);
  } else if (state_ == DfuState::DfuManifestSync) {
    state_ = DfuState::DfuManifest;
    leave_bus_at(now_ + 5ms, options_.run_time);
  }
  answer[4] = static_cast<std::uint8_t>(state_);
  return reply(in, answer);
}

}  // namespace sureflash::sim
