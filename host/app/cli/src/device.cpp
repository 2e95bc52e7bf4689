#include "device.hpp"

#include "files.hpp"
#include "interrupt.hpp"
#include "trace_file.hpp"
#include "usb.hpp"

#include "sureflash/transport/trace/recorder.hpp"
#include "sureflash/transport/virtual.hpp"

namespace sureflash::cli {
namespace {

/// An F105 with an 8 MHz crystal needs 13.7 s to find its clock (AN2606 table 229).
constexpr Duration kAttachTimeout = 20s;

}  // namespace

Device::~Device() = default;

Result<std::unique_ptr<Device>> Device::open(const Options& options) {
  std::unique_ptr<Device> device(new Device);
  TRY(is_sim_device(options.device) ? device->open_virtual(options) : device->open_real(options));
  TRY(device->record(options));
  return device;
}

Result<void> Device::open_virtual(const Options& options) {
  label_ = options.device.substr(0, options.device.find(','));
  TRY_ASSIGN(sim_device_, make_sim_device(options.device));
  auto transport = std::make_unique<transport::VirtualTransport>(
      sim_device_->usb(), sim_device_->clock() == sim::ClockChoice::Real
                              ? transport::Clock::Real
                              : transport::Clock::Virtual);
  TRY(transport->open(kAttachTimeout));
  transport_ = std::move(transport);
  return {};
}

Result<void> Device::open_real(const Options& options) {
  auto opened = open_usb(options.device);
  if (!opened) return fail(std::move(opened).error().in(Stage::Open));
  label_ = std::move(opened->label);
  transport_ = std::move(opened->transport);
  return {};
}

Result<void> Device::record(const Options& options) {
  if (options.trace_file.empty() && options.bundle.empty()) return {};
  if (!options.trace_file.empty()) {
    TRY_ASSIGN(trace_, create_trace(options.trace_file));
  }
  transport::trace::Log log(
      [this, keep = !options.bundle.empty()](std::string_view line) {
        if (keep) recorded_ += line;
        if (trace_) trace_->write(line);
      },
      trace_firmware(options), label_);
  recorder_ = std::make_unique<transport::trace::Recorder>(*transport_, std::move(log));
  return {};
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
  if (sim_device_) return sim_device_->save();
  return {};
}

}  // namespace sureflash::cli
