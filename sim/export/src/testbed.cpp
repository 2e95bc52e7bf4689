#include "sureflash/sim/export/testbed.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <poll.h>

#include "node_queue.hpp"
#include "umockdev.hpp"
#include <sys/socket.h>
#include <sys/wait.h>

#include "sureflash/sim/export/unix_socket.hpp"

namespace sureflash::sim {
namespace fs = std::filesystem;
namespace {

constexpr const char* kPreload = "libumockdev-preload.so.0";
/// How often time goes on for a device that nobody talks to.
constexpr Duration kIdleTick = 5ms;
constexpr std::uint8_t kDeviceNumberMax = 127;

}  // namespace

/// One open() of a node by one program.
class Testbed::Connection {
 public:
  Connection(Loop& loop, Descriptor socket, std::shared_ptr<UsbfsNode> node,
             std::shared_ptr<NodeQueue> queue)
      : loop_(&loop),
        channel_(std::move(socket)),
        file_(std::move(node)),
        queue_(std::move(queue)) {
    loop_->watch(channel_.descriptor(), POLLIN, [this](short) { on_readable(); });
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    loop_->unwatch(channel_.descriptor());
    if (raised_) queue_->lower();
  }

  bool closed() const { return closed_; }
  /// Answers what has become due. @returns when to be called again.
  Duration tick(Duration now) {
    if (blocked_) ask_again();
    if (answer_ && answer_->due <= now) finish(*std::exchange(answer_, std::nullopt));
    tell_poll();
    Duration sleep = Duration::max();
    if (answer_) sleep = answer_->due - now;
    if (!raised_) sleep = std::min(sleep, file_.next_due().value_or(Duration::max()) - now);
    return sleep;
  }

 private:
  /// An ioctl that the program waits for.
  struct Blocked {
    std::uint32_t request;
    std::uint64_t argument;
  };

  void on_readable() {
    const auto request = channel_.receive();
    if (!request) {
      closed_ = true;
      return;
    }
    switch (request->command) {
      case umockdev::Command::Read:
        return finish(file_.read(request->first, request->second, channel_));
      case umockdev::Command::Write:
        // devio.c has no write().
        return finish({-1, EINVAL});
      default:
        break;
    }
    blocked_ = {static_cast<std::uint32_t>(request->first), request->second};
    ask_again();
  }

  void ask_again() {
    const IoctlResult result = file_.ioctl(blocked_->request, blocked_->argument, channel_);
    if (result.blocks) return;
    blocked_.reset();
    answer(result);
  }

  void answer(const IoctlResult& result) {
    if (result.due > monotonic_clock()) {
      answer_ = result;
    } else {
      finish(result);
    }
  }

  /// A program that has its answer may call poll() at once: that comes first.
  void finish(const IoctlResult& result) {
    tell_poll();
    if (!channel_.done(result.value, result.error)) closed_ = true;
  }

  void tell_poll() {
    if (file_.ready() == raised_) return;
    raised_ = !raised_;
    raised_ ? queue_->raise() : queue_->lower();
  }

  Loop* loop_;
  umockdev::Channel channel_;
  UsbfsFile file_;
  std::shared_ptr<NodeQueue> queue_;
  bool raised_ = false;
  std::optional<Blocked> blocked_;
  std::optional<IoctlResult> answer_;
  bool closed_ = false;
};

Result<std::unique_ptr<Testbed>> Testbed::create(Loop& loop, fs::path root) {
  std::error_code error;
  if (fs::exists(root, error) && !fs::is_empty(root, error)) {
    return fail(Error(Errc::FileUnwritable, "directory is not empty").named(root.string()));
  }
  fs::create_directories(root, error);
  root = fs::canonical(root, error);
  auto testbed = std::unique_ptr<Testbed>(new Testbed(loop, root));
  TRY(testbed->tree_.create());
  // Fails now rather than when a device is plugged.
  const fs::path probe = testbed->tree_.socket(kDeviceNumberMax);
  TRY(listen_at(probe));
  fs::remove(probe, error);
  return testbed;
}

Testbed::Testbed(Loop& loop, fs::path root) : loop_(&loop), root_(root), tree_(std::move(root)) {
  const std::scoped_lock lock(loop_->mutex());
  tick_ = loop_->add_tick([this] { return tick(); });
}

Testbed::~Testbed() {
  const std::scoped_lock lock(loop_->mutex());
  loop_->remove_tick(tick_);
  for (auto& [name, slot] : slots_) {
    if (slot.node) unplug(slot);
  }
  connections_.clear();
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

std::string Testbed::add(UsbDevice& device, Pace pace) {
  const std::scoped_lock lock(loop_->mutex());
  const std::string name = "1-" + std::to_string(slots_.size() + 1);
  Slot& slot = slots_[name];
  slot.place.port = name;
  slot.port = std::make_unique<HostPort>(device, pace);
  loop_->wake();
  return name;
}

HostPort& Testbed::port(const std::string& name) {
  return *slots_.at(name).port;
}

std::uint8_t Testbed::device_number(const std::string& port) const {
  const Slot& slot = slots_.at(port);
  return slot.node ? slot.place.device_number : std::uint8_t{0};
}

std::vector<std::string> Testbed::environment() const {
  return {"UMOCKDEV_DIR=" + root_.string(), std::string("LD_PRELOAD=") + kPreload};
}

Duration Testbed::tick() {
  for (auto& [name, slot] : slots_) {
    switch (slot.port->tick()) {
      case HostPort::Event::Arrived:
        plug(slot);
        break;
      case HostPort::Event::Left:
        unplug(slot);
        break;
      case HostPort::Event::None:
        break;
    }
  }
  Duration sleep = kIdleTick;
  for (const auto& [name, slot] : slots_) sleep = std::min(sleep, slot.port->next_tick());
  const Duration now = monotonic_clock();
  for (auto& connection : connections_) sleep = std::min(sleep, connection->tick(now));
  std::erase_if(connections_, [](const auto& connection) { return connection->closed(); });
  return sleep;
}

void Testbed::plug(Slot& slot) {
  slot.place.device_number = next_device_number_;
  next_device_number_ = next_device_number_ == kDeviceNumberMax
                            ? std::uint8_t{2}
                            : static_cast<std::uint8_t>(next_device_number_ + 1);
  auto listener = listen_at(tree_.socket(slot.place.device_number));
  auto queue = NodeQueue::create();
  if (!listener || !queue || !tree_.add(slot.place, *slot.port->identity(), (*queue)->path())) {
    // The directory has been taken away from under us; there is nobody to see a device.
    tree_.remove(slot.place);
    return;
  }
  slot.queue = std::move(*queue);
  slot.node = std::make_shared<UsbfsNode>(*slot.port, slot.place.device_number);
  slot.listener = std::move(*listener);
  loop_->watch(slot.listener.get(), POLLIN, [this, &slot](short) { accept(slot); });
  tree_.send_uevent("add", slot.place);
}

void Testbed::unplug(Slot& slot) {
  if (!slot.node) return;
  accept(slot);  // who has opened the node just now has opened it before
  slot.node->unplug();
  slot.node.reset();
  slot.queue.reset();
  loop_->unwatch(slot.listener.get());
  slot.listener = Descriptor();
  tree_.remove(slot.place);
  tree_.send_uevent("remove", slot.place);
}

void Testbed::accept(const Slot& slot) {
  while (Descriptor socket{::accept4(slot.listener.get(), nullptr, nullptr, SOCK_CLOEXEC)}) {
    connections_.push_back(
        std::make_unique<Connection>(*loop_, std::move(socket), slot.node, slot.queue));
  }
}

Result<void> Testbed::self_test() {
  const auto slot = std::find_if(slots_.begin(), slots_.end(),
                                 [](const auto& entry) { return entry.second.node != nullptr; });
  if (slot == slots_.end()) return fail(Errc::NoDevice, "the self test needs a visible device");
  std::array<char, 32> node{};
  std::snprintf(node.data(), node.size(), "/dev/bus/usb/001/%03u",
                slot->second.place.device_number);
  const pid_t child = ::fork();
  if (child < 0) return fail(Errc::Internal, "cannot start a process");
  if (child == 0) ::_exit(umockdev::ask_for_capabilities(kPreload, root_.c_str(), node.data()));
  int status = 0;
  for (int round = 0; ::waitpid(child, &status, WNOHANG) == 0; ++round) {
    loop_->run_once(5ms);
    if (round == 2000) ::kill(child, SIGKILL);
  }
  switch (WIFEXITED(status) ? WEXITSTATUS(status) : umockdev::kWrongProtocol) {
    case 0:
      return {};
    case umockdev::kNoLibrary:
      return fail(Errc::Unsupported,
                  std::string(kPreload) + " is not installed (Debian package: umockdev)");
    default:
      return fail(
          Errc::Unsupported,
          std::string(kPreload) + " speaks another protocol (umockdev 0.16 to 0.18 are known)");
  }
}

}  // namespace sureflash::sim
