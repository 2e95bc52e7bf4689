#include "cause.hpp"

namespace sureflash::update {
namespace {

std::optional<Finding> look(const Evidence& e) {
  if (!e.seen.erased_too_much) return std::nullopt;
  Finding f;
  f.certainty = Certainty::Certain;
  f.headline = "the device erases all of its application memory on every erase command";
  f.evidence.emplace_back("after one erase command, a sector that was not named was blank too");
  f.evidence.emplace_back("ST's DFU_Standalone example for the F107 does that");
  f.what_to_do = {"program the whole application in one go, as sureflash does",
                  "mend Flash_If_Erase in usbd_dfu_flash.c: it ignores the address"};
  return f;
}

}  // namespace

extern const Cause kErasesEverything;
const Cause kErasesEverything{"erases-everything", "recovery/erases-everything.md", look};

}  // namespace sureflash::update
