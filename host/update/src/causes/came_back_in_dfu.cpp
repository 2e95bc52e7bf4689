#include "cause.hpp"

namespace sureflash::update {
namespace {

std::optional<Finding> look(const Evidence& e) {
  if (!e.failed_with(Errc::CameBackInDfu) || e.target == nullptr) return std::nullopt;
  Finding f;
  f.certainty = Certainty::Possible;
  f.headline = "the program was started, but the device came back in DFU mode";
  f.evidence.push_back(e.error->detail + " it was there again, and in DFU mode");
  f.evidence.emplace_back("its vector table was plausible, or it would not have been started");
  if (e.target->loader == Loader::CubeMiddleware) {
    f.certainty = Certainty::Likely;
    f.headline += ": the program is that DFU firmware itself";
    f.evidence.emplace_back("it carries the strings of ST's USB middleware, as before");
    f.what_to_do = {
        "look for the condition by which this firmware starts its application: a button, a "
        "jumper, a mark in memory"};
    return f;
  }
  if (e.target->options && e.target->options->hardware_watchdog()) {
    f.certainty = Certainty::Likely;
    f.headline += ": its watchdog starts with the chip, and BOOT0 is high";
    f.evidence.emplace_back(
        "the option bit WDG_SW is 0: a program that does not feed the watchdog is reset");
  }
  f.what_to_do = {
      "BOOT0 low, then off and on again: while BOOT0 is high every reset ends in the ROM",
      "a program that jumps to the ROM when VBUS is there goes straight back: let it do so only "
      "after "
      "a reset from outside (examples/vbus-dfu)",
      "a program that faults is reset: it must set VTOR, and clear what the ROM left in the "
      "interrupt "
      "controller, before it enables interrupts"};
  return f;
}

}  // namespace

extern const Cause kCameBackInDfu;
const Cause kCameBackInDfu{"came-back-in-dfu", "recovery/came-back-in-dfu.md", look};

}  // namespace sureflash::update
