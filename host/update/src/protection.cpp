#include "sureflash/update/protection.hpp"

#include <algorithm>

#include "session.hpp"

#include "sureflash/base/text.hpp"
#include "sureflash/proto/dfuse.hpp"
#include "sureflash/stm32/option_fields.hpp"

namespace sureflash::update {
namespace {

const Area* option_area(const Target& target) {
  if (target.chip == nullptr) return nullptr;
  const auto it = std::ranges::find_if(target.areas, [&](const Area& area) {
    return area.map.contains(target.chip->option_bytes) &&
           !area.map.first_without(target.chip->option_bytes, &stm32::Access::writable);
  });
  return it == target.areas.end() ? nullptr : &*it;
}

IdentifyOptions as_before(const Target& before) {
  return {.chip = before.chip_source == ChipSource::User ? before.chip : nullptr};
}

/// Waits for the device and identifies it anew. nullopt: it did not come back.
Task<std::optional<Target>> identify_again(const Target& before) {
  const Answer answer = co_await step(AwaitReturn{kReturnTimeout});
  if (answer.io == Io::Timeout) co_return std::nullopt;
  co_await dfu::check(answer, "waiting for the device to come back");
  Target target = co_await identify(as_before(before));
  if (target.descriptors.dfu.mode == dfu::Mode::RunTime) co_return std::nullopt;
  co_return target;
}

/// Why this device has no Read Unprotect; empty: it may have it.
std::string reason_against_unprotect(const Target& target) {
  std::string codes;
  for (const std::uint8_t code : target.commands) codes += ' ' + hex(code, 2).substr(2);
  const bool listed =
      std::ranges::find(target.commands,
                        static_cast<std::uint8_t>(proto::DfuSeCommand::ReadUnprotect)) !=
      target.commands.end();
  std::string reason;
  if (target.chip != nullptr && target.chip->has(proto::kNoReadUnprotect)) {
    reason = "the ROM of " + std::string(target.chip->title) + " has none";
  }
  if (!target.commands.empty() && !listed) {
    reason += (reason.empty() ? "" : "; ") + ("it lists the commands" + codes + ", without 92");
  }
  return reason;
}

/// nullopt: it does not answer; it resets, or has left.
Task<std::optional<Target>> identify_in_place(const Target& before) {
  auto now = co_await caught(identify(as_before(before)));
  if (now) co_return *std::move(now);
  if (!is_silence(now.error())) co_return fail(std::move(now).error());
  co_return std::nullopt;
}

/// After Read Unprotect. A device that showed no dfuDNBUSY is still there, most likely; one that is
/// still protected may erase yet, and reset only then.
Task<std::optional<Target>> identify_unprotected(const Target& before, bool stays) {
  if (!stays) co_return co_await identify_again(before);
  auto now = co_await identify_in_place(before);
  if (now && now->read_protection_signs.empty()) co_return now;
  auto back = co_await identify_again(before);
  if (back) co_return back;
  co_return co_await identify_in_place(before);
}

}  // namespace

Task<AfterReset> write_option_bytes(const Target& target, Bytes block) {
  const Area* area = option_area(target);
  if (area == nullptr || block.size() != target.chip->option_bytes.size()) {
    co_return fail(
        Error(Errc::NotWritable, "the device gives no access to option bytes").in(Stage::Options));
  }
  if (stm32::sets_permanent_level(*target.chip, block)) {
    co_return fail(Error(Errc::NeedsConsent,
                         "read protection level 2 can never be taken back: it is always refused")
                       .in(Stage::Options));
  }
  Session session(target, area->alt_setting);
  co_await session.open();
  co_await session.progress(
      {Progress::Activity::Writing, 0, block.size(), target.chip->option_bytes});
  const auto address = static_cast<std::uint32_t>(target.chip->option_bytes.begin);
  auto written = co_await caught(session.dfuse().write(address, block));
  if (!written && !is_silence(written.error())) {
    Error error = std::move(written).error();
    co_await session.settle(error);
    co_return fail(std::move(error).in(Stage::Options));
  }
  const auto now = co_await identify_again(target);
  if (!now) co_return AfterReset::Gone;
  if (!now->option_block || !std::ranges::equal(*now->option_block, block)) {
    co_return fail(Error(Errc::VerifyMismatch, "the option bytes are not what was written")
                       .in(Stage::Options, target.chip->option_bytes));
  }
  co_return AfterReset::Confirmed;
}

Task<AfterReset> remove_read_protection(const Target& target) {
  const Area* flash = target.flash();
  if (flash == nullptr) co_return fail(Error(Errc::NoLayout).in(Stage::Options));
  if (std::string reason = reason_against_unprotect(target); !reason.empty()) {
    co_return fail(
        Error(Errc::Unsupported, "Read Unprotect: " + std::move(reason)).in(Stage::Options));
  }
  Session session(target, flash->alt_setting);
  co_await session.open();
  co_await session.progress(
      {Progress::Activity::Erasing, 0, flash->map.size(), flash->map.bounds()});
  auto sent = co_await caught(session.dfuse().read_unprotect());
  if (!sent && !is_silence(sent.error())) {
    Error error = std::move(sent).error();
    co_await session.settle(error);
    co_return fail(std::move(error).in(Stage::Options));
  }
  const bool stays = sent && !dfu::is_busy(sent->bState);
  const auto now = co_await identify_unprotected(target, stays);
  if (!now) co_return AfterReset::Gone;
  if (!now->read_protection_signs.empty()) {
    co_return fail(
        Error(Errc::ReadProtected, now->read_protection_signs.front()).in(Stage::Options));
  }
  co_return AfterReset::Confirmed;
}

}  // namespace sureflash::update
