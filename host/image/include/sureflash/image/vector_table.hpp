#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "sureflash/image/image.hpp"

namespace sureflash::image {

/// The two words a Cortex-M starts from. Source: ARMv7-M Architecture Reference Manual, B1.5.3.
struct VectorTable {
  std::uint32_t address = 0;
  /// Initial value of the main stack pointer. The stack grows down, so one past the end of RAM is
  /// usual.
  std::uint32_t sp = 0;
  /// Reset vector; bit 0 set says Thumb and is not part of the address.
  std::uint32_t reset = 0;

  friend bool operator==(const VectorTable&, const VectorTable&) = default;
};

/// What speaks for a vector table; a false member is something to tell a person.
struct VectorTableCheck {
  bool sp_in_ram = false;
  bool sp_aligned = false;
  bool reset_is_thumb = false;
  bool reset_in_image = false;

  bool plausible() const { return sp_in_ram && sp_aligned && reset_is_thumb && reset_in_image; }
  friend bool operator==(const VectorTableCheck&, const VectorTableCheck&) = default;
};

/// nullopt: the image does not hold the 8 bytes at `address`.
std::optional<VectorTable> read_vector_table(const Image& image, std::uint32_t address);

/// @param[in] ram  RAM of the chip; sp may be anywhere above the start of a range, up to its end.
VectorTableCheck check_vector_table(const VectorTable& table, const Image& image,
                                    std::span<const AddressRange> ram);

/// RAM of any STM32: the SRAM region of the architecture (ARMv7-M, B3.1), and the core-coupled
/// memory some parts have at 0x10000000. For a known chip give its own ranges instead.
inline constexpr AddressRange kAnyRam[] = {{0x2000'0000, 0x4000'0000}, {0x1000'0000, 0x1002'0000}};

}  // namespace sureflash::image
