#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sureflash/base/address_range.hpp"
#include "sureflash/proto/dfu.hpp"

namespace sureflash {

/// What went wrong. The numbers are stable API: append, never renumber, never reuse.
/// Every value has a text (`describe`) and a remedy (`update/diagnose`).
enum class Errc : std::uint16_t {
  // 1xx: finding and opening a device
  NoDevice = 100,
  SeveralDevices = 101,
  PermissionDenied = 102,
  DeviceBusy = 103,
  Unsupported = 104,
  DeviceSpec = 105,
  UsbLibraryMissing = 106,
  // 2xx: the wire
  Stalled = 200,
  TimedOut = 201,
  Disconnected = 202,
  TransferFailed = 203,
  ResponseTooShort = 204,
  BadDescriptor = 205,
  NotDfu = 206,
  // 3xx: DFU and DfuSe
  DeviceReportsError = 300,
  UnexpectedState = 301,
  StuckBusy = 302,
  NoIdle = 303,
  BadLayout = 304,
  NoLayout = 305,
  CannotUpload = 306,
  CannotDownload = 307,
  DidNotReturn = 308,
  // 4xx: images
  FileUnreadable = 400,
  FileUnwritable = 401,
  FormatUnknown = 402,
  FormatInvalid = 403,
  Truncated = 404,
  ChecksumMismatch = 405,
  Overlap = 406,
  NeedsBase = 407,
  EmptyImage = 408,
  TooLarge = 409,
  NotForThisDevice = 410,
  NoUnitData = 411,
  BadUnitData = 412,
  // 5xx: the plan
  OutsideMemory = 500,
  NotWritable = 501,
  NotErasable = 502,
  NotReadable = 503,
  VectorTableImplausible = 504,
  WrongBase = 505,
  Misaligned = 506,
  NeedsConsent = 507,
  EntryCodeDiffers = 508,
  WrongFamily = 509,
  // 6xx: what the chip did
  WriteProtected = 600,
  ReadProtected = 601,
  DataNotStored = 602,
  EraseHadNoEffect = 603,
  VerifyMismatch = 604,
  EraseTooWide = 605,
  LeftDfuUnexpectedly = 606,
  CameBackInDfu = 607,
  // 7xx: us
  Interrupted = 700,
  Usage = 701,
  Internal = 702,
};

/// Which part of the job it happened in.
enum class Stage : std::uint8_t {
  None,
  Open,
  Identify,
  Plan,
  Erase,
  Program,
  Verify,
  Read,
  Leave,
  Options
};

/// Where it happened; only what is known is set.
struct Context {
  std::optional<AddressRange> range;
  std::optional<std::uint32_t> block;
  std::optional<std::uint8_t> alt_setting;
  /// File name and line, port path, key of an option: whatever names the thing.
  std::string name;
};

/// A failure as it happened. Advice is not part of it (see `update/diagnose`).
struct Error {
  Errc code = Errc::Internal;
  Stage stage = Stage::None;
  Context where{};
  /// One clause in words, without the name of the error: "line 3: record is shorter than its
  /// length".
  std::string detail{};
  /// bStatus, bState and iString exactly as the device sent them.
  std::optional<proto::StatusReply> device{};
  /// errno or libusb code.
  std::optional<int> os{};
  /// What failed underneath.
  std::shared_ptr<const Error> cause{};

  explicit Error(Errc errc, std::string what = {}) : code(errc), detail(std::move(what)) {}
  Error() = default;

  /// Sets the stage and, where nothing more exact is known, the range.
  Error&& in(Stage s, std::optional<AddressRange> range = std::nullopt) && {
    stage = s;
    if (range && !where.range) where.range = range;
    return std::move(*this);
  }
  Error&& at(AddressRange range) && {
    where.range = range;
    return std::move(*this);
  }
  Error&& named(std::string name) && {
    where.name = std::move(name);
    return std::move(*this);
  }
  Error&& because(Error underlying) && {
    cause = std::make_shared<const Error>(std::move(underlying));
    return std::move(*this);
  }
};

template <class T>
using Result = std::expected<T, Error>;

/// For `return fail(Errc::Truncated, "…")` in functions, `co_return fail(…)` in coroutines.
inline std::unexpected<Error> fail(Errc code, std::string detail = {}) {
  return std::unexpected<Error>(Error(code, std::move(detail)));
}
inline std::unexpected<Error> fail(Error error) {
  return std::unexpected<Error>(std::move(error));
}

/// Stable identifier of an error for machines: "data-not-stored".
std::string_view name(Errc code);
/// What happened, as a clause for people: "the device accepts data but does not store it".
std::string_view describe(Errc code);
std::string_view name(Stage stage);
/// "dfuDNLOAD-IDLE", or "state 15" for what the specification does not name.
std::string name(proto::DfuState state);
/// "errTARGET", or "status 0x42".
std::string name(proto::DfuStatus status);

/// One line: what happened, to what (address, block), what the device said. No advice.
std::string message(const Error& error);

}  // namespace sureflash

/// The only control-flow macros, for plain functions; coroutines use co_await.
#define SUREFLASH_CONCAT_(a, b) a##b
#define SUREFLASH_CONCAT(a, b) SUREFLASH_CONCAT_(a, b)
#define TRY(expr)                                                                 \
  do {                                                                            \
    if (auto try_result_ = (expr); !try_result_)                                  \
      return std::unexpected<::sureflash::Error>(std::move(try_result_).error()); \
  } while (false)
#define TRY_ASSIGN_(temporary, lhs, expr)                                                   \
  auto temporary = (expr);                                                                  \
  if (!temporary) return std::unexpected<::sureflash::Error>(std::move(temporary).error()); \
  lhs = *std::move(temporary)
#define TRY_ASSIGN(lhs, expr) TRY_ASSIGN_(SUREFLASH_CONCAT(try_assign_, __LINE__), lhs, expr)
