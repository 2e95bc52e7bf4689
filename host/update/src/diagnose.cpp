#include "sureflash/update/diagnose.hpp"

#include <algorithm>

#include "session.hpp"

#include "sureflash/base/text.hpp"

namespace sureflash::update {
namespace {

/// What CubeMX writes into usbd_dfu_if.c for every family (dfuse.md 2.11, no. 34): sectors of 16,
/// 64 and 128 KiB, two banks of an F42x.
constexpr std::string_view kTemplateLayout =
    "@Internal Flash   /0x08000000/"
    "03*016Ka,01*016Kg,01*064Kg,07*128Kg,04*016Kg,01*064Kg,07*128Kg";
constexpr std::string_view kOldTemplateLayout = "DFU MEDIA";
constexpr std::uint16_t kCubeTransferSize = 1024;
constexpr std::size_t kSampleBytes = 64;
constexpr std::uint8_t kStateNobodySpecified = 15;

std::string milliseconds(Duration d) {
  return text(d);
}

/// Two reads at different addresses, without harm: a device that reads nothing gives the same
/// twice.
struct TwoReads {
  std::optional<Bytes> first;
  std::optional<Bytes> second;
  std::uint64_t first_address = 0;
  std::uint64_t second_address = 0;
  std::optional<Error> error;

  bool same_and_not_blank() const {
    return first && second && *first == *second &&
           std::ranges::any_of(*first, [](std::uint8_t b) { return b != 0xFF; });
  }
};

Task<TwoReads> read_twice(const Target& target) {
  TwoReads result;
  const Area* flash = target.flash();
  if (flash == nullptr || flash->map.size() < 4 * std::uint64_t{target.transfer_size()}) {
    co_return result;
  }
  Session session(target, flash->alt_setting);
  auto opened = co_await caught(session.open());
  if (!opened) co_return result;
  const auto run = std::ranges::find_if(
      flash->map.runs(), [](const stm32::SectorRun& r) { return r.access.readable; });
  if (run == flash->map.runs().end()) co_return result;
  result.first_address = run->range.begin;
  result.second_address = run->range.begin + target.transfer_size();
  auto first =
      co_await caught(session.read(AddressRange::sized(result.first_address, kSampleBytes)));
  auto second =
      co_await caught(session.read(AddressRange::sized(result.second_address, kSampleBytes)));
  if (first && second) {
    result.first = *std::move(first);
    result.second = *std::move(second);
  } else {
    result.error = first ? second.error() : first.error();
  }
  co_return result;
}

std::string_view layout_text(const Target& target) {
  const auto& alts = target.descriptors.dfu.alt_settings;
  return alts.empty() ? std::string_view() : std::string_view(alts.front().text);
}

/// What was seen while erasing and writing, in words.
void add_trial_evidence(std::vector<std::string>& evidence, const Observations& seen) {
  if (seen.erase && seen.erased) {
    evidence.push_back("the erase of " + text(*seen.erased) + " was answered OK after " +
                       milliseconds(seen.erase->took) +
                       (seen.after_erase == ReadBack::Unchanged ? "; read back, nothing had changed"
                        : seen.after_erase == ReadBack::Blank   ? "; read back, it is blank"
                        : seen.after_erase == ReadBack::Refused ? "; it cannot be read back"
                        : seen.after_erase == ReadBack::Other   ? "; read back, it is not blank"
                                                                : ""));
  }
  if (seen.write && seen.written) {
    evidence.push_back("the write of " + text(*seen.written) + " was answered OK after " +
                       milliseconds(seen.write->took) +
                       (seen.after_write == ReadBack::Expected
                            ? "; read back, it is what was written"
                        : seen.after_write == ReadBack::Refused  ? "; it cannot be read back"
                        : seen.after_write == ReadBack::NotTried ? ""
                                                                 : "; read back, it is not there"));
  }
}

void add_time_evidence(std::vector<std::string>& evidence, const Target& target,
                       const Observations& seen) {
  if (!seen.erase || !seen.write || !seen.written) return;
  const stm32::Chip* chip = target.chip;
  const stm32::Chip& f1 = stm32::chips().front();
  const stm32::Chip& c = chip != nullptr ? *chip : f1;
  const Duration floor =
      c.sector_erase.min +
      c.program.min * static_cast<Duration::rep>(seen.written->size() / c.program_unit);
  const Duration took = seen.erase->took + seen.write->took;
  if (took >= floor) return;
  evidence.push_back("erasing and writing took " + milliseconds(took) + " together; the flash of " +
                     (chip != nullptr ? "this chip" : "an " + std::string(f1.title)) +
                     " needs at least " + milliseconds(floor));
  if (seen.erase->announced == Duration::zero() && seen.write->announced == Duration::zero()) {
    evidence.emplace_back("the device asks for no time to work: every bwPollTimeout is 0 ms");
  }
}

/// dfuse.md 7.4: the marks of an untouched template, each as evidence.
std::vector<std::string> skeleton_marks(const Target& target) {
  std::vector<std::string> marks;
  if (target.loader == Loader::CubeMiddleware) {
    marks.push_back("its product string is \"" + target.descriptors.product +
                    "\", as CubeMX sets it (a ROM bootloader says \"STM32  BOOTLOADER\")");
  }
  if (target.transfer_size() == kCubeTransferSize &&
      target.descriptors.dfu.alt_settings.size() == 1) {
    marks.emplace_back("it has one alternate setting and a transfer size of 1024, the template's");
  }
  if (layout_text(target) == kTemplateLayout) {
    marks.emplace_back(
        "its memory layout is the one that CubeMX writes for every chip (an F42x with two banks)");
  } else if (layout_text(target) == kOldTemplateLayout) {
    marks.emplace_back("its memory layout is \"DFU MEDIA\", the older template's: no sector table");
  }
  if (target.commands == Bytes{0x00, 0x21, 0x41}) {
    marks.emplace_back(
        "it lists the commands 00 21 41, as ST's middleware does (a ROM lists 92 too)");
  }
  return marks;
}

Task<std::optional<Finding>> skeleton(const Target& target, const Error& error,
                                      const Observations& seen) {
  const std::vector<std::string> marks = skeleton_marks(target);
  if (marks.size() < 2) co_return std::nullopt;
  Finding f;
  f.id = "cubemx-skeleton";
  f.page = "recovery/cubemx-skeleton.md";
  add_trial_evidence(f.evidence, seen);
  add_time_evidence(f.evidence, target, seen);
  const bool tried = seen.write.has_value();
  const bool stored = seen.after_write == ReadBack::Expected;
  if (stored) co_return std::nullopt;

  const TwoReads reads = co_await read_twice(target);
  bool reads_nothing = false;
  if (reads.same_and_not_blank()) {
    reads_nothing = true;
    f.evidence.push_back("reading " + hex(reads.first_address) + " and " +
                         hex(reads.second_address) + " gives the same " + decimal(kSampleBytes) +
                         " bytes: the read code is empty");
  } else if (reads.error && reads.error->device &&
             static_cast<std::uint8_t>(reads.error->device->bState) == kStateNobodySpecified) {
    reads_nothing = true;
    f.evidence.emplace_back(
        "a read is refused and leaves the device in state 15, which DFU does not have: ST's "
        "middleware does that when the read code returns nothing");
  }
  f.evidence.insert(f.evidence.end(), marks.begin(), marks.end());
  const bool failed_to_store =
      error.code == Errc::DataNotStored || error.code == Errc::EraseHadNoEffect;
  if (!failed_to_store && !reads_nothing) co_return std::nullopt;
  f.certainty =
      (tried && reads_nothing) || marks.size() >= 3 ? Certainty::Certain : Certainty::Likely;
  f.headline = tried
                   ? "the device accepts data but does not store it; it looks like the CubeMX DFU "
                     "example without flash code"
                   : "this device looks like the CubeMX DFU example without flash code: it would "
                     "accept data but not store it";
  f.what_to_do = {
      "use the ROM bootloader instead: BOOT0 high (and BOOT1 low) at reset; every STM32F105 has it",
      "or let your application jump into the ROM bootloader when VBUS (PA9) is high at start: see "
      "examples/vbus-dfu",
      "or fill in usbd_dfu_if.c: unlock, erase, write and read flash, and state the real layout",
  };
  co_return f;
}

std::optional<Finding> write_protection(const Target& target, const Error& error) {
  if (error.code != Errc::WriteProtected || !target.options) return std::nullopt;
  Finding f;
  f.id = "write-protection";
  f.certainty = Certainty::Certain;
  f.page = "recovery/write-protection.md";
  f.headline = "sectors are write-protected by the option bytes";
  for (const AddressRange& range : target.write_protected) {
    const stm32::SectorRun* run =
        target.flash() != nullptr ? target.flash()->map.run_at(range.begin) : nullptr;
    std::string sectors;
    if (run != nullptr) {
      const std::uint64_t first = (range.begin - run->range.begin) / run->sector_size;
      const std::uint64_t last = (range.end - 1 - run->range.begin) / run->sector_size;
      sectors = " (sectors " + decimal(first) + " to " + decimal(last) + ")";
    }
    f.evidence.push_back(text(range) + sectors + " is protected");
  }
  f.evidence.push_back("WRP reads " + hex(target.options->wrp()) +
                       " at 0x1FFFF808; a 0 bit protects two pages");
  f.evidence.emplace_back(
      "the ROM would answer OK to an erase or a write there and change nothing");
  f.what_to_do = {"if the protection is wanted, link the program to other sectors",
                  "if not, set the WRP option bytes to 0xFF, which resets the chip"};
  return f;
}

std::optional<Finding> read_protection(const Target& target) {
  if (target.read_protection_signs.empty()) return std::nullopt;
  Finding f;
  f.id = "read-protection";
  f.certainty = target.is_read_protected() ? Certainty::Certain : Certainty::Possible;
  f.page = "recovery/read-protection.md";
  f.headline = target.is_read_protected() ? "the chip is read-protected (RDP level 1)"
                                          : "the chip may be read-protected: one sign of two";
  f.evidence = target.read_protection_signs;
  f.what_to_do = {
      "if the firmware on it must not be lost: stop here, nothing can be read or changed",
      "removing the protection wipes the whole flash; the F105 then starts the empty flash and is "
      "gone from the bus until it is powered up with BOOT0 high"};
  return f;
}

std::optional<Finding> erase_all_example(const Observations& seen) {
  if (!seen.erased_too_much) return std::nullopt;
  Finding f;
  f.id = "erases-everything";
  f.certainty = Certainty::Certain;
  f.headline = "the device erases all of its application memory on every erase command";
  f.evidence.emplace_back("after one erase command, a sector that was not named was blank too");
  f.evidence.emplace_back("ST's DFU_Standalone example for the F107 does that");
  f.what_to_do = {"program the whole application in one go, as sureflash does",
                  "mend Flash_If_Erase in usbd_dfu_flash.c: it ignores the address"};
  f.page = "recovery/erases-everything.md";
  return f;
}

}  // namespace

Task<std::vector<Finding>> diagnose(const Target& target, const Error& error,
                                    const Observations& observations) {
  std::vector<Finding> findings;
  if (auto f = write_protection(target, error)) findings.push_back(*std::move(f));
  if (auto f = read_protection(target)) findings.push_back(*std::move(f));
  const bool gone = error.code == Errc::Disconnected || error.code == Errc::Interrupted;
  if (findings.empty() && !gone && target.descriptors.dfu.dfuse) {
    auto f = co_await caught(skeleton(target, error, observations));
    if (f && *f) findings.push_back(**std::move(f));
  }
  if (auto f = erase_all_example(observations)) findings.push_back(*std::move(f));
  co_return findings;
}

}  // namespace sureflash::update
