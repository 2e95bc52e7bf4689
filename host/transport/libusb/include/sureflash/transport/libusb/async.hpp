#pragma once

#include <functional>
#include <list>
#include <memory>

#include "sureflash/transport/libusb/device.hpp"
#include "sureflash/transport/transport.hpp"

/// Many devices at once, in one thread: each job's transfers are under way while the others' wait.
namespace sureflash::transport {

class AsyncDevice;

/// Runs jobs on devices of this machine with libusb's asynchronous transfers and timers of its own.
///
/// SET_INTERFACE and bus resets are calls of the operating system that take milliseconds; they hold
/// up the other jobs for that long.
class AsyncDriver {
 public:
  /// Errors: Internal (libusb does not start).
  static Result<std::unique_ptr<AsyncDriver>> create();
  AsyncDriver(const AsyncDriver&) = delete;
  AsyncDriver& operator=(const AsyncDriver&) = delete;
  ~AsyncDriver();

  /// The devices that `start` can be asked for.
  std::vector<DeviceInfo> list() const;

  /// Opens a device and puts a job on it; nothing happens before `run`. `done` is called from
  /// within `run` with the job's result; it may start further jobs. Errors: those of
  /// LibusbTransport::open.
  template <class T>
  Result<void> start(const Selector& selector, Task<T> task, Observer observer,
                     std::function<void(Result<T>)> done) {
    TRY_ASSIGN(auto device, open(selector));
    jobs_.push_back(std::make_unique<TypedJob<T>>(std::move(device), std::move(task),
                                                  std::move(observer), std::move(done)));
    return {};
  }

  /// Until no job is left.
  void run();

 private:
  /// A job with its device, whatever its result is.
  struct Job {
    Job(std::shared_ptr<AsyncDevice> on, Observer by);
    virtual ~Job();
    virtual const Step* next() = 0;
    virtual void answer(Answer answer) = 0;
    virtual void finish() = 0;

    std::shared_ptr<AsyncDevice> device;
    Observer observer;
    bool under_way = false;
  };

  template <class T>
  struct TypedJob final : Job {
    TypedJob(std::shared_ptr<AsyncDevice> on, Task<T> task, Observer by,
             std::function<void(Result<T>)> when_done)
        : Job(std::move(on), std::move(by)), process(std::move(task)), done(std::move(when_done)) {}
    const Step* next() override { return process.next(); }
    void answer(Answer answer) override { process.answer(answer); }
    void finish() override { done(std::move(process).result()); }

    Process<T> process;
    std::function<void(Result<T>)> done;
  };

  explicit AsyncDriver(std::shared_ptr<void> context) : context_(std::move(context)) {}
  Result<std::shared_ptr<AsyncDevice>> open(const Selector& selector);
  /// As far as the job gets without waiting. @returns whether it is over.
  static bool advance(Job& job);
  /// Lets libusb work until something happens, or until the first timer.
  void wait_for_events();

  std::shared_ptr<void> context_;
  std::list<std::unique_ptr<Job>> jobs_;
};

}  // namespace sureflash::transport
