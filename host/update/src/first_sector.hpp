#pragma once

#include "flash_access.hpp"

/// The trial at the beginning of a job: the first sector of the plan is erased, a block of it
/// written, and both are read back before anything else is touched.
namespace sureflash::update {

class FirstSector {
 public:
  /// `blocks`: what the plan writes, in order.
  FirstSector(Session& session, FlashAccess& flash, const Plan& plan,
              std::span<const AddressRange> blocks, Observations& seen);

  /// The block that is written for a trial. Empty: the first sector gets nothing but the commit.
  AddressRange block() const { return block_; }
  /// Whether it holds what it shall hold; else it is written again in its turn.
  bool is_stored() const { return stored_; }
  /// False: the device does not let its flash be read, so that nothing can be proven.
  bool readable() const { return readable_; }

  /// Erases the sector and writes the block. Errors: EraseHadNoEffect, DataNotStored,
  /// VerifyMismatch, and those of FlashAccess.
  Task<> run();

  /// Reads the block once more after another erase, which may have wiped more than it was told to
  /// (Observations::erased_too_much; dfuse.md 7.3).
  Task<> look_again();

  /// After a mass erase: the block must be blank now. Error: EraseHadNoEffect.
  Task<> expect_wiped();

 private:
  Task<> erase();
  Task<> write();
  Task<> judge_erase();
  Task<> judge_write();
  Task<std::optional<Bytes>> probe_neighbour();
  bool too_fast() const;
  ByteView expected() const;

  Session* session_;
  FlashAccess* flash_;
  const Plan* plan_;
  Observations* seen_;
  AddressRange sector_;
  AddressRange block_;
  AddressRange neighbour_;
  bool stored_ = false;
  bool readable_ = true;
};

}  // namespace sureflash::update
