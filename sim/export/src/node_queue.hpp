#pragma once

#include <filesystem>
#include <memory>

#include "sureflash/base/error.hpp"
#include "sureflash/sim/export/descriptor.hpp"

namespace sureflash::sim {

/// What poll() of a program says about a node. usbfs says POLLOUT when a transfer can be reaped, so
/// the node of a testbed is a POSIX message queue with room for one message: it can be written when
/// it is empty. Of all that can be opened by name it is the only file that can be made to say no
/// and that still knows lseek(), which libusb_wrap_sys_device() wants (fwupd); FIFOs and terminals
/// do not, and plain files are always ready. Source: Linux, ipc/mqueue.c.
///
/// One node has one queue: programs that have it open at the same time are woken together.
class NodeQueue {
 public:
  /// A queue that says that there is nothing. Errors: Internal, with the system's number
  static Result<std::shared_ptr<NodeQueue>> create();
  NodeQueue(const NodeQueue&) = delete;
  NodeQueue& operator=(const NodeQueue&) = delete;
  /// Whoever still waits is woken, and finds nobody.
  ~NodeQueue() { empty(); }

  /// By this name programs of the same user open the queue, as long as this process lives.
  std::filesystem::path path() const;
  /// One more, or one fewer, open file has something to reap.
  void raise();
  void lower();

 private:
  NodeQueue(Descriptor reader, Descriptor writer);
  void fill();
  void empty();

  Descriptor reader_, writer_;
  int raised_ = 0;
};

}  // namespace sureflash::sim
