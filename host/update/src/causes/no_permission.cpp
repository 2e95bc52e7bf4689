#include "cause.hpp"

namespace sureflash::update {
namespace {

std::optional<Finding> look(const Evidence& e) {
  if (!e.failed_with(Errc::PermissionDenied)) return std::nullopt;
  Finding f;
  f.certainty = Certainty::Certain;
  f.headline = "the device is there, but this user may not open it";
  f.evidence.push_back(message(*e.error));
  f.what_to_do = {"`sureflash setup` shows and installs the udev rule that gives the right (Linux)",
                  "or run the command as root, once, to see whether that is all"};
  return f;
}

}  // namespace

extern const Cause kNoPermission;
const Cause kNoPermission{"no-permission", "recovery/no-permission.md", look};

}  // namespace sureflash::update
