#include <algorithm>
#include <array>
#include <cerrno>
#include <poll.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "sureflash/sim/export/usbip.hpp"

namespace sureflash::sim {
namespace {

constexpr Duration kIdleTick = 5ms;
constexpr std::size_t kClientsMax = 32;

}  // namespace

Result<std::unique_ptr<UsbipServer>> UsbipServer::create(Loop& loop, const UsbipOptions& options) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options.tcp_port);
  if (::inet_pton(AF_INET, options.address.c_str(), &address.sin_addr) != 1) {
    return fail(Error(Errc::Usage, "not an IPv4 address").named(options.address));
  }
  Descriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int yes = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  socklen_t length = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener.get(), raw, length) != 0 || ::listen(listener.get(), 8) != 0 ||
      ::getsockname(listener.get(), raw, &length) != 0) {
    Error error(Errc::DeviceBusy, "cannot listen for USB/IP clients");
    error.os = errno;
    error.where.name = options.address + ":" + std::to_string(options.tcp_port);
    return fail(std::move(error));
  }
  return std::unique_ptr<UsbipServer>(
      new UsbipServer(loop, std::move(listener), ntohs(address.sin_port)));
}

UsbipServer::UsbipServer(Loop& loop, Descriptor listener, std::uint16_t tcp_port)
    : loop_(&loop), listener_(std::move(listener)), tcp_port_(tcp_port) {
  const std::scoped_lock lock(loop_->mutex());
  tick_ = loop_->add_tick([this] { return tick(); });
  loop_->watch(listener_.get(), POLLIN, [this](short) { accept(); });
}

UsbipServer::~UsbipServer() {
  const std::scoped_lock lock(loop_->mutex());
  loop_->remove_tick(tick_);
  loop_->unwatch(listener_.get());
  for (const Client& client : clients_) loop_->unwatch(client.socket.get());
  clients_.clear();
}

std::string UsbipServer::add(UsbDevice& device, Pace pace) {
  const std::scoped_lock lock(loop_->mutex());
  const std::string bus_id = "1-" + std::to_string(devices_.size() + 1);
  ports_.push_back(std::make_unique<HostPort>(device, pace));
  devices_[bus_id] = {bus_id, static_cast<std::uint32_t>(devices_.size() + 2), ports_.back().get()};
  loop_->wake();
  return bus_id;
}

Duration UsbipServer::tick() {
  for (auto& [bus_id, device] : devices_) {
    if (device.port->tick() != HostPort::Event::Left) continue;
    for (Client& client : clients_) client.session.device_left(device);
  }
  Duration sleep = kIdleTick;
  for (const auto& port : ports_) sleep = std::min(sleep, port->next_tick());
  for (Client& client : clients_) {
    const auto due = client.session.tick();
    if (due) sleep = std::min(sleep, *due - monotonic_clock());
    send(client);
  }
  std::erase_if(clients_, [&](const Client& client) {
    const bool over = client.broken || (client.session.finished());
    if (over) loop_->unwatch(client.socket.get());
    return over;
  });
  return sleep;
}

void UsbipServer::accept() {
  Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket || clients_.size() >= kClientsMax) return;
  const int yes = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  Client& client = clients_.emplace_back(std::move(socket), devices_);
  loop_->watch(client.socket.get(), POLLIN, [this, &client](short) { receive(client); });
}

void UsbipServer::receive(Client& client) {
  std::array<std::uint8_t, 4096> buffer{};
  const ssize_t got = ::recv(client.socket.get(), buffer.data(), buffer.size(), 0);
  if (got > 0) {
    client.session.feed(ByteView(buffer).first(static_cast<std::size_t>(got)));
  } else if (got == 0 || errno != EAGAIN) {
    client.broken = true;
  }
}

void UsbipServer::send(Client& client) {
  Bytes& output = client.session.output();
  if (!output.empty()) {
    const ssize_t sent = ::send(client.socket.get(), output.data(), output.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      output.erase(output.begin(), output.begin() + sent);
    } else if (errno != EAGAIN) {
      client.broken = true;
    }
  }
  loop_->set_events(client.socket.get(), output.empty() ? POLLIN : POLLIN | POLLOUT);
}

}  // namespace sureflash::sim
