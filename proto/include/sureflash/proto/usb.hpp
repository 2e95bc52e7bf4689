#pragma once

#include <cstdint>

/// Wire constants and layouts of USB 2.0 chapter 9 that DFU needs. Freestanding: host, simulator
/// and device code share the numbers, never the logic.
namespace sureflash::proto {

/// A setup packet. Source: USB 2.0, 9.3, table 9-2.
struct Setup {
  std::uint8_t bmRequestType = 0;
  std::uint8_t bRequest = 0;
  std::uint16_t wValue = 0;
  std::uint16_t wIndex = 0;
  std::uint16_t wLength = 0;

  /// Whether the data stage goes from device to host.
  constexpr bool is_in() const { return (bmRequestType & 0x80U) != 0; }
  friend constexpr bool operator==(const Setup&, const Setup&) = default;
};

/// bmRequestType. Source: USB 2.0, table 9-2.
inline constexpr std::uint8_t kStandardOutDevice = 0x00;
inline constexpr std::uint8_t kStandardInDevice = 0x80;
inline constexpr std::uint8_t kStandardOutInterface = 0x01;
inline constexpr std::uint8_t kStandardInInterface = 0x81;
inline constexpr std::uint8_t kStandardOutEndpoint = 0x02;
inline constexpr std::uint8_t kClassOutInterface = 0x21;
inline constexpr std::uint8_t kClassInInterface = 0xA1;

/// bRequest of standard requests. Source: USB 2.0, table 9-4.
enum class StandardRequest : std::uint8_t {
  GetStatus = 0,
  ClearFeature = 1,
  SetFeature = 3,
  SetAddress = 5,
  GetDescriptor = 6,
  SetDescriptor = 7,
  GetConfiguration = 8,
  SetConfiguration = 9,
  GetInterface = 10,
  SetInterface = 11,
  SynchFrame = 12,
};

/// Feature selector of endpoints. Source: USB 2.0, table 9-6.
inline constexpr std::uint16_t kEndpointHalt = 0;

/// bDescriptorType. Source: USB 2.0, table 9-5; DFU 1.1, table 4.2 for 0x21.
enum class DescriptorType : std::uint8_t {
  Device = 1,
  Configuration = 2,
  String = 3,
  Interface = 4,
  Endpoint = 5,
  DeviceQualifier = 6,
  DfuFunctional = 0x21,
};

inline constexpr std::uint8_t kDeviceDescriptorLength = 18;
inline constexpr std::uint8_t kDeviceQualifierLength = 10;
inline constexpr std::uint8_t kConfigurationDescriptorLength = 9;
inline constexpr std::uint8_t kInterfaceDescriptorLength = 9;

}  // namespace sureflash::proto
