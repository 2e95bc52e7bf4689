#include "device.hpp"

#include "interrupt.hpp"

#include "sureflash/transport/virtual.hpp"

namespace sureflash::cli {
namespace {

constexpr std::string_view kSimPrefix = "sim:";
/// An F105 with an 8 MHz crystal needs 13.7 s to find its clock (AN2606 table 229).
constexpr Duration kAttachTimeout = 20s;

}  // namespace

Device::~Device() = default;

Result<std::unique_ptr<Device>> Device::open(const Options& options) {
  if (options.device.empty()) {
    return fail(Error(Errc::NoDevice, "say which one with --device").in(Stage::Open));
  }
  if (!options.device.starts_with(kSimPrefix)) {
    return fail(Error(Errc::DeviceSpec, "\"" + options.device + "\" does not begin with \"sim:\"")
                    .in(Stage::Open));
  }
  std::unique_ptr<Device> device(new Device);
  device->label_ = options.device.substr(0, options.device.find(','));
  TRY_ASSIGN(device->virtual_device_,
             sim::make_device(std::string_view(options.device).substr(kSimPrefix.size())));
  auto transport = std::make_unique<transport::VirtualTransport>(
      device->virtual_device_->usb(), device->virtual_device_->clock() == sim::ClockChoice::Real
                                          ? transport::Clock::Real
                                          : transport::Clock::Virtual);
  TRY(transport->open(kAttachTimeout));
  device->transport_ = std::move(transport);
  return device;
}

transport::Observer Device::observer(Output& output) {
  return {.on_progress =
              [&output, this](const Progress& progress) {
                output.progress(progress, transport_->now());
                return interrupt_count() >= 1;
              },
          .stop_at_once = [] { return interrupt_count() >= 2; }};
}

Result<void> Device::save() {
  if (virtual_device_) return virtual_device_->save();
  return {};
}

}  // namespace sureflash::cli
