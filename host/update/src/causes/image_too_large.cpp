#include "cause.hpp"

namespace sureflash::update {
namespace {

std::optional<Finding> look(const Evidence& e) {
  if (!e.failed_with(Errc::OutsideMemory) ||
      (e.error->stage != Stage::Plan && e.error->stage != Stage::Verify) || e.target == nullptr ||
      e.target->flash() == nullptr || !e.error->where.range) {
    return std::nullopt;
  }
  const stm32::Chip* chip = e.target->chip;
  const AddressRange place = *e.error->where.range;
  if (chip != nullptr && (place.overlaps(chip->ram) || place.overlaps(chip->option_bytes))) {
    return std::nullopt;  // image-for-ram, image-with-option-bytes
  }
  const AddressRange flash = e.target->flash()->map.bounds();
  Finding f;
  f.certainty = Certainty::Certain;
  f.headline = flash.contains(AddressRange::sized(place.begin, 1))
                   ? "the image is larger than the flash of this chip"
                   : "the image is for a chip whose memory is at other addresses";
  f.evidence.push_back("the image needs " + text(place));
  f.evidence.push_back("the device says its flash is " + text(flash));
  if (!e.target->flash()->corrected.empty()) f.evidence.push_back(e.target->flash()->corrected);
  f.what_to_do = {"take the file that was built for this chip",
                  "`sureflash image info` shows where its segments go"};
  return f;
}

}  // namespace

extern const Cause kImageTooLarge;
const Cause kImageTooLarge{"image-too-large", "recovery/image-does-not-fit.md", look};

}  // namespace sureflash::update
