#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sureflash::sim {

/// Which enable register of RCC has the clock of a block.
enum class Gate : std::uint8_t { Always, Ahb, Apb2, Apb1 };

/// One block of registers of the STM32F105. Source: RM0008, 3.3, table 3.
struct Block {
  std::string_view name;
  std::uint32_t base = 0;
  std::uint32_t size = 0x400;
  Gate gate = Gate::Always;
  std::uint8_t gate_bit = 0;
  /// Names of the registers from offset 0 on, separated by blanks; "-": none there.
  std::string_view registers;
};

std::span<const Block> blocks();
/// The block at `address`, or nullptr.
const Block* find_block(std::uint32_t address);
const Block& block(std::string_view name);
/// "I2C1_CR1", or the address where no register is.
std::string register_name(std::uint32_t address);
/// Reserved places behind the APB bridges read 0: the bridges know no errors. Elsewhere on the AHB
/// nobody answers.
bool behind_apb_bridge(std::uint32_t address);

}  // namespace sureflash::sim
