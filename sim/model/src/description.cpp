#include "sureflash/sim/model/description.hpp"

#include <algorithm>

#include "sureflash/proto/usb.hpp"

namespace sureflash::sim {
namespace {

using proto::DescriptorType;

constexpr std::uint8_t kEp0Size = 64;
constexpr std::uint8_t kSerialString = 3;
/// bLength is one byte: 2 + 2 × 126 = 254.
constexpr std::size_t kStringUnitsMax = 126;
constexpr std::uint16_t kEnglish = 0x0409;

std::uint8_t code(DescriptorType type) {
  return static_cast<std::uint8_t>(type);
}

/// UTF-8 to UTF-16 for what our own tables and a user's `layout=` hold; a malformed byte becomes
/// U+FFFD.
std::vector<std::uint16_t> utf16(const std::string& text) {
  std::vector<std::uint16_t> units;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<std::uint8_t>(text[i++]);
    const int more = lead < 0x80       ? 0
                     : lead >> 5 == 6  ? 1
                     : lead >> 4 == 14 ? 2
                     : lead >> 3 == 30 ? 3
                                       : -1;
    std::uint32_t point = more <= 0 ? lead : lead & (0x3FU >> more);
    bool good = more >= 0;
    for (int k = 0; good && k < more; ++k) {
      const auto next = i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0};
      good = next >> 6 == 2;
      if (good) point = point << 6 | (next & 0x3FU), ++i;
    }
    if (!good) point = 0xFFFD;
    if (point >= 0x10000) {
      units.push_back(static_cast<std::uint16_t>(0xD7C0 + (point >> 10)));
      point = 0xDC00 | (point & 0x3FF);
    }
    units.push_back(static_cast<std::uint16_t>(point));
  }
  return units;
}

std::uint8_t interface_count(const DeviceDescription& device) {
  std::uint8_t count = 0;
  for (const auto& i : device.interfaces) {
    count = std::max(count, static_cast<std::uint8_t>(i.number + 1));
  }
  return count;
}

}  // namespace

Bytes device_descriptor(const DeviceDescription& device) {
  Bytes d{proto::kDeviceDescriptorLength, code(DescriptorType::Device)};
  append_le16(d, device.bcd_usb);
  d.insert(d.end(), {0, 0, 0, kEp0Size});
  append_le16(d, device.vendor_id);
  append_le16(d, device.product_id);
  append_le16(d, device.bcd_device);
  d.insert(d.end(), {1, 2, 3, 1});
  return d;
}

Bytes device_qualifier(const DeviceDescription& device) {
  if (!device.high_speed) return {};
  Bytes d{proto::kDeviceQualifierLength, code(DescriptorType::DeviceQualifier)};
  append_le16(d, device.bcd_usb);
  d.insert(d.end(), {0, 0, 0, kEp0Size, 1, 0});
  return d;
}

Bytes functional_descriptor(const FunctionalDescription& functional) {
  Bytes d{proto::kFunctionalDescriptorLength, code(DescriptorType::DfuFunctional),
          functional.attributes};
  append_le16(d, functional.detach_timeout_ms);
  append_le16(d, functional.transfer_size);
  append_le16(d, functional.bcd_dfu);
  return d;
}

Bytes configuration_descriptor(const DeviceDescription& device) {
  Bytes d{proto::kConfigurationDescriptorLength,
          code(DescriptorType::Configuration),
          0,
          0,
          interface_count(device),
          1,
          device.configuration_string,
          static_cast<std::uint8_t>(device.self_powered ? 0xC0 : 0x80),
          device.max_power_2ma};
  const Bytes functional = functional_descriptor(device.functional);
  for (const auto& i : device.interfaces) {
    d.insert(d.end(), {proto::kInterfaceDescriptorLength, code(DescriptorType::Interface), i.number,
                       i.alt_setting, 0, i.interface_class, i.interface_subclass, i.protocol,
                       i.string_index});
    if (device.functional_after_each || &i == &device.interfaces.back()) {
      d.insert(d.end(), functional.begin(), functional.end());
    }
  }
  store_le16(d, 2, static_cast<std::uint16_t>(d.size()));
  return d;
}

Bytes string_descriptor(const DeviceDescription& device, std::uint8_t index) {
  std::vector<std::uint16_t> units{kEnglish};
  if (index > 0) {
    if (index > device.strings.size()) return {};
    if (index == kSerialString && device.serial_in_bytes) {
      const std::string& text = device.strings[index - 1U];
      Bytes d{static_cast<std::uint8_t>(2 + text.size()), code(DescriptorType::String)};
      d.insert(d.end(), text.begin(), text.end());
      return d;
    }
    units = utf16(device.strings[index - 1U]);
    units.resize(std::min(units.size(), kStringUnitsMax));
  }
  Bytes d{static_cast<std::uint8_t>(2 + 2 * units.size()), code(DescriptorType::String)};
  for (const std::uint16_t unit : units) append_le16(d, unit);
  return d;
}

}  // namespace sureflash::sim
