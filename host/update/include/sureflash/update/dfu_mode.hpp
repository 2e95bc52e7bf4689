#pragma once

#include "sureflash/base/task.hpp"
#include "sureflash/update/program.hpp"
#include "sureflash/update/target.hpp"

/// What is plain DFU 1.1: the way from run-time to DFU mode, and devices without DfuSe.
namespace sureflash::update {

enum class EnteredDfuMode : std::uint8_t {
  WasThere,  ///< nothing was sent
  Detached,  ///< the application was told to go; another device answers now, on the same port
};

/// Brings a device that runs its application into DFU mode: DFU_DETACH, a bus reset unless the
/// device leaves by itself (bitWillDetach), and waiting for it to come back. Errors: DidNotReturn
/// (nothing came back in `timeout`), UnexpectedState (it came back in run-time mode), and those of
/// the wire. Source: DFU 1.1, 5.1 and A.2.1.
Task<EnteredDfuMode> enter_dfu_mode(Duration timeout);

/// An F105 ROM needs up to 14 s to find an 8 MHz crystal (AN2606 table 229).
inline constexpr Duration kDfuModeTimeout = 20s;

/// Downloads a whole firmware to a device without DfuSe, which alone knows where it goes. Where the
/// device stays in DFU mode and can be read, the upload is compared: that is the proof; else
/// Outcome::proven is false. Errors: CannotDownload, DeviceReportsError, VerifyMismatch.
Task<Outcome> download(const Target& target, ByteView firmware, Observations& observations);

}  // namespace sureflash::update
