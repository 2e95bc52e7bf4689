#include "cause.hpp"

namespace sureflash::update {
namespace {

std::optional<Finding> look(const Evidence& e) {
  if (!e.failed_with(Errc::DeviceBusy)) return std::nullopt;
  Finding f;
  f.certainty = Certainty::Certain;
  f.headline = "another program or driver holds the device";
  f.evidence.push_back(message(*e.error));
  f.what_to_do = {"close STM32CubeProgrammer, a browser page or another updater that uses it",
                  "a virtual machine may have taken it: give it back to this system",
                  "or unplug and plug the device"};
  return f;
}

}  // namespace

extern const Cause kDeviceInUse;
const Cause kDeviceInUse{"device-in-use", "recovery/device-in-use.md", look};

}  // namespace sureflash::update
