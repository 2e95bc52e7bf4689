#pragma once

#include <cstdint>

/// Wire constants and layouts of USB DFU 1.1 ("Universal Serial Bus Device Class Specification for
/// Device Firmware Upgrade", version 1.1, 2004). Freestanding.
namespace sureflash::proto {

/// Interface class, subclass and protocols. Source: DFU 1.1, 4.1.2 and 4.2.3.
inline constexpr std::uint8_t kDfuInterfaceClass = 0xFE;
inline constexpr std::uint8_t kDfuInterfaceSubClass = 0x01;
inline constexpr std::uint8_t kDfuProtocolRunTime = 0x01;
inline constexpr std::uint8_t kDfuProtocolDfuMode = 0x02;

/// bRequest of the class requests. Source: DFU 1.1, table 3.2.
enum class DfuRequest : std::uint8_t {
  Detach = 0,
  Dnload = 1,
  Upload = 2,
  GetStatus = 3,
  ClrStatus = 4,
  GetState = 5,
  Abort = 6,
};

/// bState. Source: DFU 1.1, 6.1.2.
enum class DfuState : std::uint8_t {
  AppIdle = 0,
  AppDetach = 1,
  DfuIdle = 2,
  DfuDnloadSync = 3,
  DfuDnBusy = 4,
  DfuDnloadIdle = 5,
  DfuManifestSync = 6,
  DfuManifest = 7,
  DfuManifestWaitReset = 8,
  DfuUploadIdle = 9,
  DfuError = 10,
};

/// bStatus. Source: DFU 1.1, 6.1.2.
enum class DfuStatus : std::uint8_t {
  Ok = 0x00,
  ErrTarget = 0x01,
  ErrFile = 0x02,
  ErrWrite = 0x03,
  ErrErase = 0x04,
  ErrCheckErased = 0x05,
  ErrProg = 0x06,
  ErrVerify = 0x07,
  ErrAddress = 0x08,
  ErrNotDone = 0x09,
  ErrFirmware = 0x0A,
  ErrVendor = 0x0B,
  ErrUsbr = 0x0C,
  ErrPor = 0x0D,
  ErrUnknown = 0x0E,
  ErrStalledPkt = 0x0F,
};

/// Length of the DFU_GETSTATUS reply. Source: DFU 1.1, 6.1.2.
inline constexpr std::uint8_t kStatusReplyLength = 6;
/// Length of the functional descriptor; DFU 1.0 devices send 7 (no bcdDFUVersion). Source:
/// DFU 1.1, 4.1.3.
inline constexpr std::uint8_t kFunctionalDescriptorLength = 9;
inline constexpr std::uint8_t kFunctionalDescriptorLengthDfu10 = 7;

/// bmAttributes of the functional descriptor. Source: DFU 1.1, 4.1.3.
inline constexpr std::uint8_t kCanDnload = 0x01;
inline constexpr std::uint8_t kCanUpload = 0x02;
inline constexpr std::uint8_t kManifestationTolerant = 0x04;
inline constexpr std::uint8_t kWillDetach = 0x08;

inline constexpr std::uint16_t kBcdDfu10 = 0x0100;
inline constexpr std::uint16_t kBcdDfu11 = 0x0110;
/// DfuSe, ST's extension. Source: UM0424.
inline constexpr std::uint16_t kBcdDfuSe = 0x011A;

/// The reply to DFU_GETSTATUS, decoded. Numbers a specification does not name are kept.
/// Source: DFU 1.1, 6.1.2.
struct StatusReply {
  DfuStatus bStatus = DfuStatus::Ok;
  /// 24 bits: 0 … 16 777 215 ms.
  std::uint32_t bwPollTimeout_ms = 0;
  DfuState bState = DfuState::DfuIdle;
  std::uint8_t iString = 0;

  friend constexpr bool operator==(const StatusReply&, const StatusReply&) = default;
};

}  // namespace sureflash::proto
