#include "sureflash/sim/model/virtual_device.hpp"

namespace sureflash::sim {
namespace {

/// USBD_Stop and USBD_Start: two HAL delays of 3 ms.
constexpr Duration kReconnectGap = 6ms;
/// Some time after its start an application is back, or reset: any short time will do.
constexpr Duration kApplicationLife = 50ms;

}  // namespace

VirtualDevice::VirtualDevice(Parts parts) : parts_(std::move(parts)) {
  Firmware& firmware = *this;
  loader_ = parts_.make_loader(chip(), firmware);
  if (parts_.make_application) application_function_ = parts_.make_application(chip(), firmware);
  for (const FlashFaultRule& rule : parts_.faults.flash) chip().operations().add(rule);
  if (!parts_.faults.transfers.empty() || parts_.faults.status_always_ok ||
      parts_.faults.loses_packets) {
    faulty_ = std::make_unique<FaultyDevice>(port_, parts_.faults, parts_.seed);
  }
  boot(StartCause::PowerOn);
}

VirtualDevice::~VirtualDevice() {
  (void)save();
}

Result<void> VirtualDevice::save() const {
  if (!parts_.state) return {};
  return parts_.state->save(*parts_.chip);
}

std::optional<std::uint32_t> VirtualDevice::application() const {
  if (running_ != Running::Application) return std::nullopt;
  return application_base_;
}

void VirtualDevice::power_cycle() {
  port_.cancel_all();
  port_.detach();
  chip().power_cycle();
  boot(StartCause::PowerOn);
}

void VirtualDevice::boot(StartCause cause) {
  port_.cancel_all();
  port_.detach();
  const BootRules& rules = parts_.boot;
  if (rules.loader_first(cause)) {
    run_loader();
  } else if (rules.application_valid(rules.application_base)) {
    run_application(rules.application_base);
  } else if (rules.loader_without_application) {
    run_loader();
  } else {
    running_ = Running::Nothing;
  }
}

void VirtualDevice::attach_later(Function& function, Duration after) {
  port_.at(port_.now() + after, [this, &function] { port_.attach(function); });
}

void VirtualDevice::run_loader() {
  running_ = Running::Loader;
  loader_->start();
  attach_later(*loader_, parts_.boot.loader_startup);
}

void VirtualDevice::run_application(std::uint32_t base) {
  running_ = Running::Application;
  application_base_ = base;
  const Duration over = port_.now() + kApplicationLife;
  if (parts_.boot.application_then == ApplicationThen::JumpsBack) return start_loader(over);
  if (parts_.boot.application_then == ApplicationThen::Resets) return system_reset(over);
  if (application_function_) {
    application_function_->start();
    attach_later(*application_function_, parts_.boot.application_startup);
  }
}

void VirtualDevice::system_reset(Duration at) {
  port_.at(at, [this] {
    chip().reset();
    boot(StartCause::SystemReset);
  });
}

void VirtualDevice::start_application(Duration at, std::uint32_t base) {
  port_.at(at, [this, base] {
    port_.cancel_all();
    port_.detach();
    if (parts_.boot.application_valid(base)) {
      run_application(base);
    } else {
      chip().reset();
      boot(StartCause::SystemReset);
    }
  });
}

void VirtualDevice::start_loader(Duration at) {
  port_.at(at, [this] {
    port_.cancel_all();
    port_.detach();
    if (parts_.boot.loader_reachable()) {
      run_loader();
    } else {
      chip().reset();
      boot(StartCause::SystemReset);
    }
  });
}

void VirtualDevice::reconnect(Duration at) {
  port_.at(at, [this] {
    Function* function = port_.function();
    port_.detach();
    if (function != nullptr) attach_later(*function, kReconnectGap);
  });
}

void VirtualDevice::lose_power(Duration at) {
  chip().operations().lose_power();
  port_.at(at, [this] {
    port_.cancel_all();
    port_.detach();
    running_ = Running::NoPower;
  });
}

}  // namespace sureflash::sim
