#pragma once

#include "support.hpp"

/// Builds binary files field by field, right or wrong, the way the specifications lay them out and
/// without the code under test.
namespace sureflash::image::test {

inline void append(Bytes& to, const Bytes& data) {
  to.insert(to.end(), data.begin(), data.end());
}

/// CRC-32 without the final inversion, bit by bit as in DFU 1.1, appendix B.
inline std::uint32_t slow_crc(const Bytes& data) {
  std::uint32_t crc = 0xFFFF'FFFF;
  for (const std::uint8_t byte : data) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0xEDB8'8320U : crc >> 1;
  }
  return crc;
}

struct SuffixFields {
  std::uint16_t bcdDevice = 0xFFFF;
  std::uint16_t idProduct = 0xDF11;
  std::uint16_t idVendor = 0x0483;
  std::uint16_t bcdDFU = 0x0100;
  std::uint8_t bLength = 16;
};

inline Bytes with_suffix(Bytes file, const SuffixFields& fields = {}) {
  for (const std::uint16_t field :
       {fields.bcdDevice, fields.idProduct, fields.idVendor, fields.bcdDFU})
    append_le16(file, field);
  append(file, bytes("UFD"));
  file.push_back(fields.bLength);
  append_le32(file, slow_crc(file));
  return file;
}

inline Bytes element(std::uint32_t address, const Bytes& data) {
  Bytes out;
  append_le32(out, address);
  append_le32(out, static_cast<std::uint32_t>(data.size()));
  append(out, data);
  return out;
}

struct TargetFields {
  std::uint8_t alt_setting = 0;
  std::uint32_t elements = 1;
  std::uint32_t named = 1;
  Bytes name = bytes("Flash");
  std::optional<std::uint32_t> size{};
};

inline Bytes target(const Bytes& elements, const TargetFields& fields = {}) {
  Bytes out = bytes("Target");
  out.push_back(fields.alt_setting);
  append_le32(out, fields.named);
  Bytes name = fields.name;
  name.resize(255);
  append(out, name);
  append_le32(out, fields.size.value_or(static_cast<std::uint32_t>(elements.size())));
  append_le32(out, fields.elements);
  append(out, elements);
  return out;
}

/// Images and what else stands between prefix and suffix.
inline Bytes dfuse(std::uint8_t targets, const Bytes& body, std::uint32_t wrong_size_by = 0) {
  Bytes out = bytes("DfuSe\x01");
  append_le32(out, static_cast<std::uint32_t>(body.size()) + 11 + wrong_size_by);
  out.push_back(targets);
  append(out, body);
  return with_suffix(out, {.bcdDFU = 0x011A});
}

struct Uf2Fields {
  std::uint32_t flags = 0;
  std::uint32_t address = 0x0800'0000;
  std::uint32_t payload = 256;
  std::uint32_t number = 0;
  std::uint32_t count = 1;
  std::uint32_t family = 0;
};

inline Bytes uf2_block(const Uf2Fields& fields, std::uint8_t fill = 0x5A) {
  Bytes out;
  for (const std::uint32_t field : {0x0A32'4655U, 0x9E5D'5157U, fields.flags, fields.address,
                                    fields.payload, fields.number, fields.count, fields.family})
    append_le32(out, field);
  out.resize(508, fill);
  append_le32(out, 0x0AB1'6F30);
  return out;
}

struct ElfSegment {
  std::uint32_t address;
  Bytes data;
  std::uint32_t type = 1;
  std::optional<std::uint32_t> vaddr{};
  std::optional<std::uint32_t> offset{};
  std::optional<std::uint32_t> filesz{};
};

struct ElfFields {
  std::uint8_t ei_class = 1;
  std::uint8_t ei_data = 1;
  std::uint16_t machine = 40;
  std::uint32_t entry = 0x0800'00ED;
};

/// Header, program headers, then the data of the segments in turn.
inline Bytes elf(const std::vector<ElfSegment>& segments, const ElfFields& fields = {}) {
  Bytes out = bytes(
      "\x7F"
      "ELF");
  append(out, {fields.ei_class, fields.ei_data, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  append_le16(out, 2);  // ET_EXEC
  append_le16(out, fields.machine);
  for (const std::uint32_t field : {1U, fields.entry, 52U, 0U, 0x0500'0200U})
    append_le32(out, field);
  for (const std::size_t field : {std::size_t{52}, std::size_t{32}, segments.size()})
    append_le16(out, static_cast<std::uint16_t>(field));
  append_le16(out, 40);
  append_le32(out, 0);
  std::size_t offset = 52 + 32 * segments.size();
  for (const ElfSegment& s : segments) {
    const auto size = static_cast<std::uint32_t>(s.data.size());
    for (const std::uint32_t field :
         {s.type, s.offset.value_or(static_cast<std::uint32_t>(offset)),
          s.vaddr.value_or(s.address), s.address, s.filesz.value_or(size), size + 64, 7U, 4U})
      append_le32(out, field);
    offset += size;
  }
  for (const ElfSegment& s : segments) append(out, s.data);
  return out;
}

}  // namespace sureflash::image::test
