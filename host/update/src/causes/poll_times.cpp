#include "cause.hpp"

namespace sureflash::update {
namespace {

constexpr Duration kWorthMentioning = 5ms;

std::optional<Finding> look(const Evidence& e) {
  if (!e.seen.erase || e.error != nullptr) return std::nullopt;
  const stm32::CommandReport& erase = *e.seen.erase;
  const bool too_short = erase.announced < erase.took / 2 && erase.took > kWorthMentioning;
  if (!too_short) return std::nullopt;
  Finding f;
  f.severity = Severity::Note;
  f.certainty = Certainty::Certain;
  f.headline = "the device announces shorter times than it needs";
  f.evidence.push_back("for an erase it asked for " + text(erase.announced) + " and took " +
                       text(erase.took));
  f.what_to_do = {
      "sureflash waits until the device answers; a tool with a short time-out may give up",
      "mend the poll times in the firmware of the device, if it is yours (MEM_If_GetStatus)"};
  return f;
}

}  // namespace

extern const Cause kPollTimes;
const Cause kPollTimes{"poll-times", "recovery/poll-times.md", look};

}  // namespace sureflash::update
