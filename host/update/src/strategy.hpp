#pragma once

#include "sureflash/update/plan.hpp"

/// How long ways of programming take, and which are allowed.
namespace sureflash::update {

/// Typical data sheet times and the speed of the bus. Not known: the chip, or one of its times.
Estimate estimate(const Target& target, const stm32::MemoryMap& map, const Plan& plan,
                  std::uint16_t block_size);

/// The runs of `plan.write` as the blocks that go over the wire.
std::vector<AddressRange> blocks_of(std::span<const AddressRange> runs, std::uint16_t block_size);

/// Fills in `block_size`: as much as a transfer may carry, in whole write units. Error: Misaligned.
Result<void> choose_block_size(const Target& target, Plan& plan);
/// Fills in `set_addresses` and `block_alternatives` of a plan that is otherwise complete.
void weigh_block_size(const Target& target, const stm32::MemoryMap& map, Plan& plan);

/// Empty: a mass erase is allowed. `nothing_is_lost`: the whole flash is covered, or the user
/// allows it.
std::string reason_against_mass_erase(const Target& target, const Area& area, bool nothing_is_lost);

/// Whether the supply may be stated to this device. Error: Unsupported. Source: AN2606, 4.4.
Result<void> check_width(const Target& target, stm32::ProgramWidth width);

/// The area of the Device Feature word; nullptr: none.
const Area* device_feature(const Target& target);
inline constexpr std::uint32_t kDeviceFeatureAddress = 0xFFFF0000;

/// What a full-speed control transfer costs beside its data, and each byte of it: about.
inline constexpr Duration kTransferOverhead = 200us;
inline constexpr Duration kPerByte = 1us;
/// The same at the speed at which this ROM enumerates. High speed: USB 2.0, table 5-2.
Duration per_byte(const Target& target);

}  // namespace sureflash::update
