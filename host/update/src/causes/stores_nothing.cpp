#include "cause.hpp"

namespace sureflash::update {
namespace {

std::optional<Finding> look(const Evidence& e) {
  if (e.target == nullptr || !e.failed_with(Errc::DataNotStored)) return std::nullopt;
  if (template_marks(*e.target).size() >= 2) return std::nullopt;  // cubemx-skeleton
  Finding f;
  const auto speed = impossible_speed_in_words(e);
  f.certainty = speed.empty() ? Certainty::Likely : Certainty::Certain;
  f.headline = "the firmware behind this device has no working flash code: what it is sent is lost";
  f.evidence = trial_in_words(e);
  f.evidence.insert(f.evidence.end(), speed.begin(), speed.end());
  f.what_to_do = {"use the chip's ROM bootloader instead: BOOT0 high at reset",
                  "if this is a ROM bootloader: look for write protection with `sureflash info`"};
  return f;
}

}  // namespace

extern const Cause kStoresNothing;
const Cause kStoresNothing{"stores-nothing", "recovery/stores-nothing.md", look};

}  // namespace sureflash::update
