#include <array>

#include "cause.hpp"

namespace sureflash::update {
namespace {

struct RomVersion {
  std::string_view name;
  std::uint16_t bcd_device;
  std::uint32_t reset_vector;
  std::array<std::string_view, 2> limits;
};
/// Source: AN2606, tables 47 and 48. V2.2 has no known limit; V1.0 has no known reset vector.
constexpr std::array<RomVersion, 3> kVersions{{
    {"V1.0",
     0x1000,
     0,
     {"with PA10, PD6, PB5, PA11 or PA12 low or open it chooses a wrong interface: in 64-pin "
      "packages, "
      "where PD6 is low inside, it cannot be used",
      "chips with a date code from 937 on have a later one"}},
    {"V2.0",
     0x2000,
     0x1FFFE945,
     {"PA9 is driven low as USART output while VBUS is there: up to 25 mA flow; put a resistor in",
      "it announces longer poll times than it needs: programming takes longer than with V2.2"}},
    {"V2.1",
     0x2100,
     0x1FFFE9A1,
     {"it announces longer poll times than it needs: programming takes longer than with V2.2", ""}},
}};

std::optional<Finding> look(const Evidence& e) {
  if (e.target == nullptr || e.target->loader != Loader::Rom || e.target->chip == nullptr ||
      e.target->chip->name != "stm32f105" || e.error != nullptr) {
    return std::nullopt;
  }
  const auto version =
      std::ranges::find(kVersions, e.target->descriptors.device.bcdDevice, &RomVersion::bcd_device);
  if (version == kVersions.end()) return std::nullopt;
  Finding f;
  f.severity = Severity::Note;
  const bool agreed = e.rom_reset_vector == version->reset_vector;
  f.certainty = agreed ? Certainty::Certain : Certainty::Likely;
  f.headline = "the ROM bootloader is " + std::string(version->name) + ", which has known limits";
  f.evidence.push_back("bcdDevice is " + hex(version->bcd_device, 4));
  if (version->reset_vector == 0) {
    f.certainty = Certainty::Possible;
    f.evidence.emplace_back("that V1.0 says so is not confirmed by any document");
  }
  if (agreed) f.evidence.push_back("its reset vector is " + hex(version->reset_vector));
  for (const std::string_view limit : version->limits) {
    if (!limit.empty()) f.what_to_do.emplace_back(limit);
  }
  return f;
}

}  // namespace

extern const Cause kRomVersion;
const Cause kRomVersion{"rom-version", "recovery/rom-version.md", look};

}  // namespace sureflash::update
