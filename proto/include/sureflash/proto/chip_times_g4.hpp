#pragma once

#include "sureflash/proto/chip_data.hpp"

namespace sureflash::proto {

/// G4, L4, L5 and WB share their flash.
inline constexpr FlashTimeData kTimesG4{
    .sector = {{{.usual = {0, 22020, 24470}}}},
    .mass_us = {0, 22020, 24470},
    .program_ns = {0, 81700, 90800},
    .confidence =
        "erase secondary (ST training slides, zephyr); program max and mass erase unconfirmed"};

}  // namespace sureflash::proto
