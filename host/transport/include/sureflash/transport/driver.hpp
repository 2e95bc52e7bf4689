#pragma once

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "sureflash/transport/transport.hpp"

/// Many devices at once, in one thread: each job's steps are under way while the others' wait.
namespace sureflash::transport {

/// A job on one device, whatever its result is.
class Job {
 public:
  explicit Job(Observer by) : observer(std::move(by)) {}
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  virtual ~Job();

  virtual const Step* next() = 0;
  virtual void answer(Answer answer) = 0;
  /// Tells the result. Precondition: next() returned nullptr.
  virtual void finish() = 0;

  /// The next step that a device has to carry out; nullptr: the job is over. Answers for the
  /// observer, who is asked at `now`, on the way.
  const Step* next_for_device(Duration now);

  Observer observer;
};

template <class T>
class TypedJob final : public Job {
 public:
  using Done = std::function<void(Result<T>)>;

  TypedJob(Task<T> task, Observer by, Done done)
      : Job(std::move(by)), process_(std::move(task)), done_(std::move(done)) {}
  const Step* next() override { return process_.next(); }
  void answer(Answer answer) override { process_.answer(answer); }
  void finish() override { done_(std::move(process_).result()); }

 private:
  Process<T> process_;
  Done done_;
};

/// A port with a device in it.
struct OccupiedPort {
  /// "1-2.4": stays the same when the device enumerates again.
  std::string name;
  /// Another number when the device left and came back, or is another one.
  std::uint32_t attachment = 0;
  /// As the operating system has them; 0: not known.
  std::uint16_t vendor_id = 0;
  std::uint16_t product_id = 0;

  friend bool operator==(const OccupiedPort&, const OccupiedPort&) = default;
};

/// Carries out the steps of many jobs, each on a device of its own.
class Driver {
 public:
  Driver() = default;
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  virtual ~Driver();

  /// Where there are devices that jobs can be put on, sorted by name. Cheap, and without a
  /// transfer: jobs that are under way are not held up.
  virtual std::vector<OccupiedPort> ports() const = 0;

  /// Opens the device at a port and puts a job on it; nothing happens before `work`. `done` is
  /// called from within `work`; it may start further jobs. Errors: NoDevice, PermissionDenied,
  /// DeviceBusy, and those of opening.
  template <class T>
  Result<void> start_at(const std::string& port, Task<T> task, Observer observer,
                        std::function<void(Result<T>)> done) {
    return add(
        port, std::make_unique<TypedJob<T>>(std::move(task), std::move(observer), std::move(done)));
  }

  /// Lets the jobs go on until something has happened, or for about so long; without jobs, returns
  /// at once. @returns whether there are jobs left.
  virtual bool work(Duration patience) = 0;

  /// Until no job is left.
  void run();

 private:
  virtual Result<void> add(const std::string& port, std::unique_ptr<Job> job) = 0;
};

}  // namespace sureflash::transport
