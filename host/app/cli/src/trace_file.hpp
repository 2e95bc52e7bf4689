#pragma once

#include <string>

#include "options.hpp"

#include "sureflash/transport/trace/recorder.hpp"

namespace sureflash::cli {

/// Whether the bytes of the firmware are in a trace.
transport::trace::Firmware trace_firmware(const Options& options);

/// The file of --trace for one device; one that is there is overwritten. Errors: FileUnwritable.
Result<transport::trace::Log::Sink> create_trace(const std::string& path);

/// The file for the unit at this port, one of many: for "run.trace" the first of "run-1-2.trace",
/// "run-1-2_2.trace", … that is not there yet. Errors: FileUnwritable.
Result<transport::trace::Log::Sink> create_unit_trace(const std::string& path,
                                                      const std::string& port);

}  // namespace sureflash::cli
