#pragma once

#include <optional>

#include "sureflash/transport/driver.hpp"
#include "sureflash/transport/virtual.hpp"

namespace sureflash::transport {

/// Drives many virtual devices in this process, each on a bus of its own: what they do at the same
/// time costs the time of the slowest. The order of events is that of virtual time, so that a run
/// is the same each time.
class VirtualDriver final : public Driver {
 public:
  /// With Clock::Real, no event is seen before the wall clock has reached it.
  explicit VirtualDriver(Clock clock);
  ~VirtualDriver() override;

  /// Plugs a device in. `device` must outlive this.
  void plug(std::string port, sim::UsbDevice& device);

  std::vector<OccupiedPort> ports() const override;
  bool work(Duration patience) override;
  /// Time since the first job was started.
  Duration now() const { return now_; }

 private:
  struct Slot {
    std::string port;
    sim::UsbDevice* device = nullptr;
  };
  /// A job, and what its device has answered already, although it is not time yet.
  struct Running {
    std::unique_ptr<Job> job;
    std::unique_ptr<VirtualTransport> transport;
    Duration began{};
    std::optional<Answer> answer;
    Duration due{};
  };

  Result<void> add(const std::string& port, std::unique_ptr<Job> job) override;
  /// Has the device carry out the next step. @returns false: the job is over.
  bool advance(Running& running) const;
  void wait_until(Duration due) const;

  Clock clock_;
  std::vector<Slot> slots_;
  std::list<Running> running_;
  Duration now_{};
  std::optional<Duration> began_wall_;
};

}  // namespace sureflash::transport
