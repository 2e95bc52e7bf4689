#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "options.hpp"

#include "sureflash/transport/trace/recorder.hpp"

namespace sureflash::cli {

/// Whether the bytes of the firmware are in a trace.
transport::trace::Firmware trace_firmware(const Options& options);

/// A trace that is being written. A failure (full disk) does not end the job; it is kept.
class TraceFile {
 public:
  TraceFile(std::string path, std::FILE* file) : path_(std::move(path)), file_(file, std::fclose) {}

  /// A whole line at once: what was said before a crash is what one wants to see. Nothing more
  /// after a failure.
  void write(std::string_view line);
  /// The failure, told once: FileUnwritable.
  std::optional<Error> take_error() { return std::exchange(error_, std::nullopt); }

 private:
  std::string path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  bool failed_ = false;
  std::optional<Error> error_;
};

/// The file of --trace for one device; one that is there is overwritten. Errors: FileUnwritable.
Result<std::shared_ptr<TraceFile>> create_trace(const std::string& path);

/// The file for the unit at this port, one of many: for "run.trace" the first of "run-1-2.trace",
/// "run-1-2_2.trace", … that is not there yet. Errors: FileUnwritable.
Result<std::shared_ptr<TraceFile>> create_unit_trace(const std::string& path,
                                                     const std::string& port);

}  // namespace sureflash::cli
