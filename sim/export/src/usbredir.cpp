#include "sureflash/sim/export/usbredir.hpp"

#include <algorithm>
#include <poll.h>

#include "usbredir_guest.hpp"
#include <sys/socket.h>

#include "sureflash/sim/export/unix_socket.hpp"

namespace sureflash::sim {

Result<std::unique_ptr<UsbredirServer>> UsbredirServer::create(Loop& loop,
                                                               std::filesystem::path socket,
                                                               UsbDevice& device, Pace pace) {
  TRY_ASSIGN(Descriptor listener, listen_at(socket));
  return std::unique_ptr<UsbredirServer>(
      new UsbredirServer(loop, std::move(socket), std::move(listener), device, pace));
}

UsbredirServer::UsbredirServer(Loop& loop, std::filesystem::path path, Descriptor listener,
                               UsbDevice& device, Pace pace)
    : loop_(&loop), path_(std::move(path)), listener_(std::move(listener)), port_(device, pace) {
  const std::scoped_lock lock(loop_->mutex());
  tick_ = loop_->add_tick([this] { return tick(); });
  loop_->watch(listener_.get(), POLLIN, [this](short) { accept(); });
}

UsbredirServer::~UsbredirServer() {
  const std::scoped_lock lock(loop_->mutex());
  loop_->remove_tick(tick_);
  loop_->unwatch(listener_.get());
  guest_.reset();
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

Duration UsbredirServer::tick() {
  const auto event = port_.tick();
  if (!guest_) return port_.next_tick();
  if (event == HostPort::Event::Arrived) guest_->device_arrived();
  if (event == HostPort::Event::Left) guest_->device_left();
  const Duration sleep = std::min(guest_->tick(), port_.next_tick());
  if (guest_->broken()) guest_.reset();
  return sleep;
}

void UsbredirServer::accept() {
  Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket || guest_) return;  // somebody else has the device
  guest_ = std::make_unique<UsbredirGuest>(*loop_, port_, std::move(socket));
  if (port_.identity() != nullptr) guest_->device_arrived();
}

}  // namespace sureflash::sim
