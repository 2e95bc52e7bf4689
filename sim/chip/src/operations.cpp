#include "sureflash/sim/chip/operations.hpp"

namespace sureflash::sim {
namespace {

bool is_cut(FlashFault kind) {
  return kind == FlashFault::CutBefore || kind == FlashFault::CutDuring ||
         kind == FlashFault::CutAfter || kind == FlashFault::CutLate;
}

bool concerns(FlashFault kind, FlashOperation operation) {
  if (is_cut(kind)) return true;
  return (kind == FlashFault::SkipErase) == (operation == FlashOperation::Erase);
}

}  // namespace

FlashFault FlashOperations::begin(FlashOperation operation) {
  std::uint64_t& own = operation == FlashOperation::Erase ? erases_ : programs_;
  const std::uint64_t number_of_all = count();
  const std::uint64_t number_of_kind = own++;
  for (const FlashFaultRule& rule : rules_) {
    const std::uint64_t number = is_cut(rule.kind) ? number_of_all : number_of_kind;
    if (concerns(rule.kind, operation) && number >= rule.first && number <= rule.last) {
      if (is_cut(rule.kind)) powered_ = false;
      return rule.kind;
    }
  }
  return FlashFault::None;
}

std::uint64_t FlashOperations::random(std::uint64_t index) const {
  return mix64(mix64(seed_ ^ mix64(count())) + index);
}

void fill_noise(ByteSpan bytes, std::uint64_t seed) {
  // Eight bytes of each number: tests of every line fill gigabytes.
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    const std::uint64_t bits = mix64(seed ^ i / 8);
    store_le32(bytes, i, static_cast<std::uint32_t>(bits));
    store_le32(bytes, i + 4, static_cast<std::uint32_t>(bits >> 32));
  }
  for (std::uint64_t bits = mix64(seed ^ i / 8); i < bytes.size(); ++i, bits >>= 8) {
    bytes[i] = static_cast<std::uint8_t>(bits);
  }
}

}  // namespace sureflash::sim
