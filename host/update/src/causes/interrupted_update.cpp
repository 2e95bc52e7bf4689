#include "cause.hpp"

namespace sureflash::update {
namespace {

/// Initial stack pointer and reset vector.
constexpr std::size_t kVectors = 8;

std::optional<Finding> look(const Evidence& e) {
  // After a failure the cause is another: this explains why the unit is in its bootloader.
  if (e.target == nullptr || e.error != nullptr || e.target->loader != Loader::Rom ||
      e.samples.first.empty() || e.samples.second.empty()) {
    return std::nullopt;
  }
  const bool start_is_blank = is_blank(*e.target, ByteView(e.samples.first).first(kVectors));
  if (!start_is_blank) return std::nullopt;
  if (is_blank(*e.target, e.samples.first) && is_blank(*e.target, e.samples.second))
    return std::nullopt;  // no-program
  Finding f;
  f.certainty = Certainty::Likely;
  f.headline = "an update was interrupted: the program in flash is not complete";
  f.evidence.push_back("the reset vector at " + hex(e.samples.first_at->begin) +
                       " is blank: it is written last, so that half a program never starts");
  f.evidence.push_back("what lies behind it is not blank");
  f.what_to_do = {"run the same `sureflash program` command again: it finishes the job"};
  return f;
}

}  // namespace

extern const Cause kInterruptedUpdate;
const Cause kInterruptedUpdate{"interrupted-update", "recovery/interrupted-update.md", look};

}  // namespace sureflash::update
