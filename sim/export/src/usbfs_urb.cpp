// Transfers that do not wait: submit, reap, discard; and bulk ones that do.
#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "usbfs_detail.hpp"
#include <linux/usbdevice_fs.h>
#include <sys/ioctl.h>

#include "sureflash/sim/export/usbfs.hpp"

namespace sureflash::sim {
namespace {

using namespace usbfs;

constexpr std::size_t kSetupLength = 8;
/// USBFS_XFER_MAX (devio.c).
constexpr int kTransferMax = 0x7FFFFFFF / 2 - 1000000;
/// usbfs_memory_mb, as Linux has it when nobody has changed it. The kernel counts all devices
/// together, and a few hundred bytes more for each URB.
constexpr std::size_t kMemoryMax = 16 << 20;
constexpr unsigned kFlags = USBDEVFS_URB_SHORT_NOT_OK | USBDEVFS_URB_ISO_ASAP |
                            USBDEVFS_URB_BULK_CONTINUATION | USBDEVFS_URB_NO_FSBR |
                            USBDEVFS_URB_ZERO_PACKET | USBDEVFS_URB_NO_INTERRUPT;
constexpr unsigned kAddressBits = 0x8F;

proto::Setup setup_packet(ByteView raw) {
  return {raw[0], raw[1], load_le16(raw, 2), load_le16(raw, 4), load_le16(raw, 6)};
}

}  // namespace

/// A struct usbdevfs_urb as the program wrote it.
struct UsbfsFile::ProgramUrb {
  std::uint64_t address;
  std::uint64_t buffer;
  std::size_t length;
  unsigned type;
  std::uint8_t endpoint;
  unsigned flags;

  bool is_in() const { return (endpoint & 0x80U) != 0; }
};

UsbfsFile::~UsbfsFile() {
  std::erase_if(node_->claims_, [&](const auto& claim) { return claim.second == this; });
  for (const Urb& urb : urbs_) {
    node_->urb_memory_ -= urb.memory;
    if (node_->port_ != nullptr) node_->port_->cancel(*urb.transfer);
  }
  if (blocking_ && node_->port_ != nullptr) node_->port_->cancel(*blocking_);
}

bool UsbfsFile::ready() const {
  if (node_->port_ == nullptr) return true;
  const Duration now = node_->port_->wall();
  return std::ranges::any_of(urbs_, [&](const Urb& urb) { return urb.transfer->due <= now; });
}

std::optional<Duration> UsbfsFile::next_due() const {
  std::optional<Duration> next;
  for (const Urb& urb : urbs_) next = std::min(next.value_or(Duration::max()), urb.transfer->due);
  // An unplugged device keeps nobody waiting.
  return next && node_->port_ == nullptr ? Duration::zero() : next;
}

std::expected<const EndpointInfo*, int> UsbfsFile::use_endpoint(unsigned address) {
  if ((address & ~kAddressBits) != 0) return std::unexpected(EINVAL);
  const auto interface = node_->interface_of(static_cast<std::uint8_t>(address));
  if (!interface) return std::unexpected(ENOENT);
  if (const int error = node_->claim(*this, *interface); error != 0) return std::unexpected(error);
  const EndpointInfo* endpoint = node_->port_->endpoint(static_cast<std::uint8_t>(address));
  // It is one of an alternate setting that is not selected.
  if (endpoint == nullptr) return std::unexpected(ENOENT);
  return endpoint;
}

IoctlResult UsbfsFile::submit(std::uint64_t argument, ClientMemory& memory) {
  usbdevfs_urb raw;  // clang refuses {} for the open array at its end
  if (!load(memory, argument, raw)) return refuse(EFAULT);
  if ((raw.flags & ~kFlags) != 0) return refuse(EINVAL);
  if (raw.buffer_length < 0 || raw.buffer_length >= kTransferMax) return refuse(EINVAL);
  if (raw.buffer_length > 0 && raw.buffer == nullptr) return refuse(EINVAL);
  const ProgramUrb urb{
      argument, address_of(raw.buffer), static_cast<std::size_t>(raw.buffer_length),
      raw.type, raw.endpoint,           raw.flags};
  if (urb.type == USBDEVFS_URB_TYPE_CONTROL && (urb.endpoint & 0x7FU) == 0) {
    return submit_control(urb, memory);
  }
  return submit_endpoint(urb, memory);
}

IoctlResult UsbfsFile::submit_control(const ProgramUrb& urb, ClientMemory& memory) {
  if (urb.length < kSetupLength) return refuse(EINVAL);
  std::array<std::uint8_t, kSetupLength> raw{};
  if (!memory.read(urb.buffer, raw)) return refuse(EFAULT);
  const proto::Setup setup = setup_packet(raw);
  if (urb.length < kSetupLength + setup.wLength) return refuse(EINVAL);
  if (const int error = check_recipient(setup); error != 0) return refuse(error);

  auto transfer = std::make_shared<Transfer>();
  transfer->endpoint = setup.is_in() ? 0x80 : 0;
  transfer->data.resize(setup.wLength);
  if (!setup.is_in() && setup.wLength != 0 &&
      !memory.read(urb.buffer + kSetupLength, transfer->data)) {
    return refuse(EFAULT);
  }
  const auto done =
      node_->port_->control(setup, setup.is_in() ? ByteView{} : transfer->data,
                            setup.is_in() ? ByteSpan(transfer->data) : ByteSpan{}, kForever);
  transfer->completion = done.completion;
  transfer->completion.actual = std::min<std::size_t>(done.completion.actual, setup.wLength);
  transfer->due = done.due;
  const bool short_not_ok = (urb.flags & USBDEVFS_URB_SHORT_NOT_OK) != 0;
  urbs_.push_back({.address = urb.address,
                   .data_address = urb.buffer + kSetupLength,
                   .transfer = std::move(transfer),
                   .interface = {},
                   .short_not_ok = short_not_ok});
  return {};
}

IoctlResult UsbfsFile::submit_endpoint(const ProgramUrb& urb, ClientMemory& memory) {
  const auto endpoint = use_endpoint(urb.endpoint);
  if (!endpoint) return refuse(endpoint.error());
  const TransferType type = (*endpoint)->type;
  // Interrupt transfers may be submitted as bulk ones, not the other way round.
  const bool fits =
      urb.type == USBDEVFS_URB_TYPE_BULK
          ? type == TransferType::Bulk || type == TransferType::Interrupt
          : urb.type == USBDEVFS_URB_TYPE_INTERRUPT && type == TransferType::Interrupt;
  if (!fits) return refuse(EINVAL);
  if (node_->urb_memory_ + urb.length > kMemoryMax) return refuse(ENOMEM);

  auto transfer = std::make_shared<Transfer>();
  transfer->endpoint = urb.endpoint;
  transfer->data.resize(urb.length);
  transfer->zero_packet = !urb.is_in() && (urb.flags & USBDEVFS_URB_ZERO_PACKET) != 0;
  if (!urb.is_in() && urb.length != 0 && !memory.read(urb.buffer, transfer->data)) {
    return refuse(EFAULT);
  }
  node_->port_->submit(transfer);
  node_->urb_memory_ += urb.length;
  urbs_.push_back({.address = urb.address,
                   .data_address = urb.buffer,
                   .transfer = std::move(transfer),
                   .interface = node_->interface_of(urb.endpoint),
                   .short_not_ok = (urb.flags & USBDEVFS_URB_SHORT_NOT_OK) != 0,
                   .memory = urb.length});
  return {};
}

IoctlResult UsbfsFile::reap(std::uint64_t argument, ClientMemory& memory) {
  const bool gone = node_->port_ == nullptr;
  const Duration now = gone ? Duration::max() : node_->port_->wall();
  const auto first =
      std::ranges::min_element(urbs_, {}, [](const Urb& urb) { return urb.transfer->due; });
  if (first == urbs_.end() || first->transfer->due > now ||
      (!gone && first->transfer->due == Transfer::kUnderWay)) {
    return refuse(gone ? ENODEV : EAGAIN);
  }
  const Urb done = std::move(*first);
  urbs_.erase(first);
  node_->urb_memory_ -= done.memory;
  return give_back(done, argument, memory);
}

IoctlResult UsbfsFile::give_back(const Urb& urb, std::uint64_t argument, ClientMemory& memory) {
  Transfer& transfer = *urb.transfer;
  int status = urb_status(transfer.completion.handshake, EPROTO);
  if (urb.taken_back) status = -ENOENT;
  if (node_->port_ == nullptr && transfer.due > node_->unplugged_at_) {
    // The hub driver takes back what was still under way.
    status = -ESHUTDOWN;
    if (!urb.interface) transfer.completion.actual = 0;
  }
  const bool is_short = transfer.is_in() && transfer.completion.actual < transfer.data.size();
  if (status == 0 && is_short && urb.short_not_ok) status = -EREMOTEIO;

  // As the kernel does (processcompl), the rest of the struct is left alone.
  const auto length = static_cast<int>(transfer.completion.actual);
  const ByteView in = transfer.received();
  const bool stored = (in.empty() || memory.write(urb.data_address, in)) &&
                      store(memory, urb.address + offsetof(usbdevfs_urb, status), status) &&
                      store(memory, urb.address + offsetof(usbdevfs_urb, actual_length), length) &&
                      store(memory, argument, urb.address);
  return stored ? IoctlResult{} : refuse(EFAULT);
}

IoctlResult UsbfsFile::discard(std::uint64_t address) {
  const auto it = std::ranges::find(urbs_, address, &Urb::address);
  if (it == urbs_.end()) return refuse(EINVAL);
  // A finished transfer keeps its result; only one under way can be taken back.
  if (it->transfer->due > node_->port_->wall()) take_back(*it);
  return {};
}

void UsbfsFile::take_back(Urb& urb) {
  node_->port_->cancel(*urb.transfer);
  // What endpoints have moved has moved, and the program is told; of a control transfer that would
  // be half of one.
  if (!urb.interface) urb.transfer->completion.actual = 0;
  urb.taken_back = true;
  urb.transfer->due = node_->port_->wall();
}

void UsbfsFile::take_back_all(unsigned interface) {
  for (Urb& urb : urbs_) {
    if (urb.interface == interface && urb.transfer->due > node_->port_->wall()) take_back(urb);
  }
}

IoctlResult UsbfsFile::bulk(std::uint64_t argument, ClientMemory& memory) {
  usbdevfs_bulktransfer call{};
  if (!load(memory, argument, call)) return refuse(EFAULT);
  HostPort& port = *node_->port_;
  if (!blocking_) {
    const std::uint64_t buffer = address_of(call.data);
    if (const int error = start_bulk(call.ep, call.len, buffer, memory); error != 0) {
      return refuse(error);
    }
    const Duration limit =
        call.timeout == 0 ? Duration(24h) : Duration(std::chrono::milliseconds(call.timeout));
    give_up_at_ = port.wall() + limit;
  }
  const bool done = blocking_->due <= port.wall();
  if (!done && port.wall() < give_up_at_) return {.blocks = true};
  const auto transfer = std::exchange(blocking_, nullptr);
  if (!done) {
    port.cancel(*transfer);
    return refuse(ETIMEDOUT);
  }
  if (transfer->completion.handshake != Handshake::Ack) {
    return refuse(sync_error(transfer->completion.handshake));
  }
  const ByteView in = transfer->received();
  if (!in.empty() && !memory.write(address_of(call.data), in)) return refuse(EFAULT);
  return {.value = static_cast<long>(transfer->completion.actual)};
}

int UsbfsFile::start_bulk(unsigned address, std::size_t length, std::uint64_t buffer,
                          ClientMemory& memory) {
  const auto endpoint = use_endpoint(address);
  if (!endpoint) return endpoint.error();
  if (node_->urb_memory_ + length > kMemoryMax) return ENOMEM;
  auto transfer = std::make_shared<Transfer>();
  transfer->endpoint = (*endpoint)->address;
  transfer->data.resize(length);
  if (!transfer->is_in() && length != 0 && !memory.read(buffer, transfer->data)) return EFAULT;
  node_->port_->submit(transfer);
  blocking_ = std::move(transfer);
  return 0;
}

IoctlResult UsbfsFile::clear_halt(std::uint64_t argument, ClientMemory& memory) {
  unsigned address = 0;
  if (!load(memory, argument, address)) return refuse(EFAULT);
  const auto endpoint = use_endpoint(address);
  if (!endpoint) return refuse(endpoint.error());
  const proto::Setup setup{proto::kStandardOutEndpoint,
                           static_cast<std::uint8_t>(proto::StandardRequest::ClearFeature),
                           proto::kEndpointHalt, static_cast<std::uint16_t>(address), 0};
  const auto done = node_->port_->control(setup, {}, {}, kForever);
  if (done.completion.handshake == Handshake::Ack) return {0, 0, done.due};
  return {-1, sync_error(done.completion.handshake), done.due};
}

/// The host's side of an endpoint begins anew (data toggle); nothing goes over the wire.
IoctlResult UsbfsFile::reset_endpoint(std::uint64_t argument, ClientMemory& memory) {
  unsigned address = 0;
  if (!load(memory, argument, address)) return refuse(EFAULT);
  const auto endpoint = use_endpoint(address);
  return endpoint ? IoctlResult{} : refuse(endpoint.error());
}

}  // namespace sureflash::sim
