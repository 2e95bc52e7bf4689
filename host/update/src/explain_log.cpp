#include "sureflash/update/explain_log.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "sureflash/base/text.hpp"

namespace sureflash::update {
namespace {

enum class Sign : std::uint8_t {
  None,
  EraseDone,
  DownloadDone,
  VerifyFailed,
  MassEraseFailed,
  NotWritable,
  VendorError,
  TargetError,
  CubeFirmware,
  NoOptionBytes,
  NoDevice,
  SeveralDevices,
  NoPermission,
  InUse,
  LeaveFailed,
  LostConnection,
  count,
};

/// Words that one of the programs prints, and what they mean. Compared without regard to case.
/// Sources: dfu-util src/main.c, dfuse.c, dfuse_mem.c; STM32CubeProgrammer from user logs (dfuse.md
/// 7.4, 8.5); fwupd from its own messages.
struct Phrase {
  std::string_view program;
  std::string_view needle;
  Sign sign;
  std::string_view words;
};
constexpr std::string_view kCube = "STM32CubeProgrammer";
constexpr std::string_view kDfuUtil = "dfu-util";
constexpr std::string_view kFwupd = "fwupd";
constexpr std::array kPhrases{
    Phrase{kCube, "erasing internal memory sectors", Sign::EraseDone,
           "it told the device to erase; that the device answered OK is all it knows"},
    Phrase{kCube, "erase done", Sign::EraseDone,
           "the device answered OK to the erase; nobody looked whether it is blank"},
    Phrase{kCube, "file download complete", Sign::DownloadDone,
           "the device answered OK to every block; nobody looked whether it was stored"},
    Phrase{kCube, "download complete", Sign::DownloadDone,
           "the device answered OK to every block; nobody looked whether it was stored"},
    Phrase{kCube, "download verification failed", Sign::VerifyFailed,
           "read back, the memory is not what was sent"},
    Phrase{kCube, "mass erase operation failed", Sign::MassEraseFailed,
           "the mass erase was refused; \"verify flash protection\" is what it says whatever the "
           "reason was"},
    Phrase{kCube, "uploading option bytes bank: 0 failed", Sign::NoOptionBytes,
           "the device gives no access to option bytes; a ROM bootloader of this family does"},
    Phrase{kCube, "target device not found", Sign::NoDevice, "no device in DFU mode was found"},
    Phrase{kDfuUtil, "no dfu capable usb device available", Sign::NoDevice,
           "no device in DFU mode was found"},
    Phrase{kDfuUtil, "more than one dfu capable usb device", Sign::SeveralDevices,
           "it found several devices and did not guess"},
    Phrase{kDfuUtil, "libusb_error_access", Sign::NoPermission,
           "the system did not let this user open the device"},
    Phrase{kDfuUtil, "cannot claim interface", Sign::InUse,
           "the interface is held by another program or driver"},
    Phrase{kDfuUtil, "libusb_error_busy", Sign::InUse,
           "the interface is held by another program or driver"},
    Phrase{kDfuUtil, "is not writeable", Sign::NotWritable,
           "the device declares this memory read-only; nothing was written"},
    Phrase{kDfuUtil, "can not be erased", Sign::NotWritable,
           "the device declares this memory read-only; nothing was written"},
    Phrase{kDfuUtil, "vendor specific error", Sign::VendorError,
           "the device answered errVENDOR; of a ROM bootloader that means read protection"},
    Phrase{kDfuUtil, "file downloaded successfully", Sign::DownloadDone,
           "the device answered OK to every block; dfu-util does not read back"},
    Phrase{kDfuUtil, "invalid dfu suffix signature", Sign::None,
           "harmless: the file has no DFU suffix"},
    Phrase{kDfuUtil, "error during download get_status", Sign::LeaveFailed,
           "the last question was not answered: a device that starts its program may be gone "
           "before it can"},
    Phrase{kDfuUtil, "lost device", Sign::LostConnection, "the device disappeared from the bus"},
    Phrase{kDfuUtil, "libusb_error_no_device", Sign::LostConnection,
           "the device disappeared from the bus"},
    Phrase{kDfuUtil, "libusb_error_pipe", Sign::LostConnection, "the device refused a request"},
    Phrase{kFwupd, "no detected devices", Sign::NoDevice,
           "no device that can be updated was found"},
    Phrase{kFwupd, "failed to write firmware", Sign::None, "the update was given up"},
    Phrase{kFwupd, "verify failed", Sign::VerifyFailed,
           "read back, the memory is not what was sent"},
    Phrase{"", "stm32 download firmware update", Sign::CubeFirmware,
           "the product string of firmware that CubeMX made; a ROM bootloader says \"STM32  "
           "BOOTLOADER\""},
    Phrase{"", "errvendor", Sign::VendorError,
           "the device answered errVENDOR; of a ROM bootloader that means read protection"},
    Phrase{"", "errtarget", Sign::TargetError,
           "the device answered errTARGET: this address is not in its memory"},
    Phrase{"", "permission denied", Sign::NoPermission,
           "the system did not let this user open the device"},
    // Last: these names begin many a line that says more.
    Phrase{kCube, "stm32cubeprogrammer", Sign::None, "the program that wrote this log"},
    Phrase{kDfuUtil, "dfu-util", Sign::None, "the program that wrote this log"},
    Phrase{kFwupd, "fwupd", Sign::None, "the program that wrote this log"},
};

constexpr int kTimesTold = 2;

std::string lower(std::string_view s) {
  std::string result(s);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

std::string_view trimmed(std::string_view s) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t first = s.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return s.substr(first, s.find_last_not_of(kBlank) - first + 1);
}

class Reader {
 public:
  LogReading read(std::string_view log) {
    for (std::size_t number = 1; !log.empty(); ++number) {
      const std::size_t end = log.find('\n');
      line(number, trimmed(log.substr(0, end)));
      log.remove_prefix(end == std::string_view::npos ? log.size() : end + 1);
    }
    conclude();
    return std::move(reading_);
  }

 private:
  void line(std::size_t number, std::string_view text) {
    const std::string small = lower(text);
    for (std::size_t i = 0; i < kPhrases.size(); ++i) {
      const Phrase& phrase = kPhrases[i];
      if (small.find(phrase.needle) == std::string::npos) continue;
      if (reading_.program.empty()) reading_.program = phrase.program;
      const auto sign = static_cast<std::size_t>(phrase.sign);
      if (phrase.sign != Sign::None && lines_[sign].empty()) lines_[sign] = quote(number, text);
      if (++told_[i] <= kTimesTold && reading_.story.size() < kLogEventsMax) {
        reading_.story.push_back({number, std::string(text), phrase.words});
      }
      return;
    }
  }

  static std::string quote(std::size_t number, std::string_view text) {
    constexpr std::size_t kQuoteMax = 120;
    return "line " + decimal(number) + ": " + std::string(text.substr(0, kQuoteMax));
  }

  bool has(Sign sign) const { return !lines_[static_cast<std::size_t>(sign)].empty(); }

  void add(std::string_view id, Certainty certainty, std::string headline,
           std::initializer_list<Sign> signs, std::vector<std::string> what_to_do) {
    const auto known = std::ranges::find_if(causes(), [&](const Cause* c) { return c->id == id; });
    Finding f;
    f.id = id;
    f.page = known != causes().end() ? (*known)->page : std::string_view();
    f.certainty = certainty;
    f.headline = std::move(headline);
    for (const Sign sign : signs) {
      if (has(sign)) f.evidence.push_back(lines_[static_cast<std::size_t>(sign)]);
    }
    f.what_to_do = std::move(what_to_do);
    reading_.findings.push_back(std::move(f));
  }

  void conclude() {
    conclude_about_the_machine();
    conclude_about_storing();
    if (has(Sign::LeaveFailed)) {
      add("start-answer", Certainty::Likely,
          "the last error is none: the device had started its program before it could answer",
          {Sign::LeaveFailed}, {"nothing, if the product does what its program does"});
      reading_.findings.back().severity = Severity::Note;
    }
    if (has(Sign::NotWritable)) {
      add("read-only-area", Certainty::Likely,
          "the image reaches into memory that the device declares read-only", {Sign::NotWritable},
          {"look at the layout with `sureflash info`; CubeMX writes one with 48 KiB read-only for "
           "every chip"});
    }
    if (has(Sign::VendorError)) {
      add("read-protection", Certainty::Possible, "the chip may be read-protected",
          {Sign::VendorError},
          {"`sureflash doctor` looks for a second sign; do not remove the protection before: that "
           "wipes the flash"});
    }
    if (has(Sign::TargetError)) {
      add("image-too-large", Certainty::Possible, "the image does not fit the device's memory",
          {Sign::TargetError}, {"`sureflash image info FILE` shows where it goes"});
    }
    std::ranges::stable_sort(reading_.findings, [](const Finding& a, const Finding& b) {
      return std::pair(a.severity, a.certainty) > std::pair(b.severity, b.certainty);
    });
  }

  void conclude_about_the_machine() {
    if (has(Sign::NoDevice)) {
      add("no-device", Certainty::Likely, "no device in DFU mode was on the bus", {Sign::NoDevice},
          {"`sureflash doctor` looks into the kernel log for failed attempts"});
    }
    if (has(Sign::SeveralDevices)) {
      add("several-devices", Certainty::Likely, "several devices were there",
          {Sign::SeveralDevices},
          {"`sureflash list` shows them with the ports by which they can be told apart"});
    }
    if (has(Sign::NoPermission)) {
      add("no-permission", Certainty::Likely, "the user had no right to open the device",
          {Sign::NoPermission}, {"`sureflash setup` gives it"});
    }
    if (has(Sign::InUse)) {
      add("device-in-use", Certainty::Likely, "another program or driver held the device",
          {Sign::InUse}, {"close it, or unplug and plug the device"});
    }
  }

  /// "Erased", "downloaded", and not there: the story this project starts from.
  void conclude_about_storing() {
    if (!has(Sign::VerifyFailed) && !has(Sign::MassEraseFailed)) return;
    const bool answered_ok = has(Sign::DownloadDone) && has(Sign::VerifyFailed);
    const bool refused_mass_erase = has(Sign::MassEraseFailed);
    const bool marks = has(Sign::CubeFirmware) || has(Sign::NoOptionBytes);
    // A ROM bootloader of a protected chip refuses mass erase as well, but reports errVENDOR.
    const bool likely =
        (answered_ok && (refused_mass_erase || marks)) || (marks && refused_mass_erase);
    if (!has(Sign::VendorError)) {
      add("cubemx-skeleton", likely ? Certainty::Likely : Certainty::Possible,
          "the device said OK and stored nothing: firmware made with CubeMX whose flash code is "
          "empty does that",
          {Sign::EraseDone, Sign::DownloadDone, Sign::VerifyFailed, Sign::MassEraseFailed,
           Sign::NoOptionBytes, Sign::CubeFirmware},
          {"`sureflash doctor` tells for certain, without writing",
           "use the ROM bootloader instead: BOOT0 high (and BOOT1 low) at reset"});
    }
    add("write-protection", Certainty::Possible, "the sectors may be write-protected",
        {Sign::VerifyFailed, Sign::MassEraseFailed},
        {"`sureflash options show` reads it from a ROM bootloader"});
  }

  LogReading reading_;
  std::array<std::string, static_cast<std::size_t>(Sign::count)> lines_;
  std::array<int, kPhrases.size()> told_{};
};

}  // namespace

LogReading explain_log(std::string_view log) {
  return Reader().read(log);
}

}  // namespace sureflash::update
