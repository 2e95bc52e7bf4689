#include "cause.hpp"

namespace sureflash::update {
namespace {

std::optional<Finding> look(const Evidence& e) {
  const bool refused = e.failed_with(Errc::NotForThisDevice) || e.failed_with(Errc::OutsideMemory);
  if (!refused || e.target == nullptr || e.target->chip == nullptr || !e.error->where.range ||
      !e.error->where.range->overlaps(e.target->chip->option_bytes)) {
    return std::nullopt;
  }
  Finding f;
  f.certainty = Certainty::Certain;
  f.headline = "the image holds option bytes, which sureflash does not program with an image";
  f.evidence.push_back("a segment goes to " + text(*e.error->where.range) +
                       "; the option bytes are " + text(e.target->chip->option_bytes));
  f.what_to_do = {
      "leave them out of the file (objcopy --remove-section, or the section in the linker script)",
      "`sureflash image info` shows the segments"};
  return f;
}

}  // namespace

extern const Cause kImageWithOptionBytes;
const Cause kImageWithOptionBytes{"image-with-option-bytes", "recovery/image-does-not-fit.md",
                                  look};

}  // namespace sureflash::update
