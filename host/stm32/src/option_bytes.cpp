#include "sureflash/stm32/option_bytes.hpp"

#include <algorithm>

#include "sureflash/base/text.hpp"

namespace sureflash::stm32 {
namespace {

constexpr std::uint32_t kF1OptionBytesAddress = 0x1FFFF800;
constexpr std::uint8_t kF1RdpUnprotected = 0xA5;
constexpr std::uint64_t kF1WrpGranule = 4096;
constexpr unsigned kWrpBits = 32;
constexpr std::array<std::string_view, 8> kNames{"RDP",  "USER", "DATA0", "DATA1",
                                                 "WRP0", "WRP1", "WRP2",  "WRP3"};

}  // namespace

Result<F1OptionBytes> F1OptionBytes::parse(ByteView block) {
  if (block.size() < kF1OptionBytesSize) {
    return fail(Errc::ResponseTooShort,
                "the option bytes gave " + decimal(block.size()) + " of 16 bytes");
  }
  F1OptionBytes result;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    const std::uint8_t value = block[2 * i];
    const auto complement = static_cast<std::uint8_t>(~block[2 * i + 1]);
    result.bytes_[i] = {kNames[i], kF1OptionBytesAddress + 2 * static_cast<std::uint32_t>(i), value,
                        value == complement};
  }
  return result;
}

bool F1OptionBytes::read_protected() const {
  return bytes_[0].value != kF1RdpUnprotected || !bytes_[0].complement_matches;
}

std::uint32_t F1OptionBytes::wrp() const {
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    word |= static_cast<std::uint32_t>(bytes_[4 + i].value) << (8 * i);
  }
  return word;
}

bool F1OptionBytes::complements_match() const {
  return std::ranges::all_of(bytes_, &OptionByte::complement_matches);
}

std::vector<AddressRange> F1OptionBytes::write_protected(AddressRange flash) const {
  std::vector<AddressRange> result;
  for (unsigned bit = 0; bit < kWrpBits; ++bit) {
    if ((wrp() >> bit & 1) != 0) continue;
    AddressRange range = AddressRange::sized(flash.begin + bit * kF1WrpGranule, kF1WrpGranule);
    if (bit == kWrpBits - 1) range.end = flash.end;
    range = range.intersection(flash);
    if (range.empty()) continue;
    if (!result.empty() && result.back().end == range.begin) {
      result.back().end = range.end;
    } else {
      result.push_back(range);
    }
  }
  return result;
}

}  // namespace sureflash::stm32
