#pragma once

#include <memory>
#include <string>

#include "options.hpp"
#include "sim_device.hpp"
#include "trace_file.hpp"

#include "sureflash/transport/transport.hpp"
#include "sureflash/update/target.hpp"

namespace sureflash::cli {

/// A device that is open, and what is known of it.
class Device {
 public:
  /// `--device`: "sim:PROFILE[,key=value…]", "board:FIRMWARE[,key=value…]", or a USB device (see
  /// open_usb); the only DFU device there is without it. Errors: DeviceSpec, NoDevice,
  /// SeveralDevices, PermissionDenied, DeviceBusy, and for --trace FileUnwritable.
  static Result<std::unique_ptr<Device>> open(const Options& options);
  ~Device();

  /// For people: "sim:stm32f105", "usb 1-2".
  const std::string& label() const { return label_; }
  transport::Transport& transport() { return recorder_ ? *recorder_ : *transport_; }

  /// Runs a job with progress on `output`; Ctrl-C is obeyed.
  template <class T>
  Result<T> run(Task<T> job, Output& output) {
    auto result = transport::run(transport(), std::move(job), observer(output));
    output.end_progress();
    if (auto error = trace_ ? trace_->take_error() : std::nullopt) output.warning(message(*error));
    if (sim_device_) {
      for (const std::string& note : sim_device_->take_notes()) output.note(note);
    }
    return result;
  }

  /// The session so far as a trace, if --bundle asked for one; without bytes of the firmware unless
  /// --trace-firmware.
  const std::string& recorded() const { return recorded_; }

  /// Keeps the chip of a virtual device in its file. Errors: FileUnwritable.
  Result<void> save();

 private:
  Device() = default;
  Result<void> open_virtual(const Options& options);
  Result<void> open_real(const Options& options);
  Result<void> record(const Options& options);
  transport::Observer observer(Output& output);

  std::string label_;
  std::unique_ptr<SimDevice> sim_device_;
  std::unique_ptr<transport::Transport> transport_;
  std::shared_ptr<TraceFile> trace_;
  std::string recorded_;
  std::unique_ptr<transport::Transport> recorder_;
};

}  // namespace sureflash::cli
