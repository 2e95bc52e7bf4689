#pragma once

#include <functional>
#include <string_view>

#include "sureflash/transport/trace/trace.hpp"
#include "sureflash/transport/transport.hpp"

namespace sureflash::transport::trace {

/// Carries out steps by another transport and writes each down once it is over.
class Recorder final : public Transport {
 public:
  /// Takes whole lines; called for the header at once.
  using Sink = std::function<void(std::string_view)>;

  /// `inner` must outlive this. `device` names it, in a comment.
  Recorder(Transport& inner, Sink sink, Firmware firmware, std::string_view device = {});

  Answer perform(const Step& step) override;
  Duration now() const override { return inner_->now(); }

 private:
  Transport* inner_;
  Sink sink_;
  Firmware firmware_;
};

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
