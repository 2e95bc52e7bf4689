#pragma once

#include <functional>

#include "sureflash/base/task.hpp"

/// Drivers: they carry out the steps that the core asks for.
namespace sureflash::transport {

/// An open device that carries out steps one at a time, blocking.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Carries out one step. Never throws, never waits longer than the step says. Progress steps are
  /// not the transport's business: `run` answers them.
  virtual Answer perform(const Step& step) = 0;
  /// Time since the session began: virtual or monotonic.
  virtual Duration now() const = 0;
};

/// What the user of a job wants while it runs.
struct Observer {
  /// Called for each Progress step; returns true to stop at the next safe point.
  std::function<bool(const Progress&)> on_progress = [](const Progress&) { return false; };
  /// Polled before each step; true ends the job with Errc::Interrupted without another transfer.
  std::function<bool()> stop_at_once = [] { return false; };
};

/// Runs a job to its end on one device.
template <class T>
Result<T> run(Transport& transport, Task<T> task, const Observer& observer = {}) {
  Process<T> process(std::move(task));
  while (const Step* s = process.next()) {
    if (observer.stop_at_once()) {
      process.answer({.io = Io::Stopped, .time = transport.now()});
    } else if (const auto* progress = std::get_if<Progress>(s)) {
      const bool stop = observer.on_progress(*progress);
      process.answer({.time = transport.now(), .stop_requested = stop});
    } else {
      process.answer(transport.perform(*s));
    }
  }
  return std::move(process).result();
}

}  // namespace sureflash::transport
