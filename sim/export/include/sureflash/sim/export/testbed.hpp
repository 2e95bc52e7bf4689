#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sureflash/base/error.hpp"
#include "sureflash/sim/export/loop.hpp"
#include "sureflash/sim/export/usbfs.hpp"

/// Virtual devices for unmodified programs on the same machine, without root and without kernel
/// modules: a directory that libumockdev-preload puts in place of /sys and /dev, and a server for
/// the ioctls.
namespace sureflash::sim {

class NodeQueue;

/// The files of a testbed. No sockets, no devices: what /sys and /dev show.
class TestbedTree {
 public:
  explicit TestbedTree(std::filesystem::path root) : root_(std::move(root)) {}

  struct Place {
    std::string port;  ///< "1-2": bus 1, port 2 of its root hub
    std::uint8_t device_number = 0;
  };

  Result<void> create();
  /// @param node  what programs get when they open the node: its name in /dev is a link to it.
  Result<void> add(const Place& place, const Identity& identity, const std::filesystem::path& node);
  void remove(const Place& place);
  /// Where the preloaded library connects to when a program opens the node.
  std::filesystem::path socket(std::uint8_t device_number) const;
  /// Tells libudev monitors of all programs in the testbed. `action`: "add", "remove".
  void send_uevent(std::string_view action, const Place& place);

 private:
  std::filesystem::path device_folder(const Place& place) const;
  std::filesystem::path node_name(std::uint8_t device_number) const;
  /// Where umockdev keeps the major and minor number of a node.
  std::filesystem::path number_link(std::uint8_t device_number) const;

  std::filesystem::path root_;
  unsigned sequence_ = 0;
};

/// Serves devices in a testbed directory. Lives in a loop.
class Testbed {
 public:
  /// @param root  must not exist, or be an empty directory; removed again at the end. Errors:
  /// FileUnwritable
  ///              (also when the path is too long for sockets: about 75 characters).
  static Result<std::unique_ptr<Testbed>> create(Loop& loop, std::filesystem::path root);
  Testbed(const Testbed&) = delete;
  Testbed& operator=(const Testbed&) = delete;
  /// Programs that still use a device are ended by the preloaded library (it calls exit(1)).
  ~Testbed();

  /// Puts a device into the next free port of bus 1 ("1-1", "1-2", …). `device` must outlive this.
  /// Programs see it as soon as it is attached and enumerated. @returns the port's name.
  std::string add(UsbDevice& device, Pace pace);
  /// The port a device is in. Precondition: `add` returned this name.
  HostPort& port(const std::string& name);
  /// Device number by which programs know it now; 0: not there.
  std::uint8_t device_number(const std::string& port) const;

  /// What a program needs in its environment: "UMOCKDEV_DIR=…", "LD_PRELOAD=…".
  std::vector<std::string> environment() const;

  /// Checks that the installed libumockdev-preload.so.0 speaks the protocol spoken here, by letting
  /// a child process ask a node for its capabilities. Call it from the thread of the loop, without
  /// other threads running, with a device visible. Errors: Unsupported, NoDevice.
  Result<void> self_test();

 private:
  class Connection;
  struct Slot {
    std::unique_ptr<HostPort> port;
    std::shared_ptr<UsbfsNode> node;
    std::shared_ptr<NodeQueue> queue;
    Descriptor listener;
    TestbedTree::Place place;
  };

  Testbed(Loop& loop, std::filesystem::path root);
  Duration tick();
  void plug(Slot& slot);
  void unplug(Slot& slot);
  void accept(const Slot& slot);

  Loop* loop_;
  std::filesystem::path root_;
  TestbedTree tree_;
  int tick_ = -1;
  std::uint8_t next_device_number_ = 2;  // 1 is the root hub
  std::map<std::string, Slot> slots_;
  std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace sureflash::sim
