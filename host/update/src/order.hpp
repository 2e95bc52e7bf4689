#pragma once

#include <algorithm>

#include "sureflash/update/plan.hpp"

/// Which sectors are erased and written, and in which order.
namespace sureflash::update {

inline bool contains(std::span<const AddressRange> sectors, const AddressRange& sector) {
  return std::ranges::find(sectors, sector) != sectors.end();
}

/// Takes out of `plan.erase` what the survey makes needless; `plan.kept` is what stays. Where a
/// sector may have been interrupted in the middle of an operation, its looks are not trusted: see
/// the table in README.md.
void leave_out(Plan& plan, AddressRange guard, const PlanOptions& options);

/// The sector that is erased first and completed last, by writing `commit`: until then anybody can
/// see that the update is not finished. That of the vector table; where that may be entry code, the
/// first other one, if there is any.
struct Guard {
  AddressRange sector;
  AddressRange commit;
};
/// Precondition: plan.erase is every sector that the image touches.
Guard find_guard(const Target& target, const Plan& plan);

/// Fills in what is written, and puts erasing and writing in the order of the way back.
void lay_out(const Target& target, const Guard& guard, Plan& plan);

/// Says what an interruption leaves behind (plan.entry).
void describe_interruption(const Target& target, const stm32::MemoryMap& map, Plan& plan);

}  // namespace sureflash::update
