#include "cause.hpp"

namespace sureflash::update {
namespace {

bool touches_protected(const Evidence& e) {
  if (e.failed_with(Errc::WriteProtected)) return true;
  if (!e.failed_with(Errc::EraseHadNoEffect) && !e.failed_with(Errc::DataNotStored) &&
      !e.failed_with(Errc::VerifyMismatch)) {
    return false;
  }
  const auto& place = e.error->where.range;
  return place && std::ranges::any_of(e.target->write_protected, [&](const AddressRange& range) {
           return range.overlaps(*place);
         });
}

std::string sectors(const Target& target, AddressRange range) {
  const Area* flash = target.flash();
  const stm32::SectorRun* run = flash != nullptr ? flash->map.run_at(range.begin) : nullptr;
  if (run == nullptr) return {};
  const std::uint64_t first = (range.begin - run->range.begin) / run->sector_size;
  const std::uint64_t last = (range.end - 1 - run->range.begin) / run->sector_size;
  return " (sectors " + decimal(first) + " to " + decimal(last) + ")";
}

std::optional<Finding> look(const Evidence& e) {
  if (e.target == nullptr || !e.target->options || e.target->write_protected.empty()) {
    return std::nullopt;
  }
  // Protection elsewhere does not explain a failure here.
  if (e.error != nullptr && !touches_protected(e)) return std::nullopt;
  Finding f;
  f.certainty = Certainty::Certain;
  f.headline = "sectors are write-protected by the option bytes";
  for (const AddressRange& range : e.target->write_protected) {
    f.evidence.push_back(text(range) + sectors(*e.target, range) + " is protected");
  }
  f.evidence.push_back("WRP reads " + hex(e.target->options->wrp()) +
                       " at 0x1FFFF808; a 0 bit protects two pages");
  f.evidence.emplace_back(
      "the ROM would answer OK to an erase or a write there and change nothing");
  f.what_to_do = {"if the protection is wanted, link the program to other sectors",
                  "if not: `sureflash unprotect write`; it resets the chip, and says how to "
                  "restore the setting"};
  return f;
}

}  // namespace

extern const Cause kWriteProtection;
const Cause kWriteProtection{"write-protection", "recovery/write-protection.md", look};

}  // namespace sureflash::update
