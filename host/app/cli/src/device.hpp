#pragma once

#include <memory>
#include <string>

#include "options.hpp"

#include "sureflash/sim/model/profiles.hpp"
#include "sureflash/transport/transport.hpp"
#include "sureflash/update/target.hpp"

namespace sureflash::cli {

/// A device that is open, and what is known of it.
class Device {
 public:
  /// `--device`: "sim:PROFILE[,key=value…]". Errors: DeviceSpec, NoDevice and what opening gives.
  static Result<std::unique_ptr<Device>> open(const Options& options);
  ~Device();

  /// As given, for people: "sim:stm32f105".
  const std::string& label() const { return label_; }
  transport::Transport& transport() { return *transport_; }

  /// Runs a job with progress on `output`; Ctrl-C is obeyed.
  template <class T>
  Result<T> run(Task<T> job, Output& output) {
    auto result = transport::run(*transport_, std::move(job), observer(output));
    output.end_progress();
    return result;
  }

  /// Keeps the chip of a virtual device in its file. Errors: FileUnwritable.
  Result<void> save();

 private:
  Device() = default;
  transport::Observer observer(Output& output);

  std::string label_;
  std::unique_ptr<sim::VirtualDevice> virtual_device_;
  std::unique_ptr<transport::Transport> transport_;
};

}  // namespace sureflash::cli
