#include "cause.hpp"

namespace sureflash::update {
namespace {

/// Sectors of the table, or of its other bank configuration; a layout may be longer or shorter.
bool agrees(const stm32::Chip& chip, const stm32::MemoryMap& map) {
  const auto matches = [&](const proto::SectorLayout& layout) {
    return std::ranges::any_of(layout, [&](const proto::SectorGroup& group) {
      return group.count != 0 && group.size == map.runs().front().sector_size;
    });
  };
  return matches(chip.layout) || matches(chip.layout_other);
}

/// What happens when sectors are not where the layout has them.
bool may_be_the_consequence(const Error& error) {
  return error.code == Errc::EraseHadNoEffect || error.code == Errc::VerifyMismatch ||
         error.code == Errc::EraseTooWide || error.code == Errc::DataNotStored;
}

std::optional<Finding> look(const Evidence& e) {
  if (e.error != nullptr && !may_be_the_consequence(*e.error)) return std::nullopt;
  if (e.target == nullptr || e.target->loader != Loader::Rom || e.target->chip == nullptr ||
      e.target->chip_source == ChipSource::OnlyFit) {
    return std::nullopt;
  }
  const Area* flash = e.target->flash();
  if (flash == nullptr || flash->assumed || flash->map.runs().empty() ||
      agrees(*e.target->chip, flash->map)) {
    return std::nullopt;
  }
  Finding f;
  f.certainty = Certainty::Certain;
  f.headline = "the device states a memory layout that its chip cannot have";
  f.evidence.push_back("its layout says \"" + std::string(layout_text(*e.target)) + '"');
  f.evidence.push_back("a " + std::string(e.target->chip->title) + " has sectors of " +
                       text_size(e.target->chip->layout[0].size) + ", not of " +
                       text_size(flash->map.runs().front().sector_size));
  f.what_to_do = {
      "an erase may take away more, or less, than the layout says; sureflash reads "
      "everything back, so that this shows",
      "mend the layout in the firmware of the device, if it is yours"};
  return f;
}

}  // namespace

extern const Cause kLayoutWrong;
const Cause kLayoutWrong{"layout-wrong", "recovery/layout-missing.md", look};

}  // namespace sureflash::update
