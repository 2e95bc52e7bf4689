#include "cause.hpp"

namespace sureflash::update {
namespace {

/// ROMs that cannot follow packets 25 µs apart, as some high-speed hosts send them. Source: AN2606,
/// known limitations; the marks stand in the notes of the table.
bool is_affected(const stm32::Chip* chip) {
  return chip != nullptr && chip->notes.find("short-interpacket-gap") != std::string_view::npos;
}

bool is_of_the_wire(Errc code) {
  return code == Errc::TimedOut || code == Errc::TransferFailed || code == Errc::Stalled ||
         code == Errc::ResponseTooShort;
}

std::optional<Finding> look(const Evidence& e) {
  if (e.target == nullptr || e.error == nullptr || !is_of_the_wire(e.error->code) ||
      e.target->loader != Loader::Rom) {
    return std::nullopt;
  }
  std::string chips;
  if (is_affected(e.target->chip)) chips = e.target->chip->title;
  for (const stm32::Chip* c : e.target->candidates) {
    if (!is_affected(c) || c == e.target->chip) continue;
    chips += (chips.empty() ? "" : " or ") + std::string(c->title);
  }
  if (chips.empty()) return std::nullopt;
  Finding f;
  f.certainty = Certainty::Possible;
  f.headline = "the ROM may be too slow for this USB host: try a hub in between";
  f.evidence.push_back(message(*e.error));
  f.evidence.push_back("short requests were answered; this is the ROM of " + chips +
                       ", which loses packets that follow each other closely");
  f.what_to_do = {"put a USB 2 hub between computer and board, or use another port or computer",
                  "if that does not help: another cable"};
  return f;
}

}  // namespace

extern const Cause kHostGap;
const Cause kHostGap{"host-gap", "recovery/host-gap.md", look};

}  // namespace sureflash::update
