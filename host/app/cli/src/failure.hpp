#pragma once

#include "device.hpp"
#include "exit_code.hpp"
#include "output.hpp"

#include "sureflash/update/program.hpp"

namespace sureflash::cli {

/// Says what went wrong and returns the exit code.
int report(Output& output, const Error& error);

/// Likewise, after looking for the cause on the device.
int report(Output& output, Device& device, const update::Target& target, const Error& error,
           const update::Observations& seen);

/// A device and what was found out about it.
struct Opened {
  std::unique_ptr<Device> device;
  update::Target target;
};
enum class Mode : std::uint8_t {
  AsItIs,  ///< only look
  Dfu,     ///< an application that runs is told to enter DFU mode
};

/// Opens the device and identifies it. Says what went wrong itself: nullopt, with the exit code
/// set. `found`: what the device answered first, before it was brought to dfuIDLE.
std::optional<Opened> open_target(const Options& options, Output& output, int& exit,
                                  Mode mode = Mode::Dfu,
                                  std::optional<proto::StatusReply>* found = nullptr);

}  // namespace sureflash::cli
