#include "cause.hpp"

namespace sureflash::update {
namespace {

std::optional<Finding> look(const Evidence& e) {
  if (!e.failed_with(Errc::SeveralDevices)) return std::nullopt;
  Finding f;
  f.certainty = Certainty::Certain;
  f.headline = "several devices are there, and it is not said which one is meant";
  if (!e.error->detail.empty()) f.evidence.push_back(e.error->detail);
  f.evidence.insert(f.evidence.end(), e.around.devices.begin(), e.around.devices.end());
  f.what_to_do = {
      "name one by its port, which never changes: --device 1-2.4; `sureflash list` shows them",
      "a serial number does not help where all say the same (\"STM32\", \"FFFFFFFEFFFF\")"};
  return f;
}

}  // namespace

extern const Cause kSeveralDevices;
const Cause kSeveralDevices{"several-devices", "recovery/several-devices.md", look};

}  // namespace sureflash::update
