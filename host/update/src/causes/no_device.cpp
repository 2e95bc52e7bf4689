#include "cause.hpp"

namespace sureflash::update {
namespace {

constexpr std::size_t kLinesShown = 6;

/// Every attempt gets a device number of its own: "device not accepting address 10".
std::size_t attempts(std::span<const std::string> log) {
  return static_cast<std::size_t>(std::ranges::count_if(log, [](const std::string& line) {
    return line.find("USB device number") != std::string::npos;
  }));
}

/// Nothing pulls the USB lines up.
Finding silent(const Evidence& e) {
  Finding f;
  f.certainty = Certainty::Possible;
  f.headline = "no DFU device is on the bus";
  f.evidence = {
      e.around.kernel_log.empty()
          ? "the kernel log may not be read by this user"
          : "the kernel log shows no failed attempt either: nothing pulls the USB lines up"};
  f.what_to_do = {
      "is the cable one with data lines, and the board powered?",
      "is it in the bootloader? BOOT0 high and BOOT1 low at reset",
      "an F105 needs 5 V at PA9, or its bootloader does not switch USB on; a pin that floats or "
      "talks (PA10, PD6, PB5) makes it choose another interface"};
  return f;
}

/// It is there and is not understood: its 48 MHz are wrong. The F105 ROM tries 25, 14.7456 and 8
/// MHz, two rounds, then resets the chip. Source: AN2606, 22, table 229.
Finding fails(std::span<const std::string> failures, std::span<const std::string> log) {
  constexpr std::size_t kTriesOfTheRom = 6;
  Finding f;
  f.certainty = Certainty::Likely;
  f.headline = "a device is there but fails to enumerate: its clock may be wrong";
  const std::size_t skip = failures.size() > kLinesShown ? failures.size() - kLinesShown : 0;
  f.evidence.assign(failures.begin() + static_cast<std::ptrdiff_t>(skip), failures.end());
  if (attempts(log) >= kTriesOfTheRom) {
    f.evidence.push_back("it tried " + decimal(attempts(log)) +
                         " times: an F105 ROM gives up after 6 and resets the chip");
    f.what_to_do = {"the crystal must be 25, 14.7456 or 8 MHz: the F105 ROM knows no other"};
  } else {
    f.what_to_do = {
        "wait 20 s: with a crystal of 8 MHz the F105 ROM tries two other frequencies first",
        "is the crystal 25, 14.7456 or 8 MHz? The F105 ROM knows no other"};
  }
  f.what_to_do.emplace_back("try another cable, another port, a hub in between");
  return f;
}

std::optional<Finding> look(const Evidence& e) {
  if (!e.failed_with(Errc::NoDevice)) return std::nullopt;
  const auto failures = enumeration_failures(e.around.kernel_log);
  return failures.empty() ? silent(e) : fails(failures, e.around.kernel_log);
}

}  // namespace

extern const Cause kNoDevice;
const Cause kNoDevice{"no-device", "recovery/no-device.md", look};

}  // namespace sureflash::update
