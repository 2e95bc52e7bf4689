#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sureflash/base/task.hpp"

/// What a device says of itself, read and parsed without trusting a byte of it.
namespace sureflash::dfu {

/// Source: USB 2.0, table 9-8.
struct DeviceDescriptor {
  std::uint16_t bcdUSB = 0;
  std::uint16_t idVendor = 0;
  std::uint16_t idProduct = 0;
  std::uint16_t bcdDevice = 0;
  std::uint8_t iManufacturer = 0;
  std::uint8_t iProduct = 0;
  std::uint8_t iSerialNumber = 0;
  std::uint8_t bNumConfigurations = 0;
};

/// Source: DFU 1.1, 4.1.3.
struct FunctionalDescriptor {
  std::uint8_t bmAttributes = 0;
  std::uint16_t wDetachTimeOut_ms = 0;
  /// As sent; use Interface::transfer_size, which is bounded.
  std::uint16_t wTransferSize = 0;
  std::uint16_t bcdDFUVersion = 0;

  bool can_download() const { return (bmAttributes & proto::kCanDnload) != 0; }
  bool can_upload() const { return (bmAttributes & proto::kCanUpload) != 0; }
  bool manifestation_tolerant() const {
    return (bmAttributes & proto::kManifestationTolerant) != 0;
  }
  bool will_detach() const { return (bmAttributes & proto::kWillDetach) != 0; }
};

struct AltSetting {
  std::uint8_t alt_setting = 0;
  std::uint8_t iInterface = 0;
  /// Text of iInterface, UTF-8; empty when there is none or it cannot be read.
  std::string text;
};

enum class Mode : std::uint8_t { RunTime, Dfu };

/// Bounds for wTransferSize: usbfs once limited a control transfer to 4096 bytes; a device without
/// functional descriptor gets 1024 (what fwupd and dfu-util assume).
inline constexpr std::uint16_t kTransferSizeMax = 4096;
inline constexpr std::uint16_t kTransferSizeDefault = 1024;

/// The DFU interface of a device.
struct Interface {
  std::uint8_t interface_number = 0;
  Mode mode = Mode::Dfu;
  std::vector<AltSetting> alt_settings;
  FunctionalDescriptor functional;
  /// Bytes in one DNLOAD or UPLOAD: 1 … kTransferSizeMax.
  std::uint16_t transfer_size = kTransferSizeDefault;
  /// bcdDFUVersion is 0x011A or an interface string starts with '@'.
  bool dfuse = false;
};

struct Descriptors {
  DeviceDescriptor device;
  Interface dfu;
  std::string manufacturer;
  std::string product;
  std::string serial;
  /// What was wrong and was tolerated.
  std::vector<std::string> warnings;
};

/// Errors: BadDescriptor (shorter than 18 bytes, or of another type).
Result<DeviceDescriptor> parse_device_descriptor(ByteView bytes);

/// Finds the DFU interface in a configuration descriptor as received (wTotalLength may lie). A DFU
/// mode interface is preferred to a run-time one. Protocol 0 in DFU mode is accepted, a missing
/// functional descriptor too; both add a warning. Errors: BadDescriptor, NotDfu.
Result<Interface> parse_configuration(ByteView bytes, std::vector<std::string>& warnings);

/// Decodes a string descriptor to UTF-8. Unpaired surrogates become U+FFFD, control characters '?',
/// NULs at the end go. Errors: BadDescriptor (header not valid).
Result<std::string> parse_string_descriptor(ByteView bytes);

enum class Strings : std::uint8_t {
  Read,
  Leave,  ///< all texts stay empty; DfuSe is known by bcdDFUVersion only
};

/// Reads everything above from the device.
/// Errors: those of the parsers, and of the wire.
Task<Descriptors> read_descriptors(Strings strings = Strings::Read);

}  // namespace sureflash::dfu
