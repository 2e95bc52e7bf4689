#include "cause.hpp"

namespace sureflash::update {
namespace {

std::optional<Finding> look(const Evidence& e) {
  if (e.target == nullptr || !e.target->options || e.target->options->complements_match()) {
    return std::nullopt;
  }
  Finding f;
  f.certainty = Certainty::Certain;
  f.headline = "option bytes do not match their complements: they were not written completely";
  for (const stm32::OptionByte& byte : e.target->options->bytes()) {
    if (byte.complement_matches) continue;
    f.evidence.push_back(std::string(byte.name) + " at " + hex(byte.address) + " is " +
                         hex(byte.value, 2) + ", and the byte after it is not its complement");
  }
  f.evidence.emplace_back("the chip takes such a byte for 0xFF at reset, whatever it says");
  f.what_to_do = {
      "write them again: `sureflash options set FIELD=VALUE` writes all of them, complements "
      "included; a power cut while they were being written is the usual cause",
      "do not reset the chip before that if RDP is among them: 0xFF there means read-protected"};
  return f;
}

}  // namespace

extern const Cause kOptionBytesDamaged;
const Cause kOptionBytesDamaged{"option-bytes-damaged", "recovery/option-bytes-damaged.md", look};

}  // namespace sureflash::update
