#include "sureflash/sim/export/loop.hpp"

#include <algorithm>
#include <cstdint>
#include <poll.h>

#include <sys/eventfd.h>

namespace sureflash::sim {

Loop::Loop() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void Loop::watch(int descriptor, short events, OnEvent on_event) {
  watches_[descriptor] = {events, std::make_shared<OnEvent>(std::move(on_event))};
}

void Loop::set_events(int descriptor, short events) {
  if (const auto it = watches_.find(descriptor); it != watches_.end()) it->second.events = events;
}

void Loop::unwatch(int descriptor) {
  watches_.erase(descriptor);
}

int Loop::add_tick(std::function<Duration()> tick) {
  ticks_[next_tick_] = std::make_shared<std::function<Duration()>>(std::move(tick));
  return next_tick_++;
}

void Loop::remove_tick(int number) {
  ticks_.erase(number);
}

Duration Loop::tick_all(Duration limit) {
  // A tick may remove ticks: work on a copy that keeps each callable alive, skip what is gone.
  const auto ticks = ticks_;
  for (const auto& [number, tick] : ticks) {
    if (ticks_.contains(number)) limit = std::min(limit, (*tick)());
  }
  return std::max(limit, Duration::zero());
}

void Loop::dispatch(int descriptor, short revents) {
  const auto it = watches_.find(descriptor);
  if (it == watches_.end()) return;
  const auto on_event = it->second.on_event;
  (*on_event)(revents);
}

void Loop::run_once(Duration limit) {
  std::vector<pollfd> descriptors{{wake_.get(), POLLIN, 0}};
  {
    const std::scoped_lock lock(mutex_);
    limit = tick_all(limit);
    for (const auto& [fd, watch] : watches_) descriptors.push_back({fd, watch.events, 0});
  }
  const timespec timeout{.tv_sec = limit / 1s, .tv_nsec = (limit % 1s).count()};
  if (::ppoll(descriptors.data(), descriptors.size(), &timeout, nullptr) <= 0) return;
  if (descriptors.front().revents != 0) {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
  }
  const std::scoped_lock lock(mutex_);
  for (std::size_t i = 1; i < descriptors.size(); ++i) {
    if (descriptors[i].revents != 0) dispatch(descriptors[i].fd, descriptors[i].revents);
  }
}

void Loop::run() {
  while (!stopped_) run_once(1s);
}

void Loop::stop() {
  stopped_ = true;
  wake();
}

void Loop::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto put = ::write(wake_.get(), &one, sizeof one);
}

}  // namespace sureflash::sim
