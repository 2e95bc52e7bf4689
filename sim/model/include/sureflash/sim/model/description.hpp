#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sureflash/base/bytes.hpp"
#include "sureflash/proto/dfu.hpp"

/// What a device says of itself, as data, and the descriptors made from it.
namespace sureflash::sim {

struct InterfaceDescription {
  std::uint8_t number = 0;
  std::uint8_t alt_setting = 0;
  std::uint8_t interface_class = proto::kDfuInterfaceClass;
  std::uint8_t interface_subclass = proto::kDfuInterfaceSubClass;
  std::uint8_t protocol = proto::kDfuProtocolDfuMode;
  std::uint8_t string_index = 0;
};

struct FunctionalDescription {
  std::uint8_t attributes = 0;
  std::uint16_t detach_timeout_ms = 255;
  std::uint16_t transfer_size = 0;
  std::uint16_t bcd_dfu = proto::kBcdDfuSe;
};

struct DeviceDescription {
  std::uint16_t bcd_usb = 0x0200;
  std::uint16_t vendor_id = 0;
  std::uint16_t product_id = 0;
  std::uint16_t bcd_device = 0;
  std::uint8_t configuration_string = 0;
  bool self_powered = true;
  std::uint8_t max_power_2ma = 50;
  /// strings[0] is index 1: by convention manufacturer, product, serial, then what interfaces name.
  std::vector<std::string> strings;
  /// Grouped by number, at least one; the functional descriptor follows the last of them.
  std::vector<InterfaceDescription> interfaces;
  FunctionalDescription functional;
  /// It follows each of them: what fwupd 2.0.20 needs when their number is even.
  bool functional_after_each = false;
  bool high_speed = false;
  /// The serial number is sent as bytes, not as UTF-16 (GD32VF103: fwupd, fu-dfu-device.c).
  bool serial_in_bytes = false;
  /// Whether GET_DESCRIPTOR 0x21 to the interface is answered.
  bool functional_on_request = true;
};

Bytes device_descriptor(const DeviceDescription& device);
/// Empty for a device of full speed only. Source: USB 2.0, 9.6.2.
Bytes device_qualifier(const DeviceDescription& device);
/// Configuration, interface and functional descriptors in one block.
Bytes configuration_descriptor(const DeviceDescription& device);
Bytes functional_descriptor(const FunctionalDescription& functional);
/// Language 0x0409 for index 0. Text is UTF-8 in `DeviceDescription`, UTF-16LE on the wire, at most
/// 126 units.
/// @returns empty when there is no such string.
Bytes string_descriptor(const DeviceDescription& device, std::uint8_t index);

}  // namespace sureflash::sim
