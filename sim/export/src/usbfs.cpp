#include "sureflash/sim/export/usbfs.hpp"

// usbdevice_fs.h uses _IO macros without including them.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include <linux/usbdevice_fs.h>
#include <sys/ioctl.h>

namespace sureflash::sim {
namespace {

constexpr std::size_t kSetupLength = 8;
/// Synchronous control transfers are limited to a page (devio.c, do_proc_control).
constexpr std::uint16_t kSyncControlMax = 4096;
/// USBFS_XFER_MAX (devio.c).
constexpr int kTransferMax = 0x7FFFFFFF / 2 - 1000000;
/// What a transfer without time limit may take: longer than any flash operation.
constexpr Duration kForever = 10min;
constexpr unsigned kInterfacesMax = 64;
constexpr std::uint32_t kCapabilities =
    USBDEVFS_CAP_ZERO_PACKET | USBDEVFS_CAP_NO_PACKET_SIZE_LIM | USBDEVFS_CAP_REAP_AFTER_DISCONNECT;
constexpr std::uint8_t kRecipientMask = 0x1F;
constexpr std::uint8_t kRecipientInterface = 0x01;
constexpr std::uint8_t kRecipientEndpoint = 0x02;
constexpr std::uint8_t kTypeMask = 0x60;
constexpr std::uint8_t kTypeVendor = 0x40;

IoctlResult refuse(int error) {
  return {-1, error, {}};
}

template <class T>
bool load(ClientMemory& memory, std::uint64_t address, T& value) {
  return memory.read(address, {reinterpret_cast<std::uint8_t*>(&value), sizeof value});
}

template <class T>
bool store(ClientMemory& memory, std::uint64_t address, const T& value) {
  return memory.write(address, {reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
}

std::uint64_t address_of(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

/// The status of a finished URB. Source: Documentation/driver-api/usb/error-codes.rst.
int urb_status(Handshake handshake) {
  switch (handshake) {
    case Handshake::Ack:
      return 0;
    case Handshake::Stall:
      return -EPIPE;
    case Handshake::Timeout:
      return -ETIMEDOUT;
    case Handshake::Gone:
      return -EPROTO;
  }
  return -EPROTO;
}

/// The errno of a transfer that the kernel waits for.
int sync_error(Handshake handshake) {
  return handshake == Handshake::Gone ? ENODEV : -urb_status(handshake);
}

}  // namespace

UsbfsNode::UsbfsNode(HostPort& port, std::uint8_t device_number)
    : port_(&port),
      device_number_(device_number),
      configuration_value_(port.identity()->configuration_value()),
      speed_(port.identity()->speed) {
  const ByteView bytes = port.identity()->configuration;
  for (std::size_t at = 0; at + 2 <= bytes.size() && bytes[at] >= 2; at += bytes[at]) {
    const bool interface =
        bytes[at + 1] == static_cast<std::uint8_t>(proto::DescriptorType::Interface);
    if (interface && at + proto::kInterfaceDescriptorLength <= bytes.size()) {
      alt_settings_.push_back({bytes[at + 2], bytes[at + 3]});
    }
  }
}

void UsbfsNode::unplug() {
  unplugged_at_ = port_->wall();
  port_ = nullptr;
  claims_.clear();
}

bool UsbfsNode::has_interface(unsigned number) const {
  return std::any_of(alt_settings_.begin(), alt_settings_.end(),
                     [&](const AltSetting& a) { return a.interface_number == number; });
}

bool UsbfsNode::has_alt_setting(unsigned number, unsigned alt) const {
  return std::any_of(alt_settings_.begin(), alt_settings_.end(), [&](const AltSetting& a) {
    return a.interface_number == number && a.alt_setting == alt;
  });
}

int UsbfsNode::claim(const UsbfsFile& file, unsigned number) {
  if (number >= kInterfacesMax) return EINVAL;
  if (!has_interface(number)) return ENOENT;
  return claims_.try_emplace(number, &file).first->second == &file ? 0 : EBUSY;
}

UsbfsFile::~UsbfsFile() {
  std::erase_if(node_->claims_, [&](const auto& claim) { return claim.second == this; });
}

std::optional<Duration> UsbfsFile::next_due() const {
  std::optional<Duration> next;
  for (const Urb& urb : urbs_) next = std::min(next.value_or(urb.due), urb.due);
  // An unplugged device keeps nobody waiting.
  return next && node_->port_ == nullptr ? Duration::zero() : next;
}

IoctlResult UsbfsFile::ioctl(std::uint32_t request, std::uint64_t argument, ClientMemory& memory) {
  if (request == USBDEVFS_REAPURBNDELAY || request == USBDEVFS_REAPURB) {
    return reap(argument, memory);
  }
  if (node_->port_ == nullptr) return refuse(ENODEV);
  switch (request) {
    case USBDEVFS_SUBMITURB:
      return submit(argument, memory);
    case USBDEVFS_DISCARDURB:
      return discard(argument);
    case USBDEVFS_CONTROL:
      return control(argument, memory);
    case USBDEVFS_CLAIMINTERFACE:
      return claim(argument, memory);
    // No kernel driver is ever bound here; but for the claim there is nothing to do.
    case USBDEVFS_DISCONNECT_CLAIM:
      return claim(argument, memory);
    case USBDEVFS_RELEASEINTERFACE:
      return release(argument, memory);
    case USBDEVFS_SETINTERFACE:
      return set_interface(argument, memory);
    case USBDEVFS_SETCONFIGURATION:
      return set_configuration(argument, memory);
    case USBDEVFS_GETDRIVER:
      return driver_name(argument, memory);
    case USBDEVFS_IOCTL:
      return driver_ioctl(argument, memory);
    case USBDEVFS_CONNECTINFO:
      return connect_info(argument, memory);
    case USBDEVFS_GET_CAPABILITIES:
      return capabilities(argument, memory);
    case USBDEVFS_RESET:
      return reset();
    // Values of enum usb_device_speed, linux/usb/ch9.h.
    case USBDEVFS_GET_SPEED:
      return {node_->speed_ == Speed::High ? 3 : 2, 0, {}};
    // Endpoint 0 cannot be halted, and there is no other.
    case USBDEVFS_CLEAR_HALT:
      return refuse(ENOENT);
    case USBDEVFS_RESETEP:
      return refuse(ENOENT);
    default:
      return refuse(ENOTTY);
  }
}

int UsbfsFile::check_recipient(const proto::Setup& setup) {
  if ((setup.bmRequestType & kTypeMask) == kTypeVendor) return 0;
  const unsigned index = setup.wIndex & 0xFFU;
  switch (setup.bmRequestType & kRecipientMask) {
    case kRecipientInterface:
      return node_->claim(*this, index);
    case kRecipientEndpoint:
      return (index & 0x7FU) == 0 ? 0 : ENOENT;
    default:
      return 0;
  }
}

IoctlResult UsbfsFile::submit(std::uint64_t argument, ClientMemory& memory) {
  usbdevfs_urb urb;  // clang refuses {} for the open array at its end
  if (!load(memory, argument, urb)) return refuse(EFAULT);
  if (urb.buffer_length < 0 || urb.buffer_length > kTransferMax) return refuse(EINVAL);
  if ((urb.endpoint & 0x7FU) != 0) return refuse(ENOENT);
  if (urb.type != USBDEVFS_URB_TYPE_CONTROL) return refuse(EINVAL);
  if (urb.buffer_length < static_cast<int>(kSetupLength)) return refuse(EINVAL);

  std::array<std::uint8_t, kSetupLength> raw{};
  const std::uint64_t buffer = address_of(urb.buffer);
  if (!memory.read(buffer, raw)) return refuse(EFAULT);
  const proto::Setup setup{raw[0], raw[1], load_le16(raw, 2), load_le16(raw, 4), load_le16(raw, 6)};
  if (urb.buffer_length < static_cast<int>(kSetupLength + setup.wLength)) return refuse(EINVAL);
  if (const int error = check_recipient(setup); error != 0) return refuse(error);

  Bytes data(setup.wLength);
  if (!setup.is_in() && !data.empty() && !memory.read(buffer + kSetupLength, data)) {
    return refuse(EFAULT);
  }
  const ByteView out = setup.is_in() ? ByteView{} : data;
  const ByteSpan in = setup.is_in() ? data : ByteSpan{};
  const auto done = node_->port_->control(setup, out, in, kForever);
  const std::size_t actual = std::min<std::size_t>(done.completion.actual, setup.wLength);
  int status = urb_status(done.completion.handshake);
  const bool is_short = actual < setup.wLength;
  if (status == 0 && is_short && (urb.flags & USBDEVFS_URB_SHORT_NOT_OK) != 0) status = -EREMOTEIO;
  data.resize(setup.is_in() ? actual : 0);
  urbs_.push_back({argument, buffer + kSetupLength, std::move(data), status, actual, done.due});
  return {};
}

IoctlResult UsbfsFile::reap(std::uint64_t argument, ClientMemory& memory) {
  const bool gone = node_->port_ == nullptr;
  const Duration now = gone ? Duration::max() : node_->port_->wall();
  const auto it =
      std::find_if(urbs_.begin(), urbs_.end(), [&](const Urb& u) { return u.due <= now; });
  if (it == urbs_.end()) return refuse(gone ? ENODEV : EAGAIN);
  Urb done = std::move(*it);
  urbs_.erase(it);
  if (gone && done.due > node_->unplugged_at_) {
    // The hub driver takes back what was still under way.
    done.status = -ESHUTDOWN;
    done.actual = 0;
    done.in.clear();
  }

  usbdevfs_urb urb;  // clang refuses {} for the open array at its end
  if (!load(memory, done.address, urb)) return refuse(EFAULT);
  urb.status = done.status;
  urb.actual_length = static_cast<int>(done.actual);
  const bool stored = (done.in.empty() || memory.write(done.data_address, done.in)) &&
                      store(memory, done.address, urb) && store(memory, argument, done.address);
  return stored ? IoctlResult{} : refuse(EFAULT);
}

IoctlResult UsbfsFile::discard(std::uint64_t address) {
  const auto it =
      std::find_if(urbs_.begin(), urbs_.end(), [&](const Urb& u) { return u.address == address; });
  if (it == urbs_.end()) return refuse(EINVAL);
  // A finished transfer keeps its result; only one under way can be taken back.
  if (it->due > node_->port_->wall()) {
    it->due = Duration::zero();
    it->status = -ENOENT;
    it->actual = 0;
    it->in.clear();
  }
  return {};
}

IoctlResult UsbfsFile::control(std::uint64_t argument, ClientMemory& memory) {
  usbdevfs_ctrltransfer transfer{};
  if (!load(memory, argument, transfer)) return refuse(EFAULT);
  const proto::Setup setup{transfer.bRequestType, transfer.bRequest, transfer.wValue,
                           transfer.wIndex, transfer.wLength};
  if (const int error = check_recipient(setup); error != 0) return refuse(error);
  if (setup.wLength > kSyncControlMax) return refuse(EINVAL);
  Bytes data(setup.wLength);
  const std::uint64_t buffer = address_of(transfer.data);
  if (!setup.is_in() && !data.empty() && !memory.read(buffer, data)) return refuse(EFAULT);
  const Duration limit =
      transfer.timeout == 0 ? kForever : Duration(std::chrono::milliseconds(transfer.timeout));
  const auto done = node_->port_->control(setup, setup.is_in() ? ByteView{} : data,
                                          setup.is_in() ? ByteSpan(data) : ByteSpan{}, limit);
  if (done.completion.handshake != Handshake::Ack) {
    return {-1, sync_error(done.completion.handshake), done.due};
  }
  data.resize(std::min<std::size_t>(done.completion.actual, setup.wLength));
  if (setup.is_in() && !data.empty() && !memory.write(buffer, data)) return refuse(EFAULT);
  return {static_cast<long>(data.size()), 0, done.due};
}

IoctlResult UsbfsFile::set_interface(std::uint64_t argument, ClientMemory& memory) {
  usbdevfs_setinterface choice{};
  if (!load(memory, argument, choice)) return refuse(EFAULT);
  if (const int error = node_->claim(*this, choice.interface); error != 0) return refuse(error);
  if (!node_->has_alt_setting(choice.interface, choice.altsetting)) return refuse(EINVAL);
  const proto::Setup setup{proto::kStandardOutInterface,
                           static_cast<std::uint8_t>(proto::StandardRequest::SetInterface),
                           static_cast<std::uint16_t>(choice.altsetting),
                           static_cast<std::uint16_t>(choice.interface), 0};
  const auto done = node_->port_->control(setup, {}, {}, kForever);
  if (done.completion.handshake == Handshake::Ack) return {0, 0, done.due};
  return {-1, sync_error(done.completion.handshake), done.due};
}

IoctlResult UsbfsFile::set_configuration(std::uint64_t argument, ClientMemory& memory) {
  unsigned value = 0;
  if (!load(memory, argument, value)) return refuse(EFAULT);
  if (!node_->claims_.empty()) return refuse(EBUSY);
  if (value != node_->configuration_value_) return refuse(EINVAL);
  const proto::Setup setup{proto::kStandardOutDevice,
                           static_cast<std::uint8_t>(proto::StandardRequest::SetConfiguration),
                           static_cast<std::uint16_t>(value), 0, 0};
  const auto done = node_->port_->control(setup, {}, {}, kForever);
  if (done.completion.handshake == Handshake::Ack) return {0, 0, done.due};
  return {-1, sync_error(done.completion.handshake), done.due};
}

IoctlResult UsbfsFile::claim(std::uint64_t argument, ClientMemory& memory) {
  // USBDEVFS_DISCONNECT_CLAIM's struct begins with the interface number as well.
  unsigned number = 0;
  if (!load(memory, argument, number)) return refuse(EFAULT);
  const int error = node_->claim(*this, number);
  return error == 0 ? IoctlResult{} : refuse(error);
}

IoctlResult UsbfsFile::release(std::uint64_t argument, ClientMemory& memory) {
  unsigned number = 0;
  if (!load(memory, argument, number)) return refuse(EFAULT);
  const auto it = node_->claims_.find(number);
  if (it == node_->claims_.end() || it->second != this) return refuse(EINVAL);
  node_->claims_.erase(it);
  return {};
}

IoctlResult UsbfsFile::driver_name(std::uint64_t argument, ClientMemory& memory) {
  usbdevfs_getdriver answer{};
  if (!load(memory, argument, answer.interface)) return refuse(EFAULT);
  if (!node_->has_interface(answer.interface)) return refuse(ENOENT);
  if (!node_->claims_.contains(answer.interface)) return refuse(ENODATA);
  std::strcpy(answer.driver, "usbfs");
  return store(memory, argument, answer) ? IoctlResult{} : refuse(EFAULT);
}

IoctlResult UsbfsFile::driver_ioctl(std::uint64_t argument, ClientMemory& memory) {
  usbdevfs_ioctl wrapped{};
  if (!load(memory, argument, wrapped)) return refuse(EFAULT);
  const auto number = static_cast<unsigned>(wrapped.ifno);
  if (!node_->has_interface(number)) return refuse(EINVAL);
  const auto code = static_cast<unsigned>(wrapped.ioctl_code);
  if (code == USBDEVFS_CONNECT)
    return node_->claims_.contains(number) ? refuse(EBUSY) : IoctlResult{};
  if (code != USBDEVFS_DISCONNECT) return refuse(ENOTTY);
  // Another program's claim is usbfs' own driver, which DISCONNECT does unbind.
  return node_->claims_.erase(number) != 0 ? IoctlResult{} : refuse(ENODATA);
}

IoctlResult UsbfsFile::connect_info(std::uint64_t argument, ClientMemory& memory) {
  usbdevfs_connectinfo info{};
  info.devnum = node_->device_number_;
  return store(memory, argument, info) ? IoctlResult{} : refuse(EFAULT);
}

IoctlResult UsbfsFile::capabilities(std::uint64_t argument, ClientMemory& memory) {
  return store(memory, argument, kCapabilities) ? IoctlResult{} : refuse(EFAULT);
}

IoctlResult UsbfsFile::reset() {
  // devio.c, proc_resetdevice: an interface that somebody else uses forbids it.
  for (const auto& [number, owner] : node_->claims_) {
    if (owner != this) return refuse(EACCES);
  }
  const auto done = node_->port_->reset();
  if (done.completion.handshake == Handshake::Ack) return {0, 0, done.due};
  return {-1, ENODEV, done.due};
}

}  // namespace sureflash::sim
