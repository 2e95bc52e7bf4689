#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
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
  /// Takes segments in any order, touching ones included; empty ones are dropped. n log n for n
  /// segments. Errors: Overlap (naming the range), TooLarge (end beyond 0x1'0000'0000).
  static Result<Image> from_segments(std::vector<Segment> segments);

  /// Adds bytes, which must not be the image's own. Appending at the end costs no more than a
  /// vector's; to add many pieces out of order use `from_segments`.
  /// Errors as `from_segments`; on error the image is as before.
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

  /// Entry address, where the format has one (ELF, HEX 03 and 05, S7 to S9). ELF and S-record say
  /// "none" with 0.
  std::optional<std::uint32_t> entry;
  /// From a DFU suffix.
  std::optional<DfuIds> ids;
  /// DfuSe: the alternate settings the file has images for, rising, each once. A device may lack
  /// some of them, which must be said and not skipped.
  std::vector<std::uint8_t> alt_settings;
  /// UF2: family of the blocks taken; see stm32_family().
  std::optional<std::uint32_t> family;
  /// S0 header, DfuSe target name: whatever the file says of itself, in printable ASCII.
  std::string name;
  /// Things a reader tolerated and a person should know ("DFUImageSize is wrong", …).
  std::vector<std::string> warnings;

 private:
  std::vector<Segment> segments_;
};

struct ReadOptions {
  /// Address of the first byte of a format without addresses (binary, DFU with suffix).
  std::optional<std::uint32_t> base{};
  /// DfuSe: take this alternate setting only; without it all targets, which must not overlap.
  std::optional<std::uint8_t> alt_setting{};
  /// UF2: take this family only; without it the file must hold one family.
  std::optional<std::uint32_t> family{};
};

struct WriteOptions {
  /// Binary and DFU with suffix: byte that fills gaps. More than 16 MiB of gaps is refused
  /// (TooLarge).
  std::uint8_t fill = 0xFF;
  /// DFU and DfuSe. Without it: the image's own; without those: any device.
  std::optional<DfuIds> ids{};
  std::uint8_t alt_setting = 0;
  /// UF2. Without it: the image's own; without that: none is written.
  std::optional<std::uint32_t> family{};
  /// HEX and S-record: data bytes in one line, 1 … 250.
  std::uint8_t line_bytes = 16;
};

/// What the first bytes, the last bytes and then the file name say. Never fails: Binary is the
/// rest.
Format detect(ByteView file, std::string_view file_name);

/// Errors: FormatInvalid, Truncated, ChecksumMismatch, Overlap, NeedsBase, EmptyImage, TooLarge;
/// text formats name the line. Sizes in the file are bounded before anything is allocated: no image
/// is larger than its file.
Result<Image> read(Format format, ByteView file, const ReadOptions& options = {});
/// Errors: EmptyImage, TooLarge, Usage (line_bytes), Unsupported (ELF cannot be written).
Result<Bytes> write(Format format, const Image& image, const WriteOptions& options = {});

std::string_view name(Format format);
/// "F4" for a UF2 family that is a series of STM32, or one line of it; empty for others.
/// Source: microsoft/uf2, utils/uf2families.json.
std::string_view stm32_family(std::uint32_t uf2_family);

/// "bin", "hex" (ihex, ihx), "srec" (s19, s28, s37, mot), "elf" (axf, out), "dfu", "dfuse", "uf2".
/// Case-insensitive. `name` returns the one outside the brackets.
std::optional<Format> format_from_name(std::string_view name);

}  // namespace sureflash::image
