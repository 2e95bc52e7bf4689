#include "sureflash/dfu/descriptors.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "sureflash/base/text.hpp"
#include "sureflash/dfu/client.hpp"

namespace sureflash::dfu {
namespace {

using proto::DescriptorType;

constexpr std::size_t kConfigurationMax = 4096;
constexpr std::size_t kStringMax = 255;
constexpr Duration kDescriptorTimeout = 5s;
constexpr std::uint16_t kEnglishUs = 0x0409;

void append_utf8(std::string& s, std::uint32_t c) {
  const auto put = [&s](std::uint32_t byte) { s += static_cast<char>(byte); };
  if (c < 0x20 || c == 0x7F) {
    s += '?';
  } else if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

/// Walks the descriptors of a configuration; stops at one that lies about its length.
template <class Visit>
bool for_each_descriptor(ByteView bytes, Visit visit) {
  while (bytes.size() >= 2) {
    const std::size_t length = bytes[0];
    if (length < 2 || length > bytes.size()) return false;
    visit(static_cast<DescriptorType>(bytes[1]), bytes.first(length));
    bytes = bytes.subspan(length);
  }
  return bytes.empty();
}

FunctionalDescriptor parse_functional(ByteView d, std::vector<std::string>& warnings) {
  FunctionalDescriptor f;
  f.bmAttributes = d[2];
  f.wDetachTimeOut_ms = load_le16(d, 3);
  f.wTransferSize = load_le16(d, 5);
  f.bcdDFUVersion = proto::kBcdDfu10;
  if (d.size() >= proto::kFunctionalDescriptorLength) {
    f.bcdDFUVersion = load_le16(d, 7);
    if (f.bcdDFUVersion == 0x1A01) {  // seen in the opc-20 log of dfu-util
      f.bcdDFUVersion = proto::kBcdDfuSe;
      warnings.emplace_back("bcdDFUVersion is byte-swapped (0x1A01); read as 0x011A");
    }
  }
  return f;
}

std::uint16_t bounded_transfer_size(std::uint16_t size, std::vector<std::string>& warnings) {
  if (size == 0) {
    warnings.emplace_back("wTransferSize is 0; 1024 is used");
    return kTransferSizeDefault;
  }
  if (size > kTransferSizeMax) {
    warnings.emplace_back("wTransferSize is " + decimal(size) + "; 4096 is used");
    return kTransferSizeMax;
  }
  return size;
}

struct Candidate {
  std::uint8_t interface_number = 0;
  std::uint8_t protocol = 0;
  std::vector<AltSetting> alts;
  std::optional<FunctionalDescriptor> functional;
};

std::vector<Candidate> find_candidates(ByteView bytes, std::vector<std::string>& warnings) {
  std::vector<Candidate> found;
  bool in_dfu = false;
  const auto visit = [&](DescriptorType type, ByteView d) {
    if (type == DescriptorType::Interface && d.size() >= proto::kInterfaceDescriptorLength) {
      in_dfu = d[5] == proto::kDfuInterfaceClass && d[6] == proto::kDfuInterfaceSubClass;
      if (!in_dfu) return;
      auto it = std::ranges::find(found, d[2], &Candidate::interface_number);
      if (it == found.end()) it = found.insert(found.end(), {d[2], d[7], {}, {}});
      it->alts.push_back({d[3], d[8], {}});
    } else if (type == DescriptorType::DfuFunctional && in_dfu &&
               d.size() >= proto::kFunctionalDescriptorLengthDfu10) {
      found.back().functional = parse_functional(d, warnings);
    }
  };
  if (!for_each_descriptor(bytes, visit)) {
    warnings.emplace_back("the configuration descriptor is damaged; its readable part is used");
  }
  return found;
}

/// GET_DESCRIPTOR. A shorter answer than asked for is normal.
Task<Bytes> get_descriptor(DescriptorType type, std::uint8_t index, std::uint16_t language,
                           std::size_t size) {
  Bytes buffer(size);
  const Answer answer = co_await step(ControlTransfer{
      {proto::kStandardInDevice, static_cast<std::uint8_t>(proto::StandardRequest::GetDescriptor),
       static_cast<std::uint16_t>(static_cast<unsigned>(type) << 8 | index), language,
       static_cast<std::uint16_t>(size)},
      {},
      buffer,
      kDescriptorTimeout});
  co_await check(answer, "GET_DESCRIPTOR");
  buffer.resize(std::min(answer.actual, size));
  co_return buffer;
}

/// Text of a string descriptor; empty when the device has none or does not give it.
Task<std::string> get_string(std::uint8_t index, std::uint16_t language) {
  if (index == 0) co_return std::string();
  auto bytes = co_await caught(get_descriptor(DescriptorType::String, index, language, kStringMax));
  if (!bytes) {
    if (bytes.error().code == Errc::Stalled) co_return std::string();
    co_return fail(std::move(bytes).error());
  }
  auto text = parse_string_descriptor(*bytes);
  co_return text ? *std::move(text) : std::string();
}

Task<std::uint16_t> get_language() {
  auto bytes = co_await caught(get_descriptor(DescriptorType::String, 0, 0, kStringMax));
  if (!bytes || bytes->size() < 4) co_return kEnglishUs;
  co_return load_le16(*bytes, 2);
}

}  // namespace

Result<DeviceDescriptor> parse_device_descriptor(ByteView bytes) {
  if (bytes.size() < proto::kDeviceDescriptorLength) {
    return fail(Errc::BadDescriptor,
                "the device descriptor has " + decimal(bytes.size()) + " of 18 bytes");
  }
  if (bytes[1] != static_cast<std::uint8_t>(DescriptorType::Device)) {
    return fail(Errc::BadDescriptor, "the device descriptor has type " + hex(bytes[1], 2));
  }
  return DeviceDescriptor{.bcdUSB = load_le16(bytes, 2),
                          .idVendor = load_le16(bytes, 8),
                          .idProduct = load_le16(bytes, 10),
                          .bcdDevice = load_le16(bytes, 12),
                          .iManufacturer = bytes[14],
                          .iProduct = bytes[15],
                          .iSerialNumber = bytes[16],
                          .bNumConfigurations = bytes[17]};
}

Result<Interface> parse_configuration(ByteView bytes, std::vector<std::string>& warnings) {
  if (bytes.size() < proto::kConfigurationDescriptorLength ||
      bytes[1] != static_cast<std::uint8_t>(DescriptorType::Configuration)) {
    return fail(Errc::BadDescriptor, "not a configuration descriptor");
  }
  const std::vector<Candidate> candidates = find_candidates(bytes, warnings);
  if (candidates.empty()) return fail(Errc::NotDfu);
  auto chosen = std::ranges::find_if(
      candidates, [](const Candidate& c) { return c.protocol != proto::kDfuProtocolRunTime; });
  if (chosen == candidates.end()) chosen = candidates.begin();

  Interface result;
  result.interface_number = chosen->interface_number;
  result.mode = chosen->protocol == proto::kDfuProtocolRunTime ? Mode::RunTime : Mode::Dfu;
  result.alt_settings = chosen->alts;
  if (chosen->protocol > proto::kDfuProtocolDfuMode || chosen->protocol == 0) {
    warnings.emplace_back("bInterfaceProtocol is " + decimal(chosen->protocol) +
                          "; taken as DFU mode");
  }
  if (chosen->functional) {
    result.functional = *chosen->functional;
    result.transfer_size = bounded_transfer_size(result.functional.wTransferSize, warnings);
  } else {
    warnings.emplace_back(
        "there is no DFU functional descriptor; download, upload and 1024 bytes assumed");
    result.functional.bmAttributes = proto::kCanDnload | proto::kCanUpload;
    result.functional.bcdDFUVersion = proto::kBcdDfu10;
  }
  result.dfuse = result.functional.bcdDFUVersion == proto::kBcdDfuSe;
  return result;
}

Result<std::string> parse_string_descriptor(ByteView bytes) {
  if (bytes.size() < 2 || bytes[1] != static_cast<std::uint8_t>(DescriptorType::String) ||
      bytes[0] < 2) {
    return fail(Errc::BadDescriptor, "not a string descriptor");
  }
  ByteView units = bytes.subspan(2, std::min<std::size_t>(bytes[0], bytes.size()) - 2);
  while (units.size() >= 2 && load_le16(units, units.size() / 2 * 2 - 2) == 0) {
    units = units.first(units.size() / 2 * 2 - 2);
  }
  std::string text;
  for (std::size_t i = 0; i + 1 < units.size(); i += 2) {
    std::uint32_t c = load_le16(units, i);
    if (c >= 0xD800 && c < 0xE000) {
      const std::uint32_t low = i + 3 < units.size() ? load_le16(units, i + 2) : 0U;
      if (c < 0xDC00 && low >= 0xDC00 && low < 0xE000) {
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
        i += 2;
      } else {
        c = 0xFFFD;
      }
    }
    append_utf8(text, c);
  }
  return text;
}

Task<Descriptors> read_descriptors(Strings strings) {
  Descriptors d;
  const Bytes device =
      co_await get_descriptor(DescriptorType::Device, 0, 0, proto::kDeviceDescriptorLength);
  d.device = co_await parse_device_descriptor(device);
  const Bytes header = co_await get_descriptor(DescriptorType::Configuration, 0, 0,
                                               proto::kConfigurationDescriptorLength);
  if (header.size() < proto::kConfigurationDescriptorLength) {
    co_return fail(Errc::BadDescriptor, "the configuration descriptor is too short");
  }
  const std::size_t total = std::clamp<std::size_t>(
      load_le16(header, 2), proto::kConfigurationDescriptorLength, kConfigurationMax);
  const Bytes configuration = co_await get_descriptor(DescriptorType::Configuration, 0, 0, total);
  d.dfu = co_await parse_configuration(configuration, d.warnings);
  if (strings == Strings::Leave) co_return d;

  const std::uint16_t language = co_await get_language();
  d.manufacturer = co_await get_string(d.device.iManufacturer, language);
  d.product = co_await get_string(d.device.iProduct, language);
  d.serial = co_await get_string(d.device.iSerialNumber, language);
  for (AltSetting& alt : d.dfu.alt_settings) {
    alt.text = co_await get_string(alt.iInterface, language);
    if (alt.text.starts_with('@')) d.dfu.dfuse = true;
  }
  co_return d;
}

}  // namespace sureflash::dfu
