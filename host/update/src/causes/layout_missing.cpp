#include "cause.hpp"

namespace sureflash::update {
namespace {

std::optional<Finding> look(const Evidence& e) {
  if (e.target == nullptr || !e.target->descriptors.dfu.dfuse ||
      e.target->descriptors.dfu.mode == dfu::Mode::RunTime) {
    return std::nullopt;
  }
  const Area* flash = e.target->flash();
  if (flash != nullptr && !flash->assumed) return std::nullopt;
  if (e.error != nullptr && flash != nullptr) return std::nullopt;
  Finding f;
  f.certainty = Certainty::Certain;
  f.severity = flash == nullptr ? Severity::Problem : Severity::Note;
  f.headline = flash == nullptr ? "the device does not say what flash it has"
                                : "the device does not say what flash it has; the table of the " +
                                      std::string(e.target->chip->title) + " is used";
  f.evidence.push_back("the text of its alternate setting is \"" +
                       std::string(layout_text(*e.target)) +
                       "\"; a layout looks like \"@Internal Flash  /0x08000000/128*002Kg\"");
  f.what_to_do = {"say what chip it is: --chip stm32f105",
                  "state the layout in the firmware of the device (usbd_dfu_if.c: FLASH_DESC_STR)"};
  return f;
}

}  // namespace

extern const Cause kLayoutMissing;
const Cause kLayoutMissing{"layout-missing", "recovery/layout-missing.md", look};

}  // namespace sureflash::update
