#include "cause.hpp"

namespace sureflash::update {
namespace {

std::string_view after_erase(ReadBack seen) {
  switch (seen) {
    case ReadBack::Unchanged:
      return "; read back, nothing had changed";
    case ReadBack::Blank:
      return "; read back, it is blank";
    case ReadBack::Refused:
      return "; it cannot be read back";
    case ReadBack::Other:
      return "; read back, it is not blank";
    case ReadBack::NotTried:
    case ReadBack::Expected:
      return "";
  }
  return "";
}

std::string_view after_write(ReadBack seen) {
  switch (seen) {
    case ReadBack::Expected:
      return "; read back, it is what was written";
    case ReadBack::Refused:
      return "; it cannot be read back";
    case ReadBack::NotTried:
      return "";
    case ReadBack::Unchanged:
    case ReadBack::Blank:
    case ReadBack::Other:
      return "; read back, it is not there";
  }
  return "";
}

}  // namespace

std::vector<std::string> trial_in_words(const Evidence& evidence) {
  std::vector<std::string> words;
  const Observations& seen = evidence.seen;
  if (seen.erase && seen.erased) {
    words.push_back("the erase of " + text(*seen.erased) + " was answered OK after " +
                    text(seen.erase->took) + std::string(after_erase(seen.after_erase)));
  }
  if (seen.write && seen.written) {
    words.push_back("the write of " + text(*seen.written) + " was answered OK after " +
                    text(seen.write->took) + std::string(after_write(seen.after_write)));
  }
  return words;
}

std::vector<std::string> impossible_speed_in_words(const Evidence& evidence) {
  std::vector<std::string> words;
  const Observations& seen = evidence.seen;
  if (evidence.target == nullptr || !seen.erase || !seen.write || !seen.written) return words;
  const stm32::Chip* known = evidence.target->chip;
  const stm32::Chip& chip = known != nullptr ? *known : *stm32::find_chip("stm32f105");
  const Duration floor =
      chip.sector_erase.min +
      chip.program.min * static_cast<Duration::rep>(seen.written->size() / chip.program_unit);
  const Duration took = seen.erase->took + seen.write->took;
  if (took >= floor) return words;
  words.push_back("erasing and writing took " + text(took) + " together; the flash of " +
                  (known != nullptr ? "this chip" : "an " + std::string(chip.title)) +
                  " needs at least " + text(floor));
  if (seen.erase->announced == Duration::zero() && seen.write->announced == Duration::zero()) {
    words.emplace_back("the device asks for no time to work: every bwPollTimeout is 0 ms");
  }
  return words;
}

}  // namespace sureflash::update
