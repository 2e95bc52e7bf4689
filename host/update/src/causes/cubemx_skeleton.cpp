#include "cause.hpp"

namespace sureflash::update {
namespace {

/// What CubeMX writes into usbd_dfu_if.c for every family (dfuse.md 2.11, no. 34): sectors of 16,
/// 64 and 128 KiB, two banks of an F42x.
constexpr std::string_view kTemplateLayout =
    "@Internal Flash   /0x08000000/"
    "03*016Ka,01*016Kg,01*064Kg,07*128Kg,04*016Kg,01*064Kg,07*128Kg";
constexpr std::string_view kOldTemplateLayout = "DFU MEDIA";
constexpr std::uint16_t kCubeTransferSize = 1024;
constexpr std::uint8_t kStateNobodySpecified = 15;

/// Why reading shows that the read function is empty; empty string: it does not.
std::string reads_nothing(const Target& target, const Samples& samples) {
  if (!samples.first.empty() && samples.first == samples.second &&
      !is_blank(target, samples.first)) {
    return "reading " + hex(samples.first_at->begin) + " and " + hex(samples.second_at->begin) +
           " gives the same " + decimal(samples.first.size()) + " bytes: the read code is empty";
  }
  if (samples.error && samples.error->device &&
      static_cast<std::uint8_t>(samples.error->device->bState) == kStateNobodySpecified) {
    return "a read is refused and leaves the device in state 15, which DFU does not have: ST's "
           "middleware does that when the read code returns nothing";
  }
  return {};
}

std::optional<Finding> look(const Evidence& e) {
  if (e.target == nullptr || e.seen.after_write == ReadBack::Expected) return std::nullopt;
  const std::vector<std::string> marks = template_marks(*e.target);
  if (marks.size() < 2) return std::nullopt;
  const std::string reading = reads_nothing(*e.target, e.samples);
  const bool failed_to_store =
      e.failed_with(Errc::DataNotStored) || e.failed_with(Errc::EraseHadNoEffect);
  if (!failed_to_store && reading.empty()) return std::nullopt;

  Finding f;
  const bool tried = e.seen.write.has_value();
  f.certainty =
      (tried && !reading.empty()) || marks.size() >= 3 ? Certainty::Certain : Certainty::Likely;
  f.headline = tried
                   ? "the device accepts data but does not store it; it looks like the CubeMX DFU "
                     "example without flash code"
                   : "this device looks like the CubeMX DFU example without flash code: it would "
                     "accept data but not store it";
  f.evidence = trial_in_words(e);
  for (std::string& words : impossible_speed_in_words(e)) f.evidence.push_back(std::move(words));
  if (!reading.empty()) f.evidence.push_back(reading);
  f.evidence.insert(f.evidence.end(), marks.begin(), marks.end());
  f.what_to_do = {
      "use the ROM bootloader instead: BOOT0 high (and BOOT1 low) at reset; every STM32F105 has it",
      "or let your application jump into the ROM bootloader when VBUS (PA9) is high at start: see "
      "examples/vbus-dfu",
      "or fill in usbd_dfu_if.c: unlock, erase, write and read flash, and state the real layout",
  };
  return f;
}

}  // namespace

std::vector<std::string> template_marks(const Target& target) {
  std::vector<std::string> marks;
  if (target.loader == Loader::CubeMiddleware) {
    marks.push_back("its product string is \"" + target.descriptors.product +
                    "\", as CubeMX sets it (a ROM bootloader says \"STM32  BOOTLOADER\")");
  }
  if (target.transfer_size() == kCubeTransferSize &&
      target.descriptors.dfu.alt_settings.size() == 1) {
    marks.emplace_back("it has one alternate setting and a transfer size of 1024, the template's");
  }
  if (layout_text(target) == kTemplateLayout) {
    marks.emplace_back(
        "its memory layout is the one that CubeMX writes for every chip (an F42x with two banks)");
  } else if (layout_text(target) == kOldTemplateLayout) {
    marks.emplace_back("its memory layout is \"DFU MEDIA\", the older template's: no sector table");
  }
  if (target.commands == Bytes{0x00, 0x21, 0x41}) {
    marks.emplace_back(
        "it lists the commands 00 21 41, as ST's middleware does (a ROM lists 92 too)");
  }
  return marks;
}

extern const Cause kCubemxSkeleton;
const Cause kCubemxSkeleton{"cubemx-skeleton", "recovery/cubemx-skeleton.md", look};

}  // namespace sureflash::update
