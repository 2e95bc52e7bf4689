#include "sureflash/update/dfu_mode.hpp"

#include <algorithm>

#include "sureflash/dfu/client.hpp"

namespace sureflash::update {

Task<EnteredDfuMode> enter_dfu_mode(Duration timeout) {
  const dfu::Descriptors before = co_await dfu::read_descriptors(dfu::Strings::Leave);
  if (before.dfu.mode == dfu::Mode::Dfu) co_return EnteredDfuMode::WasThere;

  dfu::Client client(before.dfu.interface_number);
  auto told = co_await caught(client.detach(before.dfu.functional.wDetachTimeOut_ms));
  // A device may be gone before the status stage: it did what it was told.
  if (!told && told.error().code != Errc::Disconnected) {
    co_return fail(std::move(told).error().in(Stage::Open));
  }
  if (!before.dfu.functional.will_detach()) {
    // A device that comes back as another one shows as Disconnected; AwaitReturn finds it.
    co_await step(BusReset{});
  }
  const Answer returned = co_await step(AwaitReturn{timeout});
  if (returned.io == Io::Timeout) {
    co_return fail(Error(Errc::DidNotReturn, "after DFU_DETACH").in(Stage::Open));
  }
  co_await dfu::check(returned, "the wait for its return");
  const dfu::Descriptors after = co_await dfu::read_descriptors(dfu::Strings::Leave);
  if (after.dfu.mode != dfu::Mode::Dfu) {
    co_return fail(Error(Errc::UnexpectedState, "it came back in run-time mode after DFU_DETACH")
                       .in(Stage::Open));
  }
  co_return EnteredDfuMode::Detached;
}

Task<Outcome> download(const Target& target, ByteView firmware, Observations& observations) {
  const dfu::Interface& interface = target.descriptors.dfu;
  if (!interface.functional.can_download()) {
    co_return fail(Error(Errc::CannotDownload).in(Stage::Plan));
  }
  dfu::Client client(interface.interface_number);
  const Duration began = co_await time_of_last_answer();
  auto last = co_await caught(client.download(firmware, interface.transfer_size));
  if (!last) co_return fail(std::move(last).error().in(Stage::Program));
  Outcome outcome;
  outcome.bytes_written = firmware.size();
  const Duration written = co_await time_of_last_answer();
  outcome.write_time = written - began;
  if (last->bState != proto::DfuState::DfuIdle || !interface.functional.can_upload()) {
    co_return outcome;
  }
  // The device may send more than was downloaded (its whole memory): the part that was is compared.
  const Bytes read = co_await client.upload_all(interface.transfer_size, firmware.size());
  outcome.verify_time = co_await time_of_last_answer() - written;
  const auto [mine, theirs] = std::ranges::mismatch(firmware, read);
  if (mine != firmware.end()) {
    const auto at = static_cast<std::uint64_t>(mine - firmware.begin());
    observations.differences.push_back({at, at + 1});
    co_return fail(Error(Errc::VerifyMismatch, "first difference at this offset of the firmware")
                       .in(Stage::Verify, AddressRange{at, at + 1}));
  }
  outcome.bytes_verified = firmware.size();
  outcome.proven = true;
  co_return outcome;
}

}  // namespace sureflash::update
