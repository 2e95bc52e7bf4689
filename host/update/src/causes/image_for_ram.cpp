#include "cause.hpp"

namespace sureflash::update {
namespace {

std::optional<Finding> look(const Evidence& e) {
  const bool refused = e.failed_with(Errc::NotForThisDevice) || e.failed_with(Errc::OutsideMemory);
  if (!refused || e.target == nullptr || e.target->chip == nullptr || !e.error->where.range ||
      !e.error->where.range->overlaps(e.target->chip->ram)) {
    return std::nullopt;
  }
  Finding f;
  f.certainty = Certainty::Certain;
  f.headline = "the image holds data for RAM, which is no firmware to be kept";
  f.evidence.push_back("a segment goes to " + text(*e.error->where.range) + "; the RAM is " +
                       text(e.target->chip->ram));
  f.what_to_do = {
      "look at the linker script: initialised data needs a place in flash (`AT> FLASH`)",
      "`sureflash image info` shows the segments"};
  return f;
}

}  // namespace

extern const Cause kImageForRam;
const Cause kImageForRam{"image-for-ram", "recovery/image-does-not-fit.md", look};

}  // namespace sureflash::update
