#include <algorithm>
#include <array>
#include <cerrno>

#include "sureflash/sim/export/usbip.hpp"

namespace sureflash::sim {
namespace {

constexpr std::uint16_t kVersion = 0x0111;
/// Operations: code of the request; the reply has the same without the top bit.
constexpr std::uint16_t kRequestDeviceList = 0x8005;
constexpr std::uint16_t kRequestImport = 0x8003;
constexpr std::size_t kOperationLength = 8;
constexpr std::size_t kPathLength = 256;
constexpr std::size_t kBusIdLength = 32;
/// Status of a reply (Linux, tools/usb/usbip/libsrc/usbip_common.h).
constexpr std::uint32_t kOk = 0;
constexpr std::uint32_t kBusy = 2;
constexpr std::uint32_t kNoDevice = 4;

constexpr std::uint32_t kCmdSubmit = 1;
constexpr std::uint32_t kCmdUnlink = 2;
constexpr std::uint32_t kRetSubmit = 3;
constexpr std::uint32_t kRetUnlink = 4;
constexpr std::size_t kHeaderLength = 48;
constexpr std::uint32_t kNotIsochronous = 0xFFFFFFFF;
/// A control transfer moves at most 65535 bytes (wLength).
constexpr std::uint32_t kDataMax = 0xFFFF;
/// More transfers under way than any host controller driver keeps for endpoint 0.
constexpr std::size_t kPendingMax = 64;
/// A client that does not read gets no further answers.
constexpr std::size_t kOutputMax = 1 << 20;
constexpr Duration kForever = 10min;

std::uint32_t be32(ByteView bytes, std::size_t at) {
  return static_cast<std::uint32_t>(bytes[at]) << 24 |
         static_cast<std::uint32_t>(bytes[at + 1]) << 16 |
         static_cast<std::uint32_t>(bytes[at + 2]) << 8 | bytes[at + 3];
}

std::uint16_t be16(ByteView bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

void put16(Bytes& bytes, std::uint16_t value) {
  bytes.push_back(static_cast<std::uint8_t>(value >> 8));
  bytes.push_back(static_cast<std::uint8_t>(value));
}

void put32(Bytes& bytes, std::uint32_t value) {
  put16(bytes, static_cast<std::uint16_t>(value >> 16));
  put16(bytes, static_cast<std::uint16_t>(value));
}

void put_text(Bytes& bytes, const std::string& text, std::size_t field) {
  bytes.insert(bytes.end(), text.begin(), text.end());
  bytes.insert(bytes.end(), field - text.size(), 0);
}

void put_operation(Bytes& bytes, std::uint16_t request, std::uint32_t status) {
  put16(bytes, kVersion);
  put16(bytes, request & 0x7FFF);
  put32(bytes, status);
}

/// struct usbip_usb_device.
void put_device(Bytes& bytes, const UsbipDevice& device) {
  const Identity& identity = *device.port->identity();
  const ByteView d = identity.device_descriptor;
  put_text(bytes, "/sys/devices/pci0000:00/usb1/" + device.bus_id, kPathLength);
  put_text(bytes, device.bus_id, kBusIdLength);
  put32(bytes, 1);
  put32(bytes, device.device_number);
  put32(bytes, identity.speed == Speed::High ? 3 : 2);
  put16(bytes, identity.vendor_id());
  put16(bytes, identity.product_id());
  put16(bytes, identity.bcd_device());
  bytes.insert(bytes.end(), {d[4], d[5], d[6], identity.configuration_value(), d[17],
                             identity.configuration[4]});
}

/// Class, subclass and protocol of each interface, padded to 4 bytes.
void put_interfaces(Bytes& bytes, const Identity& identity) {
  const ByteView c = identity.configuration;
  std::size_t left = c[4];
  for (std::size_t at = 0; at + 2 <= c.size() && c[at] >= 2 && left > 0; at += c[at]) {
    const bool interface = c[at + 1] == static_cast<std::uint8_t>(proto::DescriptorType::Interface);
    if (!interface || at + proto::kInterfaceDescriptorLength > c.size() || c[at + 3] != 0) continue;
    bytes.insert(bytes.end(), {c[at + 5], c[at + 6], c[at + 7], 0});
    --left;
  }
  // A device that announces more interfaces than it describes.
  bytes.insert(bytes.end(), left * 4, 0);
}

Bytes reply_header(std::uint32_t command, std::uint32_t sequence, int status) {
  Bytes bytes;
  put32(bytes, command);
  put32(bytes, sequence);
  bytes.insert(bytes.end(), 12, 0);  // devid, direction, endpoint: meaningless in replies
  put32(bytes, static_cast<std::uint32_t>(status));
  return bytes;
}

Bytes submit_reply(std::uint32_t sequence, int status, std::size_t actual, ByteView in) {
  Bytes bytes = reply_header(kRetSubmit, sequence, status);
  put32(bytes, static_cast<std::uint32_t>(actual));
  put32(bytes, 0);  // start_frame
  put32(bytes, kNotIsochronous);
  bytes.resize(kHeaderLength, 0);
  bytes.insert(bytes.end(), in.begin(), in.end());
  return bytes;
}

int urb_status(Handshake handshake) {
  switch (handshake) {
    case Handshake::Ack:
      return 0;
    case Handshake::Stall:
      return -EPIPE;
    case Handshake::Timeout:
      return -ETIMEDOUT;
    case Handshake::Gone:
      return -ESHUTDOWN;
  }
  return -EPROTO;
}

/// Requests that change the device for its host: the host's own kernel answers them.
bool is_port_reset(const proto::Setup& setup) {
  constexpr std::uint8_t kClassOutOther = 0x23;
  constexpr std::uint16_t kPortReset = 4;
  return setup.bmRequestType == kClassOutOther && setup.wValue == kPortReset &&
         setup.bRequest == static_cast<std::uint8_t>(proto::StandardRequest::SetFeature);
}

bool is_set_address(const proto::Setup& setup) {
  return setup.bmRequestType == proto::kStandardOutDevice &&
         setup.bRequest == static_cast<std::uint8_t>(proto::StandardRequest::SetAddress);
}

}  // namespace

UsbipSession::~UsbipSession() {
  if (device_ != nullptr) device_->imported = false;
}

void UsbipSession::device_left(const UsbipDevice& device) {
  if (device_ == &device) reject();
}

void UsbipSession::feed(ByteView bytes) {
  if (finished_) return;
  input_.insert(input_.end(), bytes.begin(), bytes.end());
  std::size_t used = 0;
  while (!finished_) {
    const ByteView rest = ByteView(input_).subspan(used);
    const std::size_t length = device_ == nullptr ? take_operation(rest) : take_urb(rest);
    if (length == 0) break;
    used += length;
    if (output_.size() > kOutputMax) reject();
  }
  input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(used));
}

std::size_t UsbipSession::take_operation(ByteView input) {
  if (input.size() < kOperationLength) return 0;
  if (be16(input, 0) != kVersion) {
    reject();
    return 0;
  }
  switch (be16(input, 2)) {
    case kRequestDeviceList:
      list_devices();
      return kOperationLength;
    case kRequestImport:
      if (input.size() < kOperationLength + kBusIdLength) return 0;
      import(input.subspan(kOperationLength, kBusIdLength));
      return kOperationLength + kBusIdLength;
    default:
      reject();
      return 0;
  }
}

void UsbipSession::list_devices() {
  put_operation(output_, kRequestDeviceList, kOk);
  const auto visible = [](const auto& entry) {
    return entry.second.port->identity() != nullptr && !entry.second.imported;
  };
  put32(output_,
        static_cast<std::uint32_t>(std::count_if(devices_->begin(), devices_->end(), visible)));
  for (const auto& entry : *devices_) {
    if (!visible(entry)) continue;
    put_device(output_, entry.second);
    put_interfaces(output_, *entry.second.port->identity());
  }
  finished_ = true;  // like usbipd: one question, one connection
}

void UsbipSession::import(ByteView bus_id) {
  const auto end = std::find(bus_id.begin(), bus_id.end(), 0);
  const auto it = devices_->find(std::string(bus_id.begin(), end));
  if (it == devices_->end() || it->second.port->identity() == nullptr || it->second.imported) {
    const bool busy = it != devices_->end() && it->second.imported;
    put_operation(output_, kRequestImport, busy ? kBusy : kNoDevice);
    finished_ = true;
    return;
  }
  device_ = &it->second;
  device_->imported = true;
  put_operation(output_, kRequestImport, kOk);
  put_device(output_, *device_);
}

std::size_t UsbipSession::take_urb(ByteView input) {
  if (input.size() < kHeaderLength) return 0;
  const ByteView header = input.first(kHeaderLength);
  const std::uint32_t command = be32(header, 0);
  if (command == kCmdUnlink) {
    unlink(header);
    return kHeaderLength;
  }
  const bool is_out = be32(header, 12) == 0;
  const std::uint32_t data_length = be32(header, 24);
  const std::uint32_t packets = be32(header, 32);
  const bool isochronous = packets != 0 && packets != kNotIsochronous;
  if (command != kCmdSubmit || data_length > kDataMax || isochronous ||
      pending_.size() >= kPendingMax) {
    reject();
    return 0;
  }
  const std::size_t follows = is_out ? data_length : 0;
  if (input.size() < kHeaderLength + follows) return 0;
  submit(header, input.subspan(kHeaderLength, follows));
  return kHeaderLength + follows;
}

void UsbipSession::submit(ByteView header, ByteView data) {
  const std::uint32_t sequence = be32(header, 4);
  const std::uint32_t data_length = be32(header, 24);
  const ByteView raw = header.subspan(40, 8);
  const proto::Setup setup{raw[0], raw[1], load_le16(raw, 2), load_le16(raw, 4), load_le16(raw, 6)};
  HostPort& port = *device_->port;
  const bool direction_fits = setup.wLength == 0 || setup.is_in() == (be32(header, 12) != 0);
  if (be32(header, 16) != 0 || setup.wLength > data_length || !direction_fits) {
    // No such endpoint; or a setup packet that contradicts the transfer.
    pending_.push_back({sequence, submit_reply(sequence, -EINVAL, 0, {}), port.wall()});
    return;
  }
  Bytes in(setup.is_in() ? setup.wLength : 0);
  HostPort::Done done{{}, port.wall()};
  if (is_port_reset(setup)) {
    done = port.reset();
  } else if (!is_set_address(setup)) {
    const ByteView out = setup.is_in() ? ByteView{} : data.first(setup.wLength);
    done = port.control(setup, out, in, kForever);
  }
  const std::size_t actual = std::min<std::size_t>(done.completion.actual, setup.wLength);
  in.resize(setup.is_in() ? actual : 0);
  pending_.push_back({sequence,
                      submit_reply(sequence, urb_status(done.completion.handshake), actual, in),
                      done.due});
}

void UsbipSession::unlink(ByteView header) {
  const std::uint32_t victim = be32(header, 20);
  const std::size_t taken_back =
      std::erase_if(pending_, [&](const Urb& urb) { return urb.sequence == victim; });
  // 0: its answer has been sent already.
  Bytes reply = reply_header(kRetUnlink, be32(header, 4), taken_back != 0 ? -ECONNRESET : 0);
  reply.resize(kHeaderLength, 0);
  output_.insert(output_.end(), reply.begin(), reply.end());
}

std::optional<Duration> UsbipSession::tick() {
  if (device_ == nullptr) return std::nullopt;
  const Duration now = device_->port->wall();
  std::optional<Duration> next;
  for (auto it = pending_.begin(); it != pending_.end();) {
    if (it->due <= now) {
      output_.insert(output_.end(), it->reply.begin(), it->reply.end());
      it = pending_.erase(it);
    } else {
      next = std::min(next.value_or(it->due), it->due);
      ++it;
    }
  }
  return next;
}

}  // namespace sureflash::sim
