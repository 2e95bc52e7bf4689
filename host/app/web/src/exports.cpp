// The C interface of sureflash.wasm. JavaScript calls `_initialize` once, then
//
//     session = sureflash_identify(…)                  one of the jobs in jobs.cpp
//     while step = sureflash_next(session): …          a StepRecord: carry it out
//       sureflash_answer(session, io, actual, …)
//     sureflash_result(session)                        a TextRecord
//     sureflash_end(session)

#include <algorithm>
#include <cstdlib>

#include "json.hpp"
#include "session.hpp"

namespace sureflash::web {
namespace {

std::uint32_t address_of(const void* memory) {
  return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(memory));
}

/// Rounded up: a wait may be longer, never shorter.
std::uint32_t to_milliseconds(Duration duration) {
  return static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::milliseconds>(duration).count());
}

struct Recorder {
  StepRecord operator()(const ControlTransfer& t) const {
    StepRecord r;
    r.kind = t.setup.is_in() ? StepKind::ControlIn : StepKind::ControlOut;
    r.bmRequestType = t.setup.bmRequestType;
    r.bRequest = t.setup.bRequest;
    r.wValue = t.setup.wValue;
    r.wIndex = t.setup.wIndex;
    r.data_address = t.setup.is_in() ? address_of(t.in.data()) : address_of(t.out.data());
    r.data_length = static_cast<std::uint32_t>(t.setup.is_in() ? t.in.size() : t.out.size());
    r.milliseconds = to_milliseconds(t.timeout);
    return r;
  }
  StepRecord operator()(const Wait& wait) const {
    StepRecord r;
    r.kind = StepKind::Wait;
    r.milliseconds = to_milliseconds(wait.duration);
    return r;
  }
  StepRecord operator()(const SelectAltSetting& select) const {
    StepRecord r;
    r.kind = StepKind::SelectAltSetting;
    r.interface_number = select.interface_number;
    r.alt_setting = select.alt_setting;
    return r;
  }
  StepRecord operator()(const BusReset&) const {
    StepRecord r;
    r.kind = StepKind::BusReset;
    return r;
  }
  StepRecord operator()(const AwaitReturn& await) const {
    StepRecord r;
    r.kind = StepKind::AwaitReturn;
    r.milliseconds = to_milliseconds(await.timeout);
    return r;
  }
  StepRecord operator()(const Progress& progress) const {
    StepRecord r;
    r.kind = StepKind::Progress;
    r.activity = static_cast<std::uint32_t>(progress.activity);
    r.done_bytes = static_cast<std::uint32_t>(progress.done);
    r.total_bytes = static_cast<std::uint32_t>(progress.total);
    r.address_begin = static_cast<std::uint32_t>(progress.at.begin);
    return r;
  }
};

/// What JavaScript says is foreign data: an unknown number is a failure.
Io io_from(std::uint32_t number) {
  return number <= static_cast<std::uint32_t>(Io::Failed) ? static_cast<Io>(number) : Io::Failed;
}

}  // namespace

StepRecord record(const Step& step) {
  return std::visit(Recorder{}, step);
}

std::string to_json(const Error& error) {
  Json json;
  json.object().key("error").object();
  json.key("code").number(static_cast<std::uint16_t>(error.code));
  json.key("name").text(name(error.code));
  json.key("stage").text(name(error.stage));
  json.key("message").text(message(error));
  json.end().end();
  return std::move(json).take();
}

extern "C" {

/// Memory for what JavaScript hands in; traps when there is none.
[[clang::export_name("sureflash_allocate")]] void* sureflash_allocate(std::uint32_t size) {
  return operator new(size);
}
[[clang::export_name("sureflash_release")]] void sureflash_release(void* memory) {
  operator delete(memory);
}

[[clang::export_name("sureflash_next")]] const StepRecord* sureflash_next(Session* session) {
  return &session->next();
}

/// @param io       number of an Io
/// @param actual   bytes moved; what is more than the step asked for is cut
/// @param time_ms  since the session began
/// @param stop     not 0, in answer to Progress: stop at the next safe point
[[clang::export_name("sureflash_answer")]] void sureflash_answer(Session* session, std::uint32_t io,
                                                                 std::uint32_t actual,
                                                                 double time_ms,
                                                                 std::uint32_t stop) {
  Answer answer;
  answer.io = io_from(io);
  answer.actual = std::min(actual, session->next().data_length);
  answer.time = Duration(static_cast<Duration::rep>(time_ms * 1e6));
  answer.stop_requested = stop != 0;
  session->answer(answer);
}

[[clang::export_name("sureflash_result")]] const TextRecord* sureflash_result(Session* session) {
  return &session->result();
}

/// Ends a session at any time; what it waits for is forgotten.
[[clang::export_name("sureflash_end")]] void sureflash_end(Session* session) {
  delete session;
}

}  // extern "C"

}  // namespace sureflash::web
