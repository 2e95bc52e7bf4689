#include "cause.hpp"

namespace sureflash::update {
namespace {

std::optional<Finding> look(const Evidence& e) {
  if (!e.start_answer) return std::nullopt;
  Finding f;
  f.certainty = Certainty::Certain;
  f.severity = Severity::Note;
  f.headline = "the device answered the start with an error that is none: it started";
  f.evidence.push_back("the answer was: " + message(*e.start_answer));
  f.evidence.emplace_back("after it the device was gone, which is what a start looks like");
  f.what_to_do = {"nothing: the ROM leaves before it has answered, or answers wrongly",
                  "dfu-util prints an error here; it means as little"};
  return f;
}

}  // namespace

extern const Cause kStartAnswer;
const Cause kStartAnswer{"start-answer", "recovery/start-answer.md", look};

}  // namespace sureflash::update
