#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "sureflash/base/error.hpp"
#include "sureflash/base/time.hpp"
#include "sureflash/sim/export/descriptor.hpp"

namespace sureflash::sim {

/// poll(2) with ticks: everything that serves virtual devices runs in one of these, so that
/// devices, which are not thread-safe, need no lock of their own.
///
/// Callbacks run with `mutex()` held. Another thread that wants to touch a served device takes it.
class Loop {
 public:
  using OnEvent = std::function<void(short revents)>;

  Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Calls `on_event` when poll reports one of `events` (or an error) for `descriptor`.
  void watch(int descriptor, short events, OnEvent on_event);
  /// Changes what a watched descriptor waits for.
  void set_events(int descriptor, short events);
  /// May be called from within any callback.
  void unwatch(int descriptor);

  /// Calls `tick` once per round. It returns how long the loop may sleep as far as it is concerned.
  /// @returns a number for `remove_tick`.
  int add_tick(std::function<Duration()> tick);
  void remove_tick(int number);

  /// One round: ticks, sleeps until something happens (at most `limit`), dispatches.
  void run_once(Duration limit);
  /// Rounds until `stop` is called, from any thread or callback.
  void run();
  void stop();
  /// Ends a sleep of the loop, so that ticks see what another thread has changed.
  void wake();

  std::recursive_mutex& mutex() { return mutex_; }

 private:
  struct Watch {
    short events;
    std::shared_ptr<OnEvent> on_event;
  };

  Duration tick_all(Duration limit);
  void dispatch(int descriptor, short revents);

  std::recursive_mutex mutex_;
  Descriptor wake_;
  std::map<int, Watch> watches_;
  std::map<int, std::shared_ptr<std::function<Duration()>>> ticks_;
  int next_tick_ = 0;
  std::atomic<bool> stopped_{false};
};

/// Runs a loop in a thread of its own for as long as the object lives.
class LoopThread {
 public:
  explicit LoopThread(Loop& loop) : loop_(&loop), thread_([&loop] { loop.run(); }) {}
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;
  ~LoopThread() {
    loop_->stop();
    thread_.join();
  }

 private:
  Loop* loop_;
  std::thread thread_;
};

}  // namespace sureflash::sim
