// A guest that sends anything by usbredir after a proper greeting: it is answered or given up, what
// it is sent stays bounded, the device survives.

#include <array>
#include <usbredirproto.h>

#include "cdc_world.hpp"
#include "usbredir_guest.hpp"
#include <sys/socket.h>

namespace sureflash::sim {
namespace {

constexpr int kRounds = 8;
/// The guest's buffer is drained after each round; no round may answer more than this.
constexpr std::size_t kAnswersMax = 8 << 20;

/// usb_redir_hello with the capabilities that QEMU has. Identifiers of 64 bits come only after it.
Bytes greeting() {
  Bytes bytes;
  append_le32(bytes, usb_redir_hello);
  append_le32(bytes, sizeof(usb_redir_hello_header) + 4);
  append_le32(bytes, 0);
  bytes.resize(bytes.size() + sizeof(usb_redir_hello_header));
  append_le32(bytes, 1U << usb_redir_cap_connect_device_version |
                         1U << usb_redir_cap_device_disconnect_ack |
                         1U << usb_redir_cap_ep_info_max_packet_size |
                         1U << usb_redir_cap_64bits_ids | 1U << usb_redir_cap_32bits_bulk_length);
  return bytes;
}

void drain(int socket) {
  static std::array<std::uint8_t, 65536> buffer;
  std::size_t total = 0;
  for (ssize_t n = 0; (n = ::recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT)) > 0;) {
    total += static_cast<std::size_t>(n);
    fuzz::require(total <= kAnswersMax, "answers are bounded");
  }
}

}  // namespace
}  // namespace sureflash::sim

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sureflash;
  using namespace sureflash::sim;
  fuzz::CdcWorld& world = fuzz::next_world();
  static Loop loop;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) return 0;
  const Descriptor guests_end(ends[1]);
  UsbredirGuest guest(loop, world.port, Descriptor(ends[0]));
  guest.device_arrived();
  Bytes input = greeting();
  input.insert(input.end(), data, data + size);
  ByteView rest = input;
  for (int i = 0; i < kRounds && !guest.broken(); ++i) {
    const ssize_t sent = ::send(guests_end.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent > 0) rest = rest.subspan(static_cast<std::size_t>(sent));
    loop.run_once(Duration::zero());
    world.port.tick();
    guest.tick();
    drain(guests_end.get());
  }
  return 0;
}
