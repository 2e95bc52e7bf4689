#include "cause.hpp"

namespace sureflash::update {
namespace {

std::optional<Finding> look(const Evidence& e) {
  if (e.target == nullptr || e.error != nullptr || e.samples.first.empty() ||
      e.samples.second.empty() || !is_blank(*e.target, e.samples.first) ||
      !is_blank(*e.target, e.samples.second)) {
    return std::nullopt;
  }
  Finding f;
  f.severity = Severity::Note;
  f.certainty = Certainty::Likely;
  f.headline = "there is no program in flash";
  f.evidence.push_back(hex(e.samples.first_at->begin) + " and " + hex(e.samples.second_at->begin) +
                       " are blank");
  f.what_to_do = {"program one: `sureflash program FILE`"};
  return f;
}

}  // namespace

extern const Cause kNoProgram;
const Cause kNoProgram{"no-program", "recovery/no-program.md", look};

}  // namespace sureflash::update
