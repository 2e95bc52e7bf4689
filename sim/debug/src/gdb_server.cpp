#include "sureflash/sim/debug/gdb_server.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <poll.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace sureflash::sim::debug {

using State = GdbSession::State;

Result<std::unique_ptr<GdbServer>> GdbServer::create(GdbTarget& target, std::uint16_t tcp_port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(tcp_port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  Descriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int yes = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  socklen_t length = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener.get(), raw, length) != 0 || ::listen(listener.get(), 1) != 0 ||
      ::getsockname(listener.get(), raw, &length) != 0) {
    Error error(Errc::DeviceBusy, "cannot listen for GDB");
    error.os = errno;
    error.where.name = "127.0.0.1:" + std::to_string(tcp_port);
    return fail(std::move(error));
  }
  return std::unique_ptr<GdbServer>(
      new GdbServer(target, std::move(listener), ntohs(address.sin_port)));
}

GdbServer::GdbServer(GdbTarget& target, Descriptor listener, std::uint16_t tcp_port)
    : target_(target), listener_(std::move(listener)), tcp_port_(tcp_port) {}

State GdbServer::state() const {
  return session_ ? session_->state() : without_;
}

void GdbServer::halted(Halt why) {
  if (!session_) return;
  session_->halted(why);
  send();
}

void GdbServer::poll(Duration limit) {
  const bool waits_to_send = session_ && !session_->output().empty();
  std::array<pollfd, 2> fds{
      {{.fd = listener_.get(), .events = POLLIN, .revents = 0},
       {.fd = session_ ? client_.get() : -1,
        .events = static_cast<short>(waits_to_send ? POLLIN | POLLOUT : POLLIN),
        .revents = 0}}};
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
  if (::poll(fds.data(), fds.size(), static_cast<int>(milliseconds)) <= 0) return;
  if (session_ && fds[1].revents != 0) receive();
  if (fds[0].revents != 0) accept();
  if (session_) send();
}

void GdbServer::accept() {
  Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  // A second GDB would find its connection closed at once.
  if (!socket || session_) return;
  const int yes = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  client_ = std::move(socket);
  session_.emplace(target_);
}

void GdbServer::receive() {
  std::array<std::uint8_t, 4096> buffer{};
  const ssize_t got = ::recv(client_.get(), buffer.data(), buffer.size(), 0);
  if (got > 0) {
    session_->feed(ByteView(buffer).first(static_cast<std::size_t>(got)));
  } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
    drop();
  }
}

void GdbServer::send() {
  std::string& output = session_->output();
  while (!output.empty()) {
    const ssize_t sent = ::send(client_.get(), output.data(), output.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      if (errno != EAGAIN && errno != EINTR) drop();
      return;
    }
    output.erase(0, static_cast<std::size_t>(sent));
  }
  if (session_->state() == State::Detached || session_->state() == State::Killed) drop();
}

/// A GDB that vanishes without a word leaves the program running, as one that detaches does.
void GdbServer::drop() {
  without_ = session_->state() == State::Killed ? State::Killed : State::Running;
  session_.reset();
  client_ = Descriptor();
}

}  // namespace sureflash::sim::debug
