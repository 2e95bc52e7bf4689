#include "sureflash/update/diagnose.hpp"

namespace sureflash::update {

/// One switch without default: the compiler finds an entry that is missing.
Remedy remedy(const Error& error) {
  switch (error.code) {
    case Errc::NoDevice:
      return {"is it plugged in, powered and in DFU mode? `sureflash list` shows what is there",
              {}};
    case Errc::SeveralDevices:
      return {"choose one with --device; `sureflash list` shows them", {}};
    case Errc::PermissionDenied:
      return {"`sureflash setup` (as root) installs the udev rule that lets you use DFU devices",
              {}};
    case Errc::DeviceBusy:
      return {"close the other program, or unplug and plug the device", {}};
    case Errc::Unsupported:
      return {"none known", {}};
    case Errc::UsbLibraryMissing:
      return {
          "put libusb-1.0.dll for 64 bits (https://libusb.info) into the folder of sureflash.exe",
          {}};
    case Errc::DeviceSpec:
      return {"`sureflash sim list` shows profiles and their keys", {}};
    case Errc::Stalled:
    case Errc::TransferFailed:
      return {"run the same command again; if it comes back, try another cable or port", {}};
    case Errc::TimedOut:
      return {"unplug and plug the device, then run the same command again", {}};
    case Errc::Disconnected:
      return {"plug the device in again in DFU mode and run the same command: it finishes the job",
              {}};
    case Errc::ResponseTooShort:
    case Errc::BadDescriptor:
      return {"the firmware behind this USB device is at fault; another cable rules out the wire",
              {}};
    case Errc::NotDfu:
      return {"bring the device into DFU mode (BOOT0 high at reset, or its own way in)", {}};
    case Errc::DeviceReportsError:
      return {"run the same command again; if it comes back, what the device reports is the cause",
              {}};
    case Errc::UnexpectedState:
    case Errc::StuckBusy:
    case Errc::NoIdle:
      return {"unplug and plug the device in DFU mode, then run the same command again", {}};
    case Errc::BadLayout:
    case Errc::NoLayout:
      return {"say what chip it is: --chip stm32f105", {}};
    case Errc::CannotUpload:
      return {"none known: this firmware does not allow reading", {}};
    case Errc::CannotDownload:
      return {"none known: this firmware does not allow writing", {}};
    case Errc::DidNotReturn:
      return {"unplug and plug the device; a board with an 8 MHz crystal needs up to 14 s", {}};
    case Errc::FileUnreadable:
      return {"check the name and the rights of the file", {}};
    case Errc::FileUnwritable:
      return {"check the folder, its rights and the free space", {}};
    case Errc::FormatUnknown:
      return {"say what it is with --format (bin, hex, srec, elf, dfu, dfuse, uf2)", {}};
    case Errc::FormatInvalid:
    case Errc::Truncated:
    case Errc::ChecksumMismatch:
      return {"build or download the file again", {}};
    case Errc::Overlap:
      return {
          "two sections are linked to the same address; the linker script or the merge is wrong",
          {}};
    case Errc::NeedsBase:
      return {"say where it goes: --base 0x08000000", {}};
    case Errc::EmptyImage:
      return {"the file has no loadable data; is it the right one?", {}};
    case Errc::TooLarge:
      return {"none known", {}};
    case Errc::NotForThisDevice:
      return {"take the file that was built for this device", {}};
    case Errc::WrongFamily:
      return {"take the file that was built for this chip", {}};
    case Errc::NoUnitData:
      return {"add rows to the table; FILE.used says which unit has which row", {}};
    case Errc::BadUnitData:
      return {"correct the table: CSV in UTF-8, with the names of the columns in line 1", {}};
    case Errc::OutsideMemory:
      return {
          "`sureflash map` shows the memory that there is; an image that does not fit is for "
          "another "
          "chip",
          {}};
    case Errc::NotWritable:
    case Errc::NotErasable:
      return {"link the program behind the read-only part; there the device keeps its own loader",
              {}};
    case Errc::NotReadable:
      return {"none known: the device declares it not readable", {}};
    case Errc::VectorTableImplausible:
      return {"is it a program for this chip, with its vector table first? For plain data: --data",
              {}};
    case Errc::WrongBase:
      return {
          "link it for the address it goes to, or give the address it is linked for with --base",
          {}};
    case Errc::Misaligned:
      return {"choose an address that is a multiple of 4", {}};
    case Errc::NeedsConsent:
      return {"add --yes to allow it", {}};
    case Errc::EntryCodeDiffers:
      return {
          "without --keep-entry it is rewritten first; the plan says for how long the unit is at "
          "risk",
          "recovery/interrupted-update.md"};
    case Errc::WriteProtected:
      return {"the option bytes protect these sectors; removing that is a decision of its own",
              "recovery/write-protection.md"};
    case Errc::ReadProtected:
      return {"removing read protection wipes the flash, which is why nothing does it by itself",
              "recovery/read-protection.md"};
    case Errc::DataNotStored:
      return {"the firmware behind this USB device has no working flash code",
              "recovery/cubemx-skeleton.md"};
    case Errc::EraseHadNoEffect:
      return {"read the option bytes: `sureflash options show`", "recovery/write-protection.md"};
    case Errc::VerifyMismatch:
      return {
          "run the same command again; if the same bytes differ, that flash is worn or protected",
          {}};
    case Errc::EraseTooWide:
      return {"program the whole memory in one go", {}};
    case Errc::LeftDfuUnexpectedly:
      return {"bring the device into DFU mode again and run the same command", {}};
    case Errc::CameBackInDfu:
      return {"BOOT0 low, then off and on again", "recovery/came-back-in-dfu.md"};
    case Errc::Interrupted:
      return {"run the same command again: it finishes the job", {}};
    case Errc::Usage:
      return {"`sureflash --help` shows the commands", {}};
    case Errc::Internal:
      return {"please report it, with the command and what it printed", {}};
  }
  return {"none known", {}};
}

std::string_view name(Certainty certainty) {
  switch (certainty) {
    case Certainty::Possible:
      return "possible";
    case Certainty::Likely:
      return "likely";
    case Certainty::Certain:
      return "certain";
  }
  return "unlisted";
}

std::string_view name(Severity severity) {
  switch (severity) {
    case Severity::Note:
      return "note";
    case Severity::Problem:
      return "problem";
  }
  return "unlisted";
}

}  // namespace sureflash::update
