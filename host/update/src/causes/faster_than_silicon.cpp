#include "cause.hpp"

namespace sureflash::update {
namespace {

std::optional<Finding> look(const Evidence& e) {
  if (e.error != nullptr || e.target == nullptr || e.target->chip == nullptr) return std::nullopt;
  Finding f;
  f.evidence = impossible_speed_in_words(e);
  if (f.evidence.empty() || e.seen.after_write != ReadBack::Expected) return std::nullopt;
  f.severity = Severity::Note;
  f.certainty = Certainty::Certain;
  f.headline =
      "this device erases and writes faster than a " + std::string(e.target->chip->title) + " can";
  f.evidence.emplace_back("what was written was read back and is right");
  f.what_to_do = {
      "it is another chip than it says (a clone, a simulator), or its firmware keeps data in "
      "RAM until later: do not cut its power right after programming",
      "name the chip with --chip, if you know it"};
  return f;
}

}  // namespace

extern const Cause kFasterThanSilicon;
const Cause kFasterThanSilicon{"faster-than-silicon", "recovery/faster-than-silicon.md", look};

}  // namespace sureflash::update
