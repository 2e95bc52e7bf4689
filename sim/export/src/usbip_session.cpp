#include <algorithm>
#include <array>
#include <cerrno>

#include "urb_status.hpp"

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
/// transfer_flags (Linux, include/linux/usb.h).
constexpr std::uint32_t kShortNotOk = 0x0001;
constexpr std::uint32_t kZeroPacket = 0x0040;
/// No driver sends more in one transfer; usb-storage is content with 120 KiB.
constexpr std::uint32_t kDataMax = 1 << 20;
/// More transfers under way than any driver keeps (cdc-acm: 16 to read, 16 to write), and all their
/// buffers together.
constexpr std::size_t kPendingMax = 64;
constexpr std::size_t kPendingBytesMax = 4 << 20;
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
  std::size_t left = identity.configuration[4];
  for (const InterfaceInfo& i : identity.interfaces) {
    if (i.alt_setting != 0 || left == 0) continue;
    bytes.insert(bytes.end(), {i.interface_class, i.subclass, i.protocol, 0});
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

/// USBIP_CMD_SUBMIT.
struct UsbipSession::Command {
  Command(ByteView header, ByteView payload)
      : sequence(be32(header, 4)),
        is_in(be32(header, 12) != 0),
        endpoint(be32(header, 16)),
        flags(be32(header, 20)),
        length(be32(header, 24)),
        setup{header[40], header[41], load_le16(header, 42), load_le16(header, 44),
              load_le16(header, 46)},
        data(payload) {}

  std::uint32_t sequence;
  bool is_in;
  std::uint32_t endpoint;  ///< number
  std::uint32_t flags;
  std::uint32_t length;
  proto::Setup setup;
  ByteView data;
};

UsbipSession::~UsbipSession() {
  if (device_ == nullptr) return;
  device_->imported = false;
  for (const Urb& urb : pending_) device_->port->cancel(*urb.transfer);
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
      pending_.size() >= kPendingMax || pending_bytes_ + data_length > kPendingBytesMax) {
    reject();
    return 0;
  }
  const std::size_t follows = is_out ? data_length : 0;
  if (input.size() < kHeaderLength + follows) return 0;
  const Command submit(header, input.subspan(kHeaderLength, follows));
  submit.endpoint == 0 ? submit_control(submit) : submit_endpoint(submit);
  return kHeaderLength + follows;
}

void UsbipSession::refuse(std::uint32_t sequence) {
  auto transfer = std::make_shared<Transfer>();
  transfer->due = device_->port->wall();
  pending_.push_back({.sequence = sequence, .transfer = std::move(transfer), .error = EINVAL});
}

void UsbipSession::submit_control(const Command& command) {
  const proto::Setup& setup = command.setup;
  HostPort& port = *device_->port;
  const bool direction_fits = setup.wLength == 0 || setup.is_in() == command.is_in;
  // A setup packet that contradicts the transfer.
  if (setup.wLength > command.length || !direction_fits) return refuse(command.sequence);
  auto transfer = std::make_shared<Transfer>();
  transfer->endpoint = setup.is_in() ? 0x80 : 0;
  transfer->data.resize(setup.is_in() ? setup.wLength : 0);
  HostPort::Done done{{}, port.wall()};
  if (is_port_reset(setup)) {
    done = port.reset();
  } else if (!is_set_address(setup)) {
    const ByteView out = setup.is_in() ? ByteView{} : command.data.first(setup.wLength);
    done = port.control(setup, out, transfer->data, kForever);
  }
  transfer->completion = done.completion;
  transfer->completion.actual = std::min<std::size_t>(done.completion.actual, setup.wLength);
  transfer->due = done.due;
  pending_.push_back({.sequence = command.sequence,
                      .transfer = std::move(transfer),
                      .short_not_ok = (command.flags & kShortNotOk) != 0});
}

void UsbipSession::submit_endpoint(const Command& command) {
  const std::uint32_t address = command.endpoint | (command.is_in ? 0x80U : 0U);
  HostPort& port = *device_->port;
  if (command.endpoint > 15 || port.endpoint(static_cast<std::uint8_t>(address)) == nullptr) {
    return refuse(command.sequence);
  }
  auto transfer = std::make_shared<Transfer>();
  transfer->endpoint = static_cast<std::uint8_t>(address);
  transfer->data.assign(command.data.begin(), command.data.end());
  transfer->data.resize(command.length);
  transfer->zero_packet = !command.is_in && (command.flags & kZeroPacket) != 0;
  port.submit(transfer);
  pending_bytes_ += command.length;
  pending_.push_back({.sequence = command.sequence,
                      .transfer = std::move(transfer),
                      .short_not_ok = (command.flags & kShortNotOk) != 0});
}

void UsbipSession::unlink(ByteView header) {
  const auto victim = std::ranges::find(pending_, be32(header, 20), &Urb::sequence);
  const bool under_way = victim != pending_.end();
  if (under_way) {
    device_->port->cancel(*victim->transfer);
    forget(victim);
  }
  // 0: its answer has been sent already.
  Bytes reply = reply_header(kRetUnlink, be32(header, 4), under_way ? -ECONNRESET : 0);
  reply.resize(kHeaderLength, 0);
  output_.insert(output_.end(), reply.begin(), reply.end());
}

std::list<UsbipSession::Urb>::iterator UsbipSession::forget(std::list<Urb>::iterator urb) {
  if ((urb->transfer->endpoint & 0x7F) != 0) pending_bytes_ -= urb->transfer->data.size();
  return pending_.erase(urb);
}

void UsbipSession::answer(const Urb& urb) {
  const Transfer& transfer = *urb.transfer;
  int status = urb.error ? -*urb.error : urb_status(transfer.completion.handshake, ESHUTDOWN);
  const bool is_short = transfer.is_in() && transfer.completion.actual < transfer.data.size();
  if (status == 0 && is_short && urb.short_not_ok) status = -EREMOTEIO;
  const Bytes reply =
      submit_reply(urb.sequence, status, transfer.completion.actual, transfer.received());
  output_.insert(output_.end(), reply.begin(), reply.end());
}

std::optional<Duration> UsbipSession::tick() {
  if (device_ == nullptr) return std::nullopt;
  const Duration now = device_->port->wall();
  std::optional<Duration> next;
  for (auto it = pending_.begin(); it != pending_.end();) {
    const Duration due = it->transfer->due;
    if (due <= now) {
      answer(*it);
      it = forget(it);
    } else {
      next = std::min(next.value_or(due), due);
      ++it;
    }
  }
  return next;
}

}  // namespace sureflash::sim
