#include "cause.hpp"

namespace sureflash::update {
namespace {

constexpr std::size_t kLinesShown = 6;

std::optional<Finding> look(const Evidence& e) {
  if (!e.failed_with(Errc::NoDevice)) return std::nullopt;
  const auto failures = enumeration_failures(e.around.kernel_log);
  Finding f;
  f.certainty = failures.empty() ? Certainty::Possible : Certainty::Likely;
  if (failures.empty()) {
    f.headline = "no DFU device is on the bus";
    f.evidence = {"the kernel log shows no failed attempt either: nothing pulls the USB lines up"};
    f.what_to_do = {
        "is the cable one with data lines, and the board powered?",
        "is it in the bootloader? BOOT0 high and BOOT1 low at reset",
        "an F105 needs 5 V at PA9, or its bootloader does not switch USB on; a pin that floats or "
        "talks (PA10, PD6, PB5) makes it choose another interface"};
    if (e.around.kernel_log.empty()) f.evidence = {"the kernel log may not be read by this user"};
  } else {
    f.headline = "a device is there but fails to enumerate";
    const std::size_t skip = failures.size() > kLinesShown ? failures.size() - kLinesShown : 0;
    f.evidence.assign(failures.begin() + static_cast<std::ptrdiff_t>(skip), failures.end());
    f.what_to_do = {
        "wait 20 s: with a crystal of 8 MHz the F105 ROM tries two other frequencies first",
        "is the crystal 25, 14.7456 or 8 MHz? The F105 ROM knows no other",
        "try another cable, another port, a hub in between"};
  }
  return f;
}

}  // namespace

extern const Cause kNoDevice;
const Cause kNoDevice{"no-device", "recovery/no-device.md", look};

}  // namespace sureflash::update
