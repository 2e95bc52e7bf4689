#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sureflash/proto/dfu.hpp"
#include "sureflash/proto/dfuse.hpp"
#include "sureflash/sim/usb/device.hpp"

/// A small strict DfuSe device for tests of the exports and of the host's drivers: what matters
/// here is USB and time, not the chip. The faithful devices are in `sim/model`.
namespace sureflash::sim {

struct DfuDeviceOptions {
  /// One alternate setting each. The first is backed by 64 KiB of memory at 0x08000000.
  std::vector<std::string> layouts{"@Internal Flash  /0x08000000/64*001Kg"};
  /// Starts as an application with a DFU run-time interface (0483:5740) that detaches.
  bool run_time = false;
  /// Time that erasing a page or writing a block takes: announced as bwPollTimeout.
  Duration busy{};
  std::string serial = "357938513431";
};

class DfuDevice final : public UsbDevice {
 public:
  explicit DfuDevice(DfuDeviceOptions options = {});

  Duration now() const override { return now_; }
  void advance_to(Duration time) override;
  bool attached() const override { return vbus_ && pulled_up_; }
  std::uint32_t attach_count() const override { return attach_count_; }
  Completion control(const proto::Setup& setup, ByteView out, ByteSpan in,
                     Duration timeout) override;
  void bus_reset() override;
  void set_vbus(bool on) override;

  bool in_dfu_mode() const { return !run_time_; }
  const Bytes& memory() const { return memory_; }
  Bytes& memory() { return memory_; }
  unsigned transfers() const { return transfers_; }
  std::uint8_t alt_setting() const { return alt_; }
  /// The next transfers of this class request are NAKed for this long.
  void delay(proto::DfuRequest request, Duration duration);

 private:
  Completion stall();
  Completion reply(ByteSpan in, ByteView data);
  Completion standard(const proto::Setup& setup, ByteSpan in);
  Completion dfu(const proto::Setup& setup, ByteView out, ByteSpan in);
  Completion download(const proto::Setup& setup, ByteView out);
  Completion upload(const proto::Setup& setup, ByteSpan in);
  Completion status(ByteSpan in);
  void execute();
  void leave_bus_at(Duration time, bool run_time_after);
  Bytes device_descriptor() const;
  Bytes configuration() const;
  Bytes string(std::uint8_t index) const;

  DfuDeviceOptions options_;
  Duration now_{};
  bool vbus_ = true;
  bool pulled_up_ = true;
  std::uint32_t attach_count_ = 1;
  bool run_time_;
  std::optional<Duration> leave_at_;
  std::optional<Duration> return_at_;
  bool run_time_after_ = false;

  proto::DfuState state_;
  proto::DfuStatus status_ = proto::DfuStatus::Ok;
  std::uint32_t pointer_ = 0x08000000;
  std::uint16_t block_ = 0;
  Bytes pending_;
  std::uint8_t alt_ = 0;
  bool configured_ = false;
  std::optional<proto::DfuRequest> delayed_;
  Duration delay_{};
  Bytes memory_;
  unsigned transfers_ = 0;
};

}  // namespace sureflash::sim
