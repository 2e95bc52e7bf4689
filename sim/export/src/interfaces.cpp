#include "sureflash/sim/export/interfaces.hpp"

#include "sureflash/proto/usb.hpp"

namespace sureflash::sim {
namespace {

/// USB 2.0, table 9-13: bits 10..0 of wMaxPacketSize.
constexpr std::uint16_t kPacketSizeMask = 0x07FF;
constexpr std::size_t kEndpointDescriptorLength = 7;

InterfaceInfo interface(ByteView d) {
  return {d[2], d[3], d[5], d[6], d[7], {}};
}

EndpointInfo endpoint(ByteView d) {
  return {d[2], static_cast<TransferType>(d[3] & 3U),
          static_cast<std::uint16_t>(load_le16(d, 4) & kPacketSizeMask), d[6]};
}

}  // namespace

std::vector<InterfaceInfo> read_interfaces(ByteView bytes) {
  std::vector<InterfaceInfo> found;
  for (std::size_t at = 0; at + 2 <= bytes.size() && bytes[at] >= 2; at += bytes[at]) {
    if (at + bytes[at] > bytes.size()) break;
    const ByteView d = bytes.subspan(at, bytes[at]);
    const auto type = static_cast<proto::DescriptorType>(d[1]);
    if (type == proto::DescriptorType::Interface && d.size() >= proto::kInterfaceDescriptorLength) {
      found.push_back(interface(d));
    }
    if (type == proto::DescriptorType::Endpoint && d.size() >= kEndpointDescriptorLength &&
        !found.empty() && endpoint(d).max_packet_size != 0) {
      found.back().endpoints.push_back(endpoint(d));
    }
  }
  return found;
}

}  // namespace sureflash::sim
