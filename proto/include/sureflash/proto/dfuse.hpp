#pragma once

#include <cstdint>

/// Wire constants of DfuSe, ST's extension of DFU. Sources: AN3156 (protocol), UM0424 (layout
/// strings), UM0391 (files). Freestanding.
namespace sureflash::proto {

/// First byte of a DFU_DNLOAD with wBlockNum 0. Source: AN3156, "Download commands".
enum class DfuSeCommand : std::uint8_t {
  /// Only as DFU_UPLOAD with wBlockNum 0: returns the supported command codes.
  GetCommands = 0x00,
  SetAddressPointer = 0x21,
  Erase = 0x41,
  ReadUnprotect = 0x92,
};

inline constexpr std::uint16_t kCommandBlock = 0;
/// wBlockNum 1 is reserved; data starts at 2: address = pointer + (wBlockNum - 2) * wTransferSize.
inline constexpr std::uint16_t kFirstDataBlock = 2;

inline constexpr std::uint16_t kStVendorId = 0x0483;
inline constexpr std::uint16_t kStDfuProductId = 0xDF11;

}  // namespace sureflash::proto
