#pragma once

#include "sureflash/transport/driver.hpp"
#include "sureflash/transport/libusb/device.hpp"

/// Many devices at once, in one thread: each job's transfers are under way while the others' wait.
namespace sureflash::transport {

class AsyncDevice;

/// Runs jobs on devices of this machine with libusb's asynchronous transfers and timers of its own.
///
/// SET_INTERFACE and bus resets are calls of the operating system that take milliseconds; they hold
/// up the other jobs for that long.
class AsyncDriver final : public Driver {
 public:
  /// Errors: Internal (libusb does not start).
  static Result<std::unique_ptr<AsyncDriver>> create();
  ~AsyncDriver() override;

  /// The devices there are, with their strings; asks each of them.
  std::vector<DeviceInfo> list() const;

  std::vector<OccupiedPort> ports() const override;
  bool work(Duration patience) override;

  /// On the one device that fits. Errors: those of `choose`, and of opening.
  template <class T>
  Result<void> start(const Selector& selector, Task<T> task, Observer observer,
                     std::function<void(Result<T>)> done) {
    TRY_ASSIGN(const DeviceInfo info, choose(list(), selector));
    return start_at<T>(info.port_path, std::move(task), std::move(observer), std::move(done));
  }

 private:
  struct Running {
    std::unique_ptr<Job> job;
    std::shared_ptr<AsyncDevice> device;
    bool under_way = false;
  };

  explicit AsyncDriver(std::shared_ptr<void> context) : context_(std::move(context)) {}
  Result<void> add(const std::string& port, std::unique_ptr<Job> job) override;
  /// As far as the job gets without waiting. @returns whether it is over.
  static bool advance(Running& running);
  /// Lets libusb work until something happens, or until the first timer.
  void wait_for_events(Duration patience) const;

  std::shared_ptr<void> context_;
  std::list<Running> running_;
};

}  // namespace sureflash::transport
