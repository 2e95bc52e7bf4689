#include "sureflash/sim/export/usbfs.hpp"

#include <algorithm>
#include <cstring>

#include "usbfs_detail.hpp"
#include <linux/usbdevice_fs.h>
#include <sys/ioctl.h>

namespace sureflash::sim {
namespace {

using namespace usbfs;

/// Synchronous control transfers are limited to a page (devio.c, do_proc_control).
constexpr std::uint16_t kSyncControlMax = 4096;
constexpr unsigned kInterfacesMax = 64;
constexpr std::uint32_t kCapabilities =
    USBDEVFS_CAP_ZERO_PACKET | USBDEVFS_CAP_NO_PACKET_SIZE_LIM | USBDEVFS_CAP_REAP_AFTER_DISCONNECT;
constexpr std::uint8_t kRecipientMask = 0x1F;
constexpr std::uint8_t kRecipientInterface = 0x01;
constexpr std::uint8_t kRecipientEndpoint = 0x02;
constexpr std::uint8_t kTypeMask = 0x60;
constexpr std::uint8_t kTypeVendor = 0x40;
constexpr std::uint8_t kEndpointDirection = 0x80;

}  // namespace

UsbfsNode::UsbfsNode(HostPort& port, std::uint8_t device_number)
    : port_(&port),
      device_number_(device_number),
      configuration_value_(port.identity()->configuration_value()),
      speed_(port.identity()->speed),
      interfaces_(port.identity()->interfaces) {}

void UsbfsNode::unplug() {
  unplugged_at_ = port_->wall();
  port_ = nullptr;
  claims_.clear();
}

bool UsbfsNode::has_interface(unsigned number) const {
  return std::ranges::any_of(interfaces_, [&](const auto& i) { return i.number == number; });
}

bool UsbfsNode::has_alt_setting(unsigned number, unsigned alt) const {
  return std::ranges::any_of(
      interfaces_, [&](const auto& i) { return i.number == number && i.alt_setting == alt; });
}

std::optional<unsigned> UsbfsNode::interface_of(std::uint8_t endpoint) const {
  const auto it = std::ranges::find_if(interfaces_, [&](const InterfaceInfo& i) {
    return std::ranges::find(i.endpoints, endpoint, &EndpointInfo::address) != i.endpoints.end();
  });
  return it == interfaces_.end() ? std::nullopt : std::optional<unsigned>(it->number);
}

int UsbfsNode::claim(const UsbfsFile& file, unsigned number) {
  if (number >= kInterfacesMax) return EINVAL;
  if (!has_interface(number)) return ENOENT;
  return claims_.try_emplace(number, &file).first->second == &file ? 0 : EBUSY;
}

IoctlResult UsbfsFile::ioctl(std::uint32_t request, std::uint64_t argument, ClientMemory& memory) {
  if (request == USBDEVFS_REAPURBNDELAY) return reap(argument, memory);
  if (request == USBDEVFS_REAPURB) {
    const IoctlResult result = reap(argument, memory);
    return result.error == EAGAIN ? IoctlResult{.blocks = true} : result;
  }
  if (node_->port_ == nullptr) return refuse(ENODEV);
  switch (request) {
    case USBDEVFS_BULK:
      return bulk(argument, memory);
    case USBDEVFS_SUBMITURB:
      return submit(argument, memory);
    case USBDEVFS_DISCARDURB:
      return discard(argument);
    case USBDEVFS_CONTROL:
      return control(argument, memory);
    case USBDEVFS_CLAIMINTERFACE:
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
    case USBDEVFS_CLEAR_HALT:
      return clear_halt(argument, memory);
    case USBDEVFS_RESETEP:
      return reset_endpoint(argument, memory);
    default:
      return refuse(ENOTTY);
  }
}

IoctlResult UsbfsFile::read(std::uint64_t address, std::size_t size, ClientMemory& memory) {
  if (node_->port_ == nullptr) return refuse(ENODEV);
  const Bytes all = node_->port_->identity()->descriptors();
  const std::size_t begin = std::min(position_, all.size());
  const ByteView part = ByteView(all).subspan(begin, std::min(size, all.size() - begin));
  if (!part.empty() && !memory.write(address, part)) return refuse(EFAULT);
  position_ = begin + part.size();
  return {.value = static_cast<long>(part.size())};
}

int UsbfsFile::check_recipient(const proto::Setup& setup) {
  if ((setup.bmRequestType & kTypeMask) == kTypeVendor) return 0;
  const unsigned index = setup.wIndex & 0xFFU;
  switch (setup.bmRequestType & kRecipientMask) {
    case kRecipientInterface:
      return node_->claim(*this, index);
    case kRecipientEndpoint: {
      if ((index & ~unsigned{kEndpointDirection}) == 0) return 0;
      // Some programs forget the direction bit; the kernel forgives them.
      auto interface = node_->interface_of(static_cast<std::uint8_t>(index));
      if (!interface) {
        interface = node_->interface_of(static_cast<std::uint8_t>(index ^ kEndpointDirection));
      }
      return interface ? node_->claim(*this, *interface) : ENOENT;
    }
    default:
      return 0;
  }
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
  take_back_all(choice.interface);
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
  take_back_all(number);
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
  // A driver that knows nothing of resets, as usbfs is one, is unbound for it: claims are lost.
  while (!node_->claims_.empty()) {
    take_back_all(node_->claims_.begin()->first);
    node_->claims_.erase(node_->claims_.begin());
  }
  const auto done = node_->port_->reset();
  if (done.completion.handshake == Handshake::Ack) return {0, 0, done.due};
  return {-1, ENODEV, done.due};
}

}  // namespace sureflash::sim
