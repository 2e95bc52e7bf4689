#include "cause.hpp"

namespace sureflash::update {
namespace {

/// More than this is not a matter of single cells.
constexpr std::uint64_t kFewBytes = 64;

std::optional<Finding> look(const Evidence& e) {
  const bool verified = e.failed_with(Errc::VerifyMismatch) && e.error->stage == Stage::Verify;
  const bool wrote = e.seen.write.has_value();
  if (!verified || !wrote || e.seen.differences.empty()) return std::nullopt;
  const std::uint64_t bytes = total_size(e.seen.differences);
  if (bytes > kFewBytes) return std::nullopt;
  Finding f;
  f.certainty = Certainty::Possible;
  f.headline = "a few bytes of the flash do not keep what is written: it may be worn";
  for (const AddressRange& d : e.seen.differences) {
    f.evidence.push_back(text(d) + " holds something else than was written");
  }
  f.evidence.push_back("everything around it is right, " + decimal(bytes) + " bytes are not");
  f.what_to_do = {
      "run the same command again; if the same bytes differ, the flash is worn (an STM32F1 "
      "is specified for 10,000 erase cycles): replace the chip",
      "if other bytes differ each time, look at the supply voltage and the cable"};
  return f;
}

}  // namespace

extern const Cause kWornFlash;
const Cause kWornFlash{"worn-flash", "recovery/worn-flash.md", look};

}  // namespace sureflash::update
