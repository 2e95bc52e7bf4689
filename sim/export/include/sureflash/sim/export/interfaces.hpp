#pragma once

#include <cstdint>
#include <vector>

#include "sureflash/base/bytes.hpp"

namespace sureflash::sim {

/// bmAttributes of an endpoint descriptor, bits 0 and 1. Source: USB 2.0, table 9-13.
enum class TransferType : std::uint8_t { Control, Isochronous, Bulk, Interrupt };

struct EndpointInfo {
  std::uint8_t address = 0;  ///< with direction bit
  TransferType type = TransferType::Bulk;
  std::uint16_t max_packet_size = 0;  ///< bytes; never 0
  std::uint8_t interval = 0;          ///< bInterval as it stands

  bool is_in() const { return (address & 0x80U) != 0; }
};

/// One alternate setting.
struct InterfaceInfo {
  std::uint8_t number = 0;
  std::uint8_t alt_setting = 0;
  std::uint8_t interface_class = 0;
  std::uint8_t subclass = 0;
  std::uint8_t protocol = 0;
  std::vector<EndpointInfo> endpoints;
};

/// What a host finds in a configuration descriptor. Stops at the first descriptor that cannot be
/// one; endpoints without room for a byte do not count.
std::vector<InterfaceInfo> read_interfaces(ByteView configuration);

}  // namespace sureflash::sim
