#include "backup.hpp"

namespace sureflash::sim {

void Pwr::write(std::uint32_t offset, std::uint32_t value) {
  constexpr std::uint32_t kCwuf = 1U << 2, kCsbf = 1U << 3, kEwup = 1U << 8;
  if (offset == 0) {
    if ((value & kCwuf) != 0) s_.csr &= ~1U;
    if ((value & kCsbf) != 0) s_.csr &= ~2U;
    s_.cr = value & 0x1F3;
  } else if (offset == 4) {
    s_.csr = (s_.csr & ~kEwup) | (value & kEwup);
  }
}

void Bkp::write(std::uint32_t offset, std::uint32_t value) {
  if (!pwr_.backup_writable()) {
    return chip_.misuse("a backup register is written while PWR_CR.DBP is 0 (RM0008, 5.4.1)");
  }
  if (offset >= 4 && offset / 4 < s_.words.size()) s_.words[offset / 4] = value & 0xFFFF;
}

}  // namespace sureflash::sim
