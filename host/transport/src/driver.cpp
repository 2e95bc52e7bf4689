#include "sureflash/transport/driver.hpp"

namespace sureflash::transport {
namespace {

/// How long a request to stop at once may go unnoticed.
constexpr Duration kPatience = 100ms;

}  // namespace

Job::~Job() = default;
Driver::~Driver() = default;

const Step* Job::next_for_device(Duration now) {
  while (const Step* step = next()) {
    if (observer.stop_at_once()) {
      answer({.io = Io::Stopped, .time = now});
    } else if (const auto* progress = std::get_if<Progress>(step)) {
      const bool stop = observer.on_progress(*progress);
      answer({.time = now, .stop_requested = stop});
    } else {
      return step;
    }
  }
  return nullptr;
}

void Driver::run() {
  while (work(kPatience)) {
  }
}

}  // namespace sureflash::transport
