#include "exti.hpp"

#include <array>

namespace sureflash::sim {
namespace {

constexpr std::uint32_t kImr = 0x00, kEmr = 0x04, kRtsr = 0x08, kFtsr = 0x0C, kSwier = 0x10,
                        kPr = 0x14;
constexpr std::uint32_t kLines = 0x000FFFFF;

/// Which lines share an interrupt. Source: RM0008, table 61 (connectivity line).
struct Group {
  unsigned irq;
  std::uint32_t lines;
};
constexpr auto kGroups = std::to_array<Group>({{6, 1U << 0},
                                               {7, 1U << 1},
                                               {8, 1U << 2},
                                               {9, 1U << 3},
                                               {10, 1U << 4},
                                               {23, 0x1FU << 5},
                                               {40, 0x3FU << 10},
                                               {1, 1U << 16},
                                               {41, 1U << 17},
                                               {42, 1U << 18},
                                               {62, 1U << 19}});

}  // namespace

std::uint32_t Afio::peek(std::uint32_t offset) const {
  if (offset == 0x00) return s_.evcr;
  // SWJ_CFG is write-only (9.4.2).
  if (offset == 0x04) return s_.mapr & 0xF8FFFFFF;
  if (offset >= 0x08 && offset <= 0x14) return s_.exticr[(offset - 8) / 4];
  return offset == 0x1C ? s_.mapr2 : 0;
}

void Afio::write(std::uint32_t offset, std::uint32_t value) {
  if (offset == 0x00) s_.evcr = value & 0xFF;
  if (offset == 0x04) s_.mapr = value;
  if (offset >= 0x08 && offset <= 0x14) s_.exticr[(offset - 8) / 4] = value & 0xFFFF;
  if (offset == 0x1C) s_.mapr2 = value;
}

void Exti::reset() {
  s_ = {.levels = s_.levels};
  update();
}

std::uint32_t Exti::peek(std::uint32_t offset) const {
  switch (offset) {
    case kImr:
      return s_.imr;
    case kEmr:
      return s_.emr;
    case kRtsr:
      return s_.rtsr;
    case kFtsr:
      return s_.ftsr;
    case kSwier:
      return s_.swier;
    case kPr:
      return s_.pr;
    default:
      return 0;
  }
}

void Exti::write(std::uint32_t offset, std::uint32_t value) {
  value &= kLines;
  switch (offset) {
    case kImr:
      s_.imr = value;
      break;
    case kEmr:
      s_.emr = value;
      break;
    case kRtsr:
      s_.rtsr = value;
      break;
    case kFtsr:
      s_.ftsr = value;
      break;
    case kSwier:  // 0 to 1 pends; clearing PR clears it, too (10.3.5)
      s_.pr |= value & ~s_.swier & (s_.imr | s_.emr);
      s_.swier |= value;
      break;
    case kPr:
      s_.pr &= ~value;
      s_.swier &= ~value;
      break;
    default:
      return;
  }
  update();
}

void Exti::set_line(unsigned line, bool high) {
  const std::uint32_t mask = 1U << line;
  if (((s_.levels & mask) != 0) == high) return;
  s_.levels ^= mask;
  if ((high ? s_.rtsr & mask : s_.ftsr & mask) == 0) return;
  // An edge on a masked line is not remembered (10.2.5, figure 21).
  s_.pr |= mask & (s_.imr | s_.emr);
  update();
}

void Exti::update() {
  for (const Group& group : kGroups) {
    chip_.set_irq(group.irq, (s_.pr & s_.imr & group.lines) != 0);
  }
}

}  // namespace sureflash::sim
