#include "sureflash/transport/virtual_driver.hpp"

#include <algorithm>
#include <thread>

namespace sureflash::transport {
namespace {

/// An F105 with an 8 MHz crystal needs 13.7 s to find its clock (AN2606 table 229).
constexpr Duration kAttachTimeout = 20s;

Duration wall_clock() {
  return std::chrono::steady_clock::now().time_since_epoch();
}

}  // namespace

VirtualDriver::VirtualDriver(Clock clock) : clock_(clock) {}
VirtualDriver::~VirtualDriver() = default;

void VirtualDriver::plug(std::string port, sim::UsbDevice& device) {
  slots_.push_back({std::move(port), &device});
}

std::vector<OccupiedPort> VirtualDriver::ports() const {
  std::vector<OccupiedPort> occupied;
  for (const Slot& slot : slots_) {
    // A virtual device joins its bus as soon as somebody lets its time pass.
    occupied.push_back({.name = slot.port, .attachment = slot.device->attach_count()});
  }
  return occupied;
}

Result<void> VirtualDriver::add(const std::string& port, std::unique_ptr<Job> job) {
  const auto slot = std::ranges::find(slots_, port, &Slot::port);
  if (slot == slots_.end()) return fail(Error(Errc::NoDevice).in(Stage::Open));
  if (!began_wall_) began_wall_ = wall_clock();
  // Its device may have seen less time than the others.
  slot->device->advance_to(std::max(slot->device->now(), now_));
  // The driver keeps the pace, not the transport: others may have something to do before.
  auto transport = std::make_unique<VirtualTransport>(*slot->device, Clock::Virtual);
  TRY(transport->open(kAttachTimeout));
  running_.push_back({std::move(job), std::move(transport), now_, {}, now_});
  return {};
}

bool VirtualDriver::advance(Running& running) const {
  const Step* step = running.job->next_for_device(running.transport->now());
  if (step == nullptr) return false;
  running.answer = running.transport->perform(*step);
  running.due = running.began + running.answer->time;
  return true;
}

void VirtualDriver::wait_until(Duration due) const {
  if (clock_ != Clock::Real) return;
  const Duration ahead = due - (wall_clock() - *began_wall_);
  if (ahead > Duration::zero()) std::this_thread::sleep_for(ahead);
}

bool VirtualDriver::work(Duration) {
  if (running_.empty()) return false;
  const auto next = std::ranges::min_element(running_, {}, &Running::due);
  wait_until(next->due);
  now_ = std::max(now_, next->due);
  if (next->answer) next->job->answer(*std::exchange(next->answer, std::nullopt));
  if (!advance(*next)) {
    const auto job = std::move(next->job);
    running_.erase(next);
    job->finish();
  }
  return !running_.empty();
}

}  // namespace sureflash::transport
