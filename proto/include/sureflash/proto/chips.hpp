#pragma once

#include "sureflash/proto/chips_c0_f3.hpp"
#include "sureflash/proto/chips_clones.hpp"
#include "sureflash/proto/chips_f2_f7.hpp"
#include "sureflash/proto/chips_g0_h7.hpp"
#include "sureflash/proto/chips_l0_wba.hpp"

namespace sureflash::proto {

namespace chips_detail {

template <std::size_t... kSizes>
constexpr auto joined(const ChipData (&... parts)[kSizes]) {
  std::array<ChipData, (kSizes + ...)> all{};
  std::size_t n = 0;
  const auto append = [&](const auto& part) {
    for (const ChipData& chip : part) all[n++] = chip;
  };
  (append(parts), ...);
  return all;
}

}  // namespace chips_detail

/// Every STM32 line whose ROM offers USB DFU, then the clones.
inline constexpr auto kChips =
    chips_detail::joined(kChipsC0ToF3, kChipsF2ToF7, kChipsG0ToH7, kChipsL0ToWba, kChipsClones);

}  // namespace sureflash::proto
