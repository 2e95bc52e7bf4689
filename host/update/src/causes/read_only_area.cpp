#include "cause.hpp"

namespace sureflash::update {
namespace {

std::optional<Finding> look(const Evidence& e) {
  if (!e.failed_with(Errc::NotWritable) && !e.failed_with(Errc::NotErasable)) return std::nullopt;
  if (!e.error->where.range) return std::nullopt;
  Finding f;
  f.certainty = Certainty::Certain;
  f.headline = "the image reaches into memory that the device declares read-only";
  f.evidence.push_back("the image needs " + text(*e.error->where.range));
  const Area* flash = e.target != nullptr ? e.target->flash() : nullptr;
  if (flash != nullptr) {
    for (const stm32::SectorRun& run : flash->map.runs()) {
      if (run.access.erasable && run.access.writable) continue;
      f.evidence.push_back("its layout declares " + text(run.range) + " read-only");
    }
  }
  f.what_to_do = {
      "link the program behind the read-only part; the device keeps its own loader there",
      "if the layout is wrong (CubeMX writes the same one for every chip), mend it in the "
      "firmware"};
  return f;
}

}  // namespace

extern const Cause kReadOnlyArea;
const Cause kReadOnlyArea{"read-only-area", "recovery/read-only-area.md", look};

}  // namespace sureflash::update
