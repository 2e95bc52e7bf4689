#include "cause.hpp"

namespace sureflash::update {
namespace {

std::optional<Finding> look(const Evidence& e) {
  if (e.target == nullptr || e.target->clone_maker().empty()) return std::nullopt;
  const Target& target = *e.target;
  const std::string maker(target.clone_maker());
  const bool gd32 = maker == "GigaDevice";
  Finding f;
  f.certainty = Certainty::Certain;
  f.severity = Severity::Note;
  f.headline = "this is no STM32 but " + std::string(gd32 ? "a GD32 by " : "an AT32 by ") + maker;
  f.evidence.push_back("its USB vendor is " + std::string(gd32 ? "28e9" : "2e3c") + ", " + maker);
  f.evidence.push_back("its memory layout says \"" + std::string(layout_text(target)) + '"');
  const Area* flash = target.flash();
  const bool corrected = flash != nullptr && !flash->corrected.empty();
  if (corrected) f.evidence.push_back(flash->corrected);
  f.evidence.emplace_back("the layouts and poll times of these parts are known to be wrong");
  f.what_to_do = {corrected ? "nothing: the corrected layout is used"
                            : "compare the memory size with the part number before you program: "
                              "the layout may claim more"};
  f.what_to_do.emplace_back(gd32 ? "times are longer than with an STM32: these parts announce "
                                   "about 100 ms for every block"
                                 : "after `unprotect read` the part stays where it is");
  return f;
}

}  // namespace

extern const Cause kClone;
const Cause kClone{"clone", "recovery/clone.md", look};

}  // namespace sureflash::update
