#pragma once

#include <functional>
#include <string_view>

#include "sureflash/transport/trace/trace.hpp"
#include "sureflash/transport/transport.hpp"

namespace sureflash::transport::trace {

/// A trace that is being written, step by step.
class Log {
 public:
  /// Takes whole lines; called for the header at once.
  using Sink = std::function<void(std::string_view)>;

  /// `device` names it, in a comment.
  Log(Sink sink, Firmware firmware, std::string_view device = {});
  /// Writes it down, unless it is Progress.
  void add(const Step& step, const Answer& answer);

 private:
  Sink sink_;
  Firmware firmware_;
};

/// Carries out steps by another transport and writes each down once it is over.
class Recorder final : public Transport {
 public:
  /// `inner` must outlive this.
  Recorder(Transport& inner, Log log) : inner_(&inner), log_(std::move(log)) {}

  Answer perform(const Step& step) override;
  Duration now() const override { return inner_->now(); }

 private:
  Transport* inner_;
  Log log_;
};

/// The job, with each of its steps written down once it is over, whatever driver carries it out.
template <class T>
Task<T> recorded(Task<T> job, Log log) {
  Process<T> process(std::move(job));
  while (const Step* asked = process.next()) {
    const Answer answer = co_await step(*asked);
    log.add(*asked, answer);
    process.answer(answer);
  }
  Result<T> result = std::move(process).result();
  co_return co_await std::move(result);
}

/// Answers as a trace says, if it is asked what the trace says. Time is that of the trace. A step
/// that differs, one after the end, or one whose answer was left out of the trace fails:
/// Io::Failed, and so does all that follows.
class Replay final : public Transport {
 public:
  explicit Replay(Trace trace) : trace_(std::move(trace)) {}

  Answer perform(const Step& step) override;
  Duration now() const override { return now_; }

  /// Where the session left the trace: "line 12: …"; empty while it has not.
  const std::string& deviation() const { return deviation_; }
  bool at_end() const { return next_ == trace_.entries.size(); }

 private:
  Answer deviate(std::string what);

  Trace trace_;
  std::size_t next_ = 0;
  Duration now_{};
  std::string deviation_;
};

}  // namespace sureflash::transport::trace
