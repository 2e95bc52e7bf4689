#pragma once

#include "session.hpp"

/// The operations on flash that the jobs share. Each records what it saw first, as evidence.
namespace sureflash::update {

class FlashAccess {
 public:
  FlashAccess(Session& session, Observations& seen) : session_(&session), seen_(&seen) {}

  /// Errors carry Stage::Erase and the sector. A ROM that hangs although its sector is blank (H74x,
  /// proto::kStuckBusyHighSectors) is freed; that is no error.
  Task<> erase(AddressRange sector);

  /// `bytes` at `block.begin`. Errors carry Stage::Program and the block.
  Task<> write(AddressRange block, ByteView bytes);

  /// nullopt: the device refuses to be read (Observations::read_error); other errors end the job.
  Task<std::optional<Bytes>> try_read(AddressRange range);

 private:
  Task<bool> is_only_stuck(const Error& error, AddressRange sector);

  Session* session_;
  Observations* seen_;
};

}  // namespace sureflash::update
