#pragma once

#include <gelf.h>

#include "sureflash/sim/firmware/elf.hpp"

/// What makes a file unfit for a chip, in the order in which a person would find out.
namespace sureflash::sim::firmware {

/// Whether the file is a linked ELF for a 32-bit little-endian ARM at all.
Result<void> check_header(ByteView file);
/// The core that the file was compiled for, by its build attributes; nothing to say without them.
/// Source: ARM IHI 0045 (Addenda to the ABI), 3.3.
Result<void> check_core(ByteView attributes);
/// Where the segments go. Precondition: sorted by address.
Result<void> check_segments(const std::vector<Segment>& segments, const ChipMemory& chip);
/// Stack pointer and reset vector at the start of flash (DDI 0403E, B1.5.3).
Result<void> check_vectors(const std::vector<Segment>& segments, const ChipMemory& chip);

/// The word at `address`, if a segment has it.
std::optional<std::uint32_t> word_at(const std::vector<Segment>& segments, std::uint32_t address);

}  // namespace sureflash::sim::firmware
