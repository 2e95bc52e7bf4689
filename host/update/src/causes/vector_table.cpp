#include "cause.hpp"

namespace sureflash::update {
namespace {

std::optional<Finding> look(const Evidence& e) {
  if (!e.failed_with(Errc::VectorTableImplausible) || e.error->stage != Stage::Plan) {
    return std::nullopt;
  }
  Finding f;
  f.certainty = Certainty::Likely;
  f.headline = "the file does not begin like a program for this chip";
  f.evidence.push_back(e.error->detail);
  f.what_to_do = {
      "is it the right file, and complete? A .bin without its first section looks like this",
      "is it for another chip? The stack pointer must lie in this chip's RAM",
      "if it is plain data, say so with --data"};
  return f;
}

}  // namespace

extern const Cause kVectorTable;
const Cause kVectorTable{"vector-table", "recovery/image-does-not-fit.md", look};

}  // namespace sureflash::update
