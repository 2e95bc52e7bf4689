// What a device answers, from the first descriptor to the last GETSTATUS, to identify, plan,
// program and diagnose. Nothing may crash, loop without end, or be called proven without having
// been read back.
//
// Input: for each step one byte (below 224: done; else how it failed) and, for data from the
// device, its length (16 bits) and the bytes. session_corpus.cpp writes such a file from a session
// with a virtual device.

#include <algorithm>

#include "fuzz.hpp"
#include "session_image.hpp"

#include "sureflash/update/dfu_mode.hpp"
#include "sureflash/update/diagnose.hpp"

namespace {

using namespace sureflash;

constexpr int kStepsMax = 20'000;

/// Answers steps from the input; when it ends, the device is gone.
class Answers {
 public:
  explicit Answers(ByteView bytes) : bytes_(bytes) {}

  Answer to(const Step& step) {
    time_ += 1ms;
    Answer answer{.io = next_io(), .time = time_};
    if (const auto* t = std::get_if<ControlTransfer>(&step); t != nullptr && answer.io == Io::Ok) {
      answer.actual = t->setup.is_in() ? fill(t->in) : t->out.size();
    }
    if (const auto* w = std::get_if<Wait>(&step)) time_ += w->duration;
    return answer;
  }

 private:
  std::uint8_t next() {
    if (bytes_.empty()) return 0xFF;
    const std::uint8_t b = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return b;
  }
  Io next_io() {
    if (bytes_.empty()) return Io::Disconnected;
    const std::uint8_t b = next();
    return b < 224 ? Io::Ok : static_cast<Io>(b % 9);
  }
  std::size_t fill(ByteSpan in) {
    // A length, then the bytes: short answers are as likely as whole ones.
    const std::size_t wanted = next() | static_cast<std::size_t>(next()) << 8;
    const std::size_t size = std::min({in.size(), wanted, bytes_.size()});
    std::copy_n(bytes_.begin(), size, in.begin());
    bytes_ = bytes_.subspan(size);
    return size;
  }

  ByteView bytes_;
  Duration time_{};
};

template <class T>
Result<T> drive(Task<T> task, Answers& answers, int& steps) {
  Process<T> process(std::move(task));
  while (const Step* step = process.next()) {
    fuzz::require(++steps < kStepsMax, "a session ends");
    process.answer(answers.to(*step));
  }
  return std::move(process).result();
}

void session(ByteView bytes) {
  static const image::Image kImage = fuzz::session_image();
  Answers answers(bytes);
  int steps = 0;
  (void)drive(update::enter_dfu_mode(1s), answers, steps);
  auto target = drive(update::identify(), answers, steps);
  if (!target) return;
  update::Observations seen;
  auto plan = update::make_plan(*target, kImage);
  if (!plan) {
    (void)drive(update::diagnose(*target, plan.error(), seen), answers, steps);
    return;
  }
  auto outcome = drive(update::program(*target, *plan, seen), answers, steps);
  if (outcome) {
    fuzz::require(!outcome->proven || outcome->bytes_verified >= kImage.size(),
                  "what is proven was read back");
  } else {
    (void)drive(update::diagnose(*target, outcome.error(), seen), answers, steps);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  session({data, size});
  return 0;
}
