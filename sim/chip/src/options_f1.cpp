#include "sureflash/sim/chip/options_f1.hpp"

namespace sureflash::sim {

F1Options F1Options::decode(ByteView bytes) {
  F1Options options;
  const auto load = [&](std::size_t index) -> std::uint8_t {
    const std::uint8_t value = bytes[2 * index];
    const std::uint8_t complement = bytes[2 * index + 1];
    if (value == 0xFF && complement == 0xFF) return 0xFF;  // erased: not compared
    if (static_cast<std::uint8_t>(~value) == complement) return value;
    options.error = true;
    return 0xFF;
  };
  options.read_protected = load(0) != kF1RdpKey;
  options.user = load(1);
  options.data0 = load(2);
  options.data1 = load(3);
  options.wrp = 0;
  for (unsigned i = 0; i < 4; ++i) options.wrp |= std::uint32_t{load(4 + i)} << 8 * i;
  return options;
}

Bytes encode_f1_options(std::uint8_t rdp, const F1Options& options) {
  Bytes bytes;
  const auto add = [&](std::uint32_t value) {
    bytes.push_back(static_cast<std::uint8_t>(value));
    bytes.push_back(static_cast<std::uint8_t>(~value));
  };
  for (const std::uint8_t value : {rdp, options.user, options.data0, options.data1}) add(value);
  for (unsigned i = 0; i < 4; ++i) add(options.wrp >> 8 * i);
  return bytes;
}

}  // namespace sureflash::sim
