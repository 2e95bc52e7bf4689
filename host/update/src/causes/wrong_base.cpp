#include "cause.hpp"

namespace sureflash::update {
namespace {

std::optional<Finding> look(const Evidence& e) {
  if (!e.failed_with(Errc::WrongBase)) return std::nullopt;
  Finding f;
  f.certainty = Certainty::Likely;
  f.headline = "the image is linked for another address than the one it would be written to";
  f.evidence.push_back(e.error->detail);
  if (e.error->where.range) f.evidence.push_back("it would go to " + text(*e.error->where.range));
  f.what_to_do = {"give the address it is linked for with --base",
                  "or link it for the address it goes to (FLASH ORIGIN in the linker script)"};
  return f;
}

}  // namespace

extern const Cause kWrongBase;
const Cause kWrongBase{"wrong-base", "recovery/image-does-not-fit.md", look};

}  // namespace sureflash::update
