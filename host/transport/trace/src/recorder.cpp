#include "sureflash/transport/trace/recorder.hpp"

#include <algorithm>

#include "sureflash/base/text.hpp"

namespace sureflash::transport::trace {
namespace {

/// Whether the trace says that this was asked: time limits may have changed since.
bool same_question(const Entry& recorded, const Entry& asked) {
  const bool waits = recorded.kind == Kind::Wait && recorded.limit != asked.limit;
  return recorded.kind == asked.kind && !waits && recorded.setup == asked.setup &&
         recorded.selection.interface_number == asked.selection.interface_number &&
         recorded.selection.alt_setting == asked.selection.alt_setting &&
         recorded.out.crc32 == asked.out.crc32;
}

std::string question(const Entry& entry) {
  const std::string line = format(entry);
  const std::size_t begin = line.find(' ') + 1;
  return line.substr(begin, line.find(" ->") - begin);
}

}  // namespace

Log::Log(Sink sink, Firmware firmware, std::string_view device)
    : sink_(std::move(sink)), firmware_(firmware) {
  sink_(kHeader);
  if (device.empty()) return;
  std::string comment = "# " + std::string(device);
  std::replace(comment.begin(), comment.end(), '\n', ' ');
  sink_(comment + "\n");
}

void Log::add(const Step& step, const Answer& answer) {
  if (!std::holds_alternative<Progress>(step)) sink_(format(make_entry(step, answer, firmware_)));
}

Answer Recorder::perform(const Step& step) {
  const Answer answer = inner_->perform(step);
  log_.add(step, answer);
  return answer;
}

Answer Replay::deviate(std::string what) {
  deviation_ = std::move(what);
  return {.io = Io::Failed, .time = now_};
}

Answer Replay::perform(const Step& step) {
  if (!deviation_.empty()) return {.io = Io::Failed, .time = now_};
  const Entry asked = make_entry(step, {}, Firmware::Included);
  if (at_end()) return deviate("after the end of the trace: " + question(asked));
  const Entry& recorded = trace_.entries[next_];
  const std::string line = "line " + decimal(recorded.line) + ": ";
  if (!same_question(recorded, asked)) {
    return deviate(line + "recorded " + question(recorded) + ", asked " + question(asked));
  }
  if (const auto* transfer = std::get_if<ControlTransfer>(&step);
      transfer && transfer->setup.is_in()) {
    if (recorded.in.left_out && recorded.answer.actual != 0) {
      return deviate(line + "the bytes were left out of the trace");
    }
    const std::size_t size = std::min(recorded.in.bytes.size(), transfer->in.size());
    std::copy_n(recorded.in.bytes.begin(), size, transfer->in.begin());
  }
  ++next_;
  now_ = std::max(now_, recorded.answer.time);
  return recorded.answer;
}

}  // namespace sureflash::transport::trace
