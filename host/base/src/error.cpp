#include "sureflash/base/error.hpp"

#include "sureflash/base/text.hpp"

namespace sureflash {
namespace {

struct Entry {
  std::string_view name;
  std::string_view text;
};

/// One switch without default: the compiler finds an entry that is missing.
Entry entry(Errc code) {
  switch (code) {
    case Errc::NoDevice:
      return {"no-device", "no device found"};
    case Errc::SeveralDevices:
      return {"several-devices", "several devices fit, and none was chosen"};
    case Errc::PermissionDenied:
      return {"permission-denied", "no permission to use the device"};
    case Errc::DeviceBusy:
      return {"device-busy", "another program holds the device"};
    case Errc::Unsupported:
      return {"unsupported", "not supported here"};
    case Errc::UsbLibraryMissing:
      return {"usb-library-missing", "the library for USB is missing"};
    case Errc::DeviceSpec:
      return {"device-spec", "cannot understand the device specification"};
    case Errc::Stalled:
      return {"stalled", "the device refused the request (stall)"};
    case Errc::TimedOut:
      return {"timed-out", "the device did not answer in time"};
    case Errc::Disconnected:
      return {"disconnected", "the device left the bus"};
    case Errc::TransferFailed:
      return {"transfer-failed", "the transfer failed"};
    case Errc::ResponseTooShort:
      return {"response-too-short", "the device sent a reply that is too short"};
    case Errc::BadDescriptor:
      return {"bad-descriptor", "the device sent a descriptor that is not valid"};
    case Errc::NotDfu:
      return {"not-dfu", "the device has no DFU interface"};
    case Errc::DeviceReportsError:
      return {"device-reports-error", "the device reports an error"};
    case Errc::UnexpectedState:
      return {"unexpected-state", "the device is in an unexpected state"};
    case Errc::StuckBusy:
      return {"stuck-busy", "the device stays busy (dfuDNBUSY)"};
    case Errc::NoIdle:
      return {"no-idle", "the device cannot be brought to dfuIDLE"};
    case Errc::BadLayout:
      return {"bad-layout", "the memory layout string of the device is not valid"};
    case Errc::NoLayout:
      return {"no-layout", "the device does not say what memory it has"};
    case Errc::CannotUpload:
      return {"cannot-upload", "the device does not allow reading"};
    case Errc::CannotDownload:
      return {"cannot-download", "the device does not allow writing"};
    case Errc::DidNotReturn:
      return {"did-not-return", "the device did not come back to the bus"};
    case Errc::FileUnreadable:
      return {"file-unreadable", "cannot read the file"};
    case Errc::FileUnwritable:
      return {"file-unwritable", "cannot write the file"};
    case Errc::FormatUnknown:
      return {"format-unknown", "the file format is not known"};
    case Errc::FormatInvalid:
      return {"format-invalid", "the file is not valid"};
    case Errc::Truncated:
      return {"truncated", "the file is truncated"};
    case Errc::ChecksumMismatch:
      return {"checksum-mismatch", "a checksum does not match"};
    case Errc::Overlap:
      return {"overlap", "two parts of the image claim the same addresses"};
    case Errc::NeedsBase:
      return {"needs-base", "the file does not say where it belongs in memory"};
    case Errc::EmptyImage:
      return {"empty-image", "the image holds no data"};
    case Errc::TooLarge:
      return {"too-large", "too large"};
    case Errc::NotForThisDevice:
      return {"not-for-this-device", "the file is meant for another device"};
    case Errc::NoUnitData:
      return {"no-unit-data", "no row of the table of units is left for this unit"};
    case Errc::BadUnitData:
      return {"bad-unit-data", "the table of units is not right"};
    case Errc::OutsideMemory:
      return {"outside-memory", "part of it is outside the memory of the device"};
    case Errc::NotWritable:
      return {"not-writable", "the device declares this memory read-only"};
    case Errc::NotErasable:
      return {"not-erasable", "the device declares this memory not erasable"};
    case Errc::NotReadable:
      return {"not-readable", "the device does not let this memory be read"};
    case Errc::VectorTableImplausible:
      return {"vector-table-implausible", "the image does not start with a plausible vector table"};
    case Errc::WrongBase:
      return {"wrong-base", "the image is linked for another address"};
    case Errc::WrongFamily:
      return {"wrong-family", "the file is for another family of chips"};
    case Errc::Misaligned:
      return {"misaligned", "the address is not aligned"};
    case Errc::NeedsConsent:
      return {"needs-consent", "this needs consent"};
    case Errc::EntryCodeDiffers:
      return {"entry-code-differs", "the update changes the code that enters DFU mode"};
    case Errc::WriteProtected:
      return {"write-protected", "the memory is write-protected"};
    case Errc::ReadProtected:
      return {"read-protected", "the memory is read-protected"};
    case Errc::DataNotStored:
      return {"data-not-stored", "the device accepts data but does not store it"};
    case Errc::EraseHadNoEffect:
      return {"erase-had-no-effect", "the device accepts the erase but does not erase"};
    case Errc::VerifyMismatch:
      return {"verify-mismatch", "the memory differs from the image"};
    case Errc::EraseTooWide:
      return {"erase-too-wide", "the device erased more than it was told to"};
    case Errc::LeftDfuUnexpectedly:
      return {"left-dfu", "the device left DFU mode by itself"};
    case Errc::CameBackInDfu:
      return {"came-back-in-dfu", "the program was started, and the device came back in DFU mode"};
    case Errc::Interrupted:
      return {"interrupted", "interrupted"};
    case Errc::Usage:
      return {"usage", "cannot understand the command line"};
    case Errc::Internal:
      return {"internal", "sureflash made an error; please report it"};
  }
  return {"unlisted", "an error without a name; please report it"};
}

}  // namespace

std::string_view name(Errc code) {
  return entry(code).name;
}
std::string_view describe(Errc code) {
  return entry(code).text;
}

std::string_view name(Stage stage) {
  switch (stage) {
    case Stage::None:
      return "none";
    case Stage::Open:
      return "open";
    case Stage::Identify:
      return "identify";
    case Stage::Plan:
      return "plan";
    case Stage::Erase:
      return "erase";
    case Stage::Program:
      return "program";
    case Stage::Verify:
      return "verify";
    case Stage::Read:
      return "read";
    case Stage::Leave:
      return "leave";
    case Stage::Options:
      return "options";
  }
  return "unlisted";
}

std::string name(proto::DfuState state) {
  using enum proto::DfuState;
  switch (state) {
    case AppIdle:
      return "appIDLE";
    case AppDetach:
      return "appDETACH";
    case DfuIdle:
      return "dfuIDLE";
    case DfuDnloadSync:
      return "dfuDNLOAD-SYNC";
    case DfuDnBusy:
      return "dfuDNBUSY";
    case DfuDnloadIdle:
      return "dfuDNLOAD-IDLE";
    case DfuManifestSync:
      return "dfuMANIFEST-SYNC";
    case DfuManifest:
      return "dfuMANIFEST";
    case DfuManifestWaitReset:
      return "dfuMANIFEST-WAIT-RESET";
    case DfuUploadIdle:
      return "dfuUPLOAD-IDLE";
    case DfuError:
      return "dfuERROR";
  }
  return "state " + decimal(static_cast<std::uint8_t>(state));
}

std::string name(proto::DfuStatus status) {
  using enum proto::DfuStatus;
  switch (status) {
    case Ok:
      return "OK";
    case ErrTarget:
      return "errTARGET";
    case ErrFile:
      return "errFILE";
    case ErrWrite:
      return "errWRITE";
    case ErrErase:
      return "errERASE";
    case ErrCheckErased:
      return "errCHECK_ERASED";
    case ErrProg:
      return "errPROG";
    case ErrVerify:
      return "errVERIFY";
    case ErrAddress:
      return "errADDRESS";
    case ErrNotDone:
      return "errNOTDONE";
    case ErrFirmware:
      return "errFIRMWARE";
    case ErrVendor:
      return "errVENDOR";
    case ErrUsbr:
      return "errUSBR";
    case ErrPor:
      return "errPOR";
    case ErrUnknown:
      return "errUNKNOWN";
    case ErrStalledPkt:
      return "errSTALLEDPKT";
  }
  return "status " + hex(static_cast<std::uint8_t>(status), 2);
}

std::string message(const Error& error) {
  std::string s(describe(error.code));
  if (!error.where.name.empty()) s = error.where.name + ": " + s;
  if (error.where.range) {
    s += " at ";
    s += text(*error.where.range);
  }
  if (error.where.block) {
    s += " (block ";
    s += decimal(*error.where.block);
    s += ")";
  }
  if (!error.detail.empty()) {
    s += ": ";
    s += error.detail;
  }
  if (error.device) {
    s += " (device: ";
    s += name(error.device->bStatus);
    s += " in ";
    s += name(error.device->bState);
    s += ")";
  }
  return s;
}

}  // namespace sureflash
