#include "cause.hpp"

namespace sureflash::update {
namespace {

std::optional<Finding> look(const Evidence& e) {
  if (e.target == nullptr || e.target->read_protection_signs.empty()) return std::nullopt;
  const bool sure = e.target->is_read_protected();
  Finding f;
  f.certainty = sure ? Certainty::Certain : Certainty::Possible;
  f.headline = sure ? "the chip is read-protected (RDP level 1)"
                    : "the chip may be read-protected: one sign of two";
  f.evidence = e.target->read_protection_signs;
  f.what_to_do = {
      "if the firmware on it must not be lost: stop here, nothing can be read or changed",
      "removing the protection wipes the whole flash; the F105 then starts the empty flash and is "
      "gone from the bus until it is powered up with BOOT0 high"};
  return f;
}

}  // namespace

extern const Cause kReadProtection;
const Cause kReadProtection{"read-protection", "recovery/read-protection.md", look};

}  // namespace sureflash::update
