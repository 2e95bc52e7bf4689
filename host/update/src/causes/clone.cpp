#include "cause.hpp"

namespace sureflash::update {
namespace {

constexpr std::uint16_t kGigaDevice = 0x28E9;
constexpr std::uint16_t kArtery = 0x2E3C;

std::optional<Finding> look(const Evidence& e) {
  if (e.target == nullptr) return std::nullopt;
  const auto& device = e.target->descriptors.device;
  Finding f;
  std::string maker;
  if (device.idVendor == kGigaDevice) {
    maker = "GD32 by GigaDevice";
    f.evidence.emplace_back("its USB vendor is 28e9, GigaDevice");
  } else if (device.idVendor == kArtery) {
    maker = "AT32 by Artery";
    f.evidence.emplace_back("its USB vendor is 2e3c, Artery");
  }
  if (maker.empty()) return std::nullopt;
  f.certainty = Certainty::Certain;
  f.severity = Severity::Note;
  f.headline = "this is no STM32 but a " + maker;
  f.evidence.push_back("its memory layout says \"" + std::string(layout_text(*e.target)) + '"');
  f.evidence.emplace_back("the layouts and poll times of these parts are known to be wrong");
  f.what_to_do = {
      "compare the memory size with the part number before you program: the layout may claim more",
      "times are longer than with an STM32: these parts announce about 100 ms for every block"};
  return f;
}

}  // namespace

extern const Cause kClone;
const Cause kClone{"clone", "recovery/clone.md", look};

}  // namespace sureflash::update
