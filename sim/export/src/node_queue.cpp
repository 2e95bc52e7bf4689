#include "node_queue.hpp"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <mqueue.h>
#include <string>
#include <unistd.h>

namespace sureflash::sim {
namespace {

constexpr int kFlags = O_NONBLOCK | O_CLOEXEC;

}  // namespace

Result<std::shared_ptr<NodeQueue>> NodeQueue::create() {
  static std::atomic<unsigned> next = 0;
  const std::string name =
      "/sureflash-" + std::to_string(::getpid()) + "-" + std::to_string(next++);
  mq_attr attributes{};
  attributes.mq_maxmsg = 1;
  attributes.mq_msgsize = 1;
  // Two ends: who looks for the programs that use a node looks for those who can read and write.
  Descriptor reader(
      ::mq_open(name.c_str(), O_RDONLY | O_CREAT | O_EXCL | kFlags, 0600, &attributes));
  Descriptor writer(reader ? ::mq_open(name.c_str(), O_WRONLY | kFlags) : -1);
  if (!writer) {
    Error error(Errc::Internal, "no message queue for a device (mq_overview(7))");
    error.os = errno;
    return fail(std::move(error));
  }
  // Nothing is left behind, whatever happens to this process.
  ::mq_unlink(name.c_str());
  return std::shared_ptr<NodeQueue>(new NodeQueue(std::move(reader), std::move(writer)));
}

NodeQueue::NodeQueue(Descriptor reader, Descriptor writer)
    : reader_(std::move(reader)), writer_(std::move(writer)) {
  fill();
}

std::filesystem::path NodeQueue::path() const {
  // umockdev takes a link for a device when it begins with /dev/.
  return "/dev/../proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(reader_.get());
}

void NodeQueue::raise() {
  if (raised_++ == 0) empty();
}

void NodeQueue::lower() {
  if (--raised_ == 0) fill();
}

void NodeQueue::fill() {
  ::mq_send(writer_.get(), "", 1, 0);
}

void NodeQueue::empty() {
  char message = 0;
  ::mq_receive(reader_.get(), &message, sizeof message, nullptr);
}

}  // namespace sureflash::sim
