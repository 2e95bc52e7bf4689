// A program that opens a device of the testbed and calls any ioctl with anything behind its
// pointers: answers are bounded, nothing of the program is touched but what the ioctl owns, the
// device survives.
//
// Input: for each ioctl one byte that chooses the request, one that chooses among two open files,
// then what the program's memory holds, in the order in which it is read.

#include <array>
#include <cstring>

#include "cdc_world.hpp"
#include <linux/usbdevice_fs.h>
#include <sys/ioctl.h>

#include "sureflash/sim/export/usbfs.hpp"
namespace sureflash::sim {
namespace {

constexpr std::uint64_t kRequests[] = {USBDEVFS_CONTROL,
                                       USBDEVFS_BULK,
                                       USBDEVFS_RESETEP,
                                       USBDEVFS_SETINTERFACE,
                                       USBDEVFS_SETCONFIGURATION,
                                       USBDEVFS_GETDRIVER,
                                       USBDEVFS_SUBMITURB,
                                       USBDEVFS_DISCARDURB,
                                       USBDEVFS_REAPURB,
                                       USBDEVFS_REAPURBNDELAY,
                                       USBDEVFS_CLAIMINTERFACE,
                                       USBDEVFS_RELEASEINTERFACE,
                                       USBDEVFS_CONNECTINFO,
                                       USBDEVFS_IOCTL,
                                       USBDEVFS_RESET,
                                       USBDEVFS_CLEAR_HALT,
                                       USBDEVFS_GET_CAPABILITIES,
                                       USBDEVFS_DISCONNECT_CLAIM,
                                       USBDEVFS_GET_SPEED,
                                       USBDEVFS_DISCSIGNAL};
constexpr int kCallsMax = 64;
/// More than the kernel lets a program have under way.
constexpr std::size_t kTransferMax = 17 << 20;

/// What has not been given to anybody yet.
class Stream final : public ClientMemory {
 public:
  explicit Stream(ByteView input) : rest_(input) {}
  bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const std::uint8_t first = rest_.front();
    rest_ = rest_.subspan(1);
    return first;
  }
  bool read(std::uint64_t, ByteSpan to) override {
    fuzz::require(to.size() <= kTransferMax, "a read of the program's memory is bounded");
    if (to.size() > rest_.size()) return false;
    std::memcpy(to.data(), rest_.data(), to.size());
    rest_ = rest_.subspan(to.size());
    return true;
  }
  bool write(std::uint64_t, ByteView from) override {
    fuzz::require(from.size() <= kTransferMax, "a write to the program's memory is bounded");
    return true;
  }

 private:
  ByteView rest_;
};

}  // namespace
}  // namespace sureflash::sim

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sureflash;
  using namespace sureflash::sim;
  fuzz::CdcWorld& world = fuzz::next_world();
  const auto node = std::make_shared<UsbfsNode>(world.port, 2);
  UsbfsFile first(node);
  UsbfsFile second(node);
  Stream memory({data, size});
  for (int i = 0; i < kCallsMax && !memory.empty(); ++i) {
    const std::uint64_t request = kRequests[memory.byte() % std::size(kRequests)];
    const std::uint8_t choice = memory.byte();
    // An argument is a pointer, or a small number: an interface, say, or one of few URBs.
    (choice % 2 == 0 ? first : second)
        .ioctl(static_cast<std::uint32_t>(request), choice / 2U % 8U, memory);
    world.port.tick();
  }
  node->unplug();
  return 0;
}
