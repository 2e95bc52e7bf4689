#include "exit_code.hpp"

namespace sureflash::cli {

ExitCode exit_code(Errc code) {
  switch (code) {
    case Errc::NoDevice:
    case Errc::DidNotReturn:
      return ExitCode::NoDevice;
    case Errc::SeveralDevices:
      return ExitCode::SeveralDevices;
    case Errc::PermissionDenied:
    case Errc::DeviceBusy:
    case Errc::UsbLibraryMissing:
      return ExitCode::Permission;
    case Errc::DeviceSpec:
    case Errc::Usage:
    case Errc::NeedsBase:
      return ExitCode::Usage;
    case Errc::FileUnreadable:
    case Errc::FileUnwritable:
    case Errc::FormatUnknown:
    case Errc::FormatInvalid:
    case Errc::Truncated:
    case Errc::ChecksumMismatch:
    case Errc::Overlap:
    case Errc::EmptyImage:
    case Errc::TooLarge:
    case Errc::NotForThisDevice:
    case Errc::NoUnitData:
    case Errc::BadUnitData:
    case Errc::OutsideMemory:
    case Errc::NotWritable:
    case Errc::NotErasable:
    case Errc::NotReadable:
    case Errc::VectorTableImplausible:
    case Errc::WrongBase:
    case Errc::WrongFamily:
    case Errc::Misaligned:
      return ExitCode::Image;
    case Errc::NeedsConsent:
    case Errc::EntryCodeDiffers:
    case Errc::WriteProtected:
    case Errc::ReadProtected:
      return ExitCode::Protected;
    case Errc::Stalled:
    case Errc::TimedOut:
    case Errc::Disconnected:
    case Errc::TransferFailed:
    case Errc::ResponseTooShort:
    case Errc::BadDescriptor:
    case Errc::NotDfu:
    case Errc::DeviceReportsError:
    case Errc::UnexpectedState:
    case Errc::StuckBusy:
    case Errc::NoIdle:
    case Errc::BadLayout:
    case Errc::NoLayout:
    case Errc::CannotUpload:
    case Errc::CannotDownload:
    case Errc::DataNotStored:
    case Errc::EraseHadNoEffect:
    case Errc::EraseTooWide:
    case Errc::LeftDfuUnexpectedly:
    case Errc::CameBackInDfu:
      return ExitCode::Device;
    case Errc::VerifyMismatch:
      return ExitCode::Mismatch;
    case Errc::Interrupted:
      return ExitCode::Interrupted;
    case Errc::Unsupported:
    case Errc::Internal:
      return ExitCode::Unexpected;
  }
  return ExitCode::Unexpected;
}

std::string_view exit_code_help() {
  return "Exit codes:\n"
         "  0  done                              6  image invalid, or does not fit this device\n"
         "  1  unexpected, please report         7  protected: needs an explicit flag\n"
         "  2  usage                             8  transfer or device failure; can be tried "
         "again\n"
         "  3  no device                         9  verify mismatch, or nothing could be proven\n"
         "  4  several devices, say which       10  nothing to do\n"
         "  5  permission or driver             11  sim run: no condition was met in time\n"
         "130  interrupted                      12  sim run: the firmware failed\n";
}

}  // namespace sureflash::cli
