#include "cause.hpp"

namespace sureflash::update {
namespace {

std::optional<Finding> look(const Evidence& e) {
  if (e.target == nullptr || e.target->descriptors.dfu.mode != dfu::Mode::RunTime) {
    return std::nullopt;
  }
  const bool failed = e.error != nullptr;
  Finding f;
  f.certainty = Certainty::Certain;
  f.severity = failed ? Severity::Problem : Severity::Note;
  f.headline = "the application is running; the device is not in DFU mode";
  f.evidence.emplace_back("its DFU interface has protocol 1, run-time");
  if (failed) f.evidence.push_back(message(*e.error));
  f.what_to_do = {"`program` and the other commands tell it to enter DFU mode (DFU_DETACH)",
                  "if it comes back as application: BOOT0 high at reset, or its own way in"};
  return f;
}

}  // namespace

extern const Cause kRunTimeMode;
const Cause kRunTimeMode{"run-time-mode", "recovery/run-time-mode.md", look};

}  // namespace sureflash::update
