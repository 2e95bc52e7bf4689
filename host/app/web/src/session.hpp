#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "sureflash/base/task.hpp"

/// One job of the core, with its type taken away, and the layout in which JavaScript reads its
/// steps.
namespace sureflash::web {

enum class StepKind : std::uint32_t {
  Done = 0,
  Failed = 1,
  ControlOut = 2,
  ControlIn = 3,
  Wait = 4,
  SelectAltSetting = 5,
  BusReset = 6,
  AwaitReturn = 7,
  Progress = 8,
};

/// A Step as 32-bit words, little-endian, as core.mjs reads it. What a kind has no use for is 0.
struct StepRecord {
  StepKind kind = StepKind::Done;
  std::uint32_t bmRequestType = 0;
  std::uint32_t bRequest = 0;
  std::uint32_t wValue = 0;
  std::uint32_t wIndex = 0;
  std::uint32_t data_address =
      0;  ///< ControlOut: bytes to send. ControlIn: where to put what comes
  std::uint32_t data_length = 0;
  std::uint32_t milliseconds = 0;  ///< time limit, or how long to wait; rounded up
  std::uint32_t interface_number = 0;
  std::uint32_t alt_setting = 0;
  std::uint32_t activity = 0;       ///< Progress::Activity
  std::uint32_t done_bytes = 0;     ///< Progress; the address space has 32 bits, so the number fits
  std::uint32_t total_bytes = 0;    ///< Progress
  std::uint32_t address_begin = 0;  ///< Progress: what is worked on
};
static_assert(sizeof(StepRecord) == 14 * 4);

/// A text for JavaScript, UTF-8.
struct TextRecord {
  std::uint32_t address = 0;
  std::uint32_t length = 0;
};

StepRecord record(const Step& step);

/// A job that JavaScript drives to its end. `result` is JSON, of the value or of the error.
class Session {
 public:
  virtual ~Session() = default;

  /// What to do now; the same until it is answered.
  const StepRecord& next() {
    const Step* step = next_step();
    if (step != nullptr) {
      record_ = record(*step);
    } else {
      record_ = {};
      record_.kind = finish() ? StepKind::Done : StepKind::Failed;
    }
    return record_;
  }
  /// Precondition: the last `next` was neither Done nor Failed.
  virtual void answer(const Answer& answer) = 0;
  /// Precondition: the last `next` was Done or Failed.
  const TextRecord& result() {
    text_.address = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(json_.data()));
    text_.length = static_cast<std::uint32_t>(json_.size());
    return text_;
  }

 protected:
  virtual const Step* next_step() = 0;
  /// Fills json_; false: the job ended by an error.
  virtual bool finish() = 0;

  std::string json_;

 private:
  StepRecord record_;
  TextRecord text_;
};

/// {"error":{"code":204,"name":"response-too-short","stage":"identify","message":"…"}}
std::string to_json(const Error& error);

/// `render` makes the JSON of the job's value.
template <class T, class Render>
class JobSession final : public Session {
 public:
  JobSession(Task<T> task, Render render) : process_(std::move(task)), render_(std::move(render)) {}

  void answer(const Answer& answer) override { process_.answer(answer); }

 protected:
  const Step* next_step() override { return process_.next(); }
  bool finish() override {
    if (!json_.empty()) return ok_;
    Result<T> result = std::move(process_).result();
    ok_ = result.has_value();
    json_ = ok_ ? render_(*result) : to_json(result.error());
    return ok_;
  }

 private:
  Process<T> process_;
  Render render_;
  bool ok_ = false;
};

}  // namespace sureflash::web
