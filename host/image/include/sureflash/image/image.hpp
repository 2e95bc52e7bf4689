#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sureflash/base/address_range.hpp"
#include "sureflash/base/bytes.hpp"
#include "sureflash/base/error.hpp"

/// Firmware images: bytes of a file in, segments out, and back. No I/O, no exceptions.
namespace sureflash::image {

/// A run of bytes at consecutive addresses.
struct Segment {
  std::uint32_t address = 0;
  Bytes data;

  AddressRange range() const { return AddressRange::sized(address, data.size()); }
  friend bool operator==(const Segment&, const Segment&) = default;
};

enum class Format : std::uint8_t { Binary, IntelHex, SRecord, Elf, Dfu, DfuSe, Uf2 };

/// What a DFU suffix says of the device the file is for. 0xFFFF: any.
/// Source: DFU 1.1, appendix B.
struct DfuIds {
  std::uint16_t idVendor = 0xFFFF;
  std::uint16_t idProduct = 0xFFFF;
  std::uint16_t bcdDevice = 0xFFFF;
  friend bool operator==(const DfuIds&, const DfuIds&) = default;
};

/// A sparse image: segments in rising order of address, none empty, none overlapping, neighbours
/// that touch joined. The invariant is kept by `insert`; there is no flat buffer, so a file with
/// flash and option bytes is as small as its data.
class Image {
 public:
  /// Adds bytes. Errors: Overlap (naming the range), TooLarge (end beyond 0x1'0000'0000).
  Result<void> insert(std::uint32_t address, ByteView data);

  std::span<const Segment> segments() const { return segments_; }
  bool empty() const { return segments_.empty(); }
  /// Number of bytes in all segments.
  std::uint64_t size() const;
  /// From the first to one past the last byte, gaps included. Empty image: empty range.
  AddressRange bounds() const;
  /// Copies what the image holds inside `range` over `out` (out.size() == range.size()); other
  /// bytes of `out` stay as they are. Returns the number of bytes copied.
  std::uint64_t read(AddressRange range, ByteSpan out) const;
  /// Whether every byte of `range` is in the image.
  bool covers(AddressRange range) const;

  /// Entry address, where the format has one (ELF, HEX 05, S7 to S9).
  std::optional<std::uint32_t> entry;
  /// From a DFU suffix.
  std::optional<DfuIds> ids;
  /// S0 header, DfuSe target name: whatever the file says of itself.
  std::string name;
  /// Things a reader tolerated and a person should know ("DFUImageSize is wrong", …).
  std::vector<std::string> warnings;

 private:
  std::vector<Segment> segments_;
};

struct ReadOptions {
  /// Address of the first byte of a format without addresses (binary, DFU with suffix).
  std::optional<std::uint32_t> base;
  /// DfuSe: take this alternate setting only; without it all targets, which must not overlap.
  std::optional<std::uint8_t> alt_setting;
  /// UF2: take this family only; without it the file must hold one family.
  std::optional<std::uint32_t> family;
};

struct WriteOptions {
  /// Binary: byte that fills gaps. Gaps of more than 16 MiB are refused (Errc::TooLarge).
  std::uint8_t fill = 0xFF;
  DfuIds ids;
  std::uint8_t alt_setting = 0;
  /// UF2.
  std::optional<std::uint32_t> family;
  /// HEX and S-record: data bytes in one line, 1 … 250.
  std::uint8_t line_bytes = 16;
};

/// What the first bytes, the last bytes and then the file name say. Never fails: Binary is the
/// rest.
Format detect(ByteView file, std::string_view file_name);

/// Errors: FormatInvalid, Truncated, ChecksumMismatch, Overlap, NeedsBase, EmptyImage, TooLarge;
/// text formats name the line. Sizes in the file are bounded before anything is allocated.
Result<Image> read(Format format, ByteView file, const ReadOptions& options = {});
/// ELF cannot be written (Unsupported).
Result<Bytes> write(Format format, const Image& image, const WriteOptions& options = {});

std::string_view name(Format format);
/// "bin", "hex", "srec" (s19, s28, s37, mot), "elf" (axf, out), "dfu", "dfuse", "uf2".
/// Case-insensitive.
std::optional<Format> format_from_name(std::string_view name);

}  // namespace sureflash::image
