#pragma once

#include <algorithm>

#include "sureflash/base/text.hpp"
#include "sureflash/update/diagnose.hpp"

/// What several causes ask of the evidence.
namespace sureflash::update {

/// Layout string of the first alternate setting, as the device sent it.
inline std::string_view layout_text(const Target& target) {
  const auto& alts = target.descriptors.dfu.alt_settings;
  return alts.empty() ? std::string_view() : std::string_view(alts.front().text);
}

/// Erased flash reads 0x00 on L0 and L1, 0xFF elsewhere.
inline bool is_blank(const Target& target, ByteView bytes) {
  const std::uint8_t erased = target.chip != nullptr ? target.chip->erased_value : 0xFF;
  return std::ranges::all_of(bytes, [&](std::uint8_t b) { return b == erased; });
}

/// What was seen while erasing and writing, in words.
std::vector<std::string> trial_in_words(const Evidence& evidence);
/// The same for its time, if flash cannot be that fast; else empty.
std::vector<std::string> impossible_speed_in_words(const Evidence& evidence);
/// The marks of firmware that CubeMX made (dfuse.md 7.4).
std::vector<std::string> template_marks(const Target& target);

}  // namespace sureflash::update
