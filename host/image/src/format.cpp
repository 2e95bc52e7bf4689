#include <algorithm>
#include <utility>

#include "codec.hpp"
#include "dfu_suffix.hpp"

namespace sureflash::image {
namespace {

struct FormatName {
  std::string_view name;
  Format format;
};

/// The first entry of a format is its name.
constexpr FormatName kNames[] = {
    {"bin", Format::Binary},   {"hex", Format::IntelHex}, {"ihex", Format::IntelHex},
    {"ihx", Format::IntelHex}, {"srec", Format::SRecord}, {"s19", Format::SRecord},
    {"s28", Format::SRecord},  {"s37", Format::SRecord},  {"mot", Format::SRecord},
    {"elf", Format::Elf},      {"axf", Format::Elf},      {"out", Format::Elf},
    {"dfu", Format::Dfu},      {"dfuse", Format::DfuSe},  {"uf2", Format::Uf2},
};

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool has_dfu_suffix(ByteView file) {
  const auto suffix = read_dfu_suffix(file);
  return suffix && *suffix;
}

}  // namespace

std::string_view name(Format format) {
  return std::ranges::find(kNames, format, &FormatName::format)->name;
}

std::optional<Format> format_from_name(std::string_view name) {
  const auto same = [&](const FormatName& entry) {
    return std::ranges::equal(entry.name, name, {}, {}, lower);
  };
  const auto* found = std::ranges::find_if(kNames, same);
  if (found == std::end(kNames)) return std::nullopt;
  return found->format;
}

Format detect(ByteView file, std::string_view file_name) {
  if (looks_like_elf(file)) return Format::Elf;
  if (looks_like_uf2(file)) return Format::Uf2;
  if (looks_like_dfuse(file)) return Format::DfuSe;
  if (has_dfu_suffix(file)) return Format::Dfu;
  if (looks_like_intel_hex(file)) return Format::IntelHex;
  if (looks_like_s_record(file)) return Format::SRecord;
  const std::size_t dot = file_name.rfind('.');
  if (dot == file_name.npos) return Format::Binary;
  return format_from_name(file_name.substr(dot + 1)).value_or(Format::Binary);
}

Result<Image> read(Format format, ByteView file, const ReadOptions& options) {
  switch (format) {
    case Format::Binary:
      return read_binary(file, options);
    case Format::IntelHex:
      return read_intel_hex(file, options);
    case Format::SRecord:
      return read_s_record(file, options);
    case Format::Elf:
      return read_elf(file, options);
    case Format::Dfu:
      return read_dfu(file, options);
    case Format::DfuSe:
      return read_dfuse(file, options);
    case Format::Uf2:
      return read_uf2(file, options);
  }
  return fail(Errc::FormatUnknown);
}

Result<Bytes> write(Format format, const Image& image, const WriteOptions& options) {
  if (image.empty()) return fail(Errc::EmptyImage);
  switch (format) {
    case Format::Binary:
      return write_binary(image, options);
    case Format::IntelHex:
      return write_intel_hex(image, options);
    case Format::SRecord:
      return write_s_record(image, options);
    case Format::Elf:
      return fail(Errc::Unsupported, "ELF files are read, not written");
    case Format::Dfu:
      return write_dfu(image, options);
    case Format::DfuSe:
      return write_dfuse(image, options);
    case Format::Uf2:
      return write_uf2(image, options);
  }
  return fail(Errc::FormatUnknown);
}

std::string printable(ByteView text) {
  const auto end = std::ranges::find(text, 0);
  std::string result;
  for (const std::uint8_t byte : text.first(static_cast<std::size_t>(end - text.begin())))
    result += byte >= 0x20 && byte < 0x7F ? static_cast<char>(byte) : '?';
  return result;
}

}  // namespace sureflash::image
