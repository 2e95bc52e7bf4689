#include "cause.hpp"

namespace sureflash::update {
namespace {

std::string_view meaning(proto::DfuState state) {
  switch (state) {
    case proto::DfuState::DfuError:
      return "an operation failed, and the program that asked for it did not clear the error";
    case proto::DfuState::DfuDnBusy:
      return "it says that it is still erasing or writing";
    case proto::DfuState::DfuUploadIdle:
      return "a program stopped in the middle of reading";
    case proto::DfuState::DfuDnloadIdle:
    case proto::DfuState::DfuDnloadSync:
      return "a program stopped in the middle of writing";
    default:
      return static_cast<std::uint8_t>(state) == 15
                 ? "DFU has no state 15: ST's middleware stores a status where the state belongs"
                 : "that is not where a device waits for work";
  }
}

/// A GD32VF103 starts in dfuERROR, errFIRMWARE: nobody left it there (riscv-mcu/gd32-dfu-utils
/// issue 3).
bool starts_like_this(const Evidence& e) {
  return e.target != nullptr && e.target->loader == Loader::Clone && e.found &&
         e.found->bState == proto::DfuState::DfuError &&
         e.found->bStatus == proto::DfuStatus::ErrFirmware;
}

std::optional<Finding> look(const Evidence& e) {
  const proto::StatusReply* reply = nullptr;
  const bool failed = e.failed_with(Errc::StuckBusy) || e.failed_with(Errc::NoIdle);
  if (failed && e.error->device) {
    reply = &*e.error->device;
  } else if (e.error == nullptr && e.found && e.found->bState != proto::DfuState::DfuIdle &&
             !starts_like_this(e)) {
    reply = &*e.found;
  }
  if (reply == nullptr && !failed) return std::nullopt;
  Finding f;
  f.certainty = Certainty::Certain;
  // Without a failure the device was brought back to dfuIDLE: every command does that first.
  f.severity = failed ? Severity::Problem : Severity::Note;
  f.headline = failed ? "the device hangs and does not come back to dfuIDLE"
                      : "the device was left in the middle of something; it is idle again";
  if (reply != nullptr) {
    f.evidence.push_back("its first answer was " + sureflash::name(reply->bState) + ", " +
                         sureflash::name(reply->bStatus));
    f.evidence.emplace_back(meaning(reply->bState));
  }
  if (failed) {
    f.what_to_do = {"unplug and plug the device in DFU mode, then run the same command again"};
  } else {
    f.what_to_do = {"nothing: every command brings the device to dfuIDLE first",
                    "if a program was being written, run the same command again: it finishes"};
  }
  return f;
}

}  // namespace

extern const Cause kStuckState;
const Cause kStuckState{"stuck-state", "recovery/stuck-state.md", look};

}  // namespace sureflash::update
