#include "umockdev.hpp"

#include <cstdlib>
#include <dlfcn.h>
#include <fcntl.h>

#include <linux/usbdevice_fs.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace sureflash::sim::umockdev {
namespace {

/// The program takes a frame that arrives in pieces for another one. Linux passes this much in one
/// piece (net/unix/af_unix.c, unix_stream_sendmsg).
constexpr std::size_t kTogetherMax = 8192;

}  // namespace

Channel::Channel(Descriptor socket) : socket_(std::move(socket)) {
  const timeval patience{.tv_sec = 5, .tv_usec = 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

bool Channel::send_all(const void* data, std::size_t size) {
  const auto* at = static_cast<const char*>(data);
  while (size != 0) {
    const ssize_t sent = ::send(socket_.get(), at, size, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    at += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return true;
}

bool Channel::receive_all(void* data, std::size_t size) {
  return size == 0 || ::recv(socket_.get(), data, size, MSG_WAITALL) == static_cast<ssize_t>(size);
}

void Channel::put(Command command, unsigned long first, unsigned long second) {
  const Request frame{command, first, second};
  static_assert(sizeof frame == 3 * sizeof(unsigned long));
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&frame);
  pending_.insert(pending_.end(), bytes, bytes + sizeof frame);
}

bool Channel::flush() {
  const Bytes bytes = std::exchange(pending_, {});
  return send_all(bytes.data(), bytes.size());
}

std::optional<Request> Channel::receive() {
  Request request{};
  if (!receive_all(&request, sizeof request)) return std::nullopt;
  switch (request.command) {
    case Command::Ioctl:
    case Command::Read:
    case Command::Write:
      return request;
    default:
      return std::nullopt;
  }
}

bool Channel::done(long result, int error) {
  put(Command::Done, static_cast<unsigned long>(result), static_cast<unsigned long>(error));
  return flush();
}

bool Channel::read(std::uint64_t address, ByteSpan to) {
  put(Command::ReadMem, address, to.size());
  return flush() && receive_all(to.data(), to.size());
}

bool Channel::write(std::uint64_t address, ByteView from) {
  if (pending_.size() + from.size() > kTogetherMax && !flush()) return false;
  put(Command::WriteMem, address, from.size());
  if (from.size() > kTogetherMax) return flush() && send_all(from.data(), from.size());
  pending_.insert(pending_.end(), from.begin(), from.end());
  return true;
}

int ask_for_capabilities(const char* library, const char* root, const char* node) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): in a child of one thread
  ::setenv("UMOCKDEV_DIR", root, 1);
  void* preload = ::dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (preload == nullptr) return kNoLibrary;
  const auto open_node = reinterpret_cast<int (*)(const char*, int, ...)>(::dlsym(preload, "open"));
  const auto ask = reinterpret_cast<int (*)(int, unsigned long, ...)>(::dlsym(preload, "ioctl"));
  if (open_node == nullptr || ask == nullptr) return kWrongProtocol;
  const int fd = open_node(node, O_RDWR);
  std::uint32_t capabilities = 0;
  if (fd < 0 || ask(fd, USBDEVFS_GET_CAPABILITIES, &capabilities) != 0) return kWrongProtocol;
  return (capabilities & USBDEVFS_CAP_REAP_AFTER_DISCONNECT) != 0 ? 0 : kWrongProtocol;
}

}  // namespace sureflash::sim::umockdev
