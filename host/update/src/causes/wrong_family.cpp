#include "cause.hpp"

namespace sureflash::update {
namespace {

std::optional<Finding> look(const Evidence& e) {
  if (!e.failed_with(Errc::WrongFamily)) return std::nullopt;
  Finding f;
  f.certainty = Certainty::Likely;
  f.headline = "the file was built for another family of chips";
  f.evidence.push_back(e.error->detail);
  f.what_to_do = {
      "take the file that was built for this chip",
      "if it really is for this chip, its maker gave it the wrong UF2 family: convert it with "
      "`sureflash image convert` to a .hex, which names none"};
  return f;
}

}  // namespace

extern const Cause kWrongFamily;
const Cause kWrongFamily{"wrong-family", "recovery/image-does-not-fit.md", look};

}  // namespace sureflash::update
