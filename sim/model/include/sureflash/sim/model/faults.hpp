#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "sureflash/base/error.hpp"
#include "sureflash/sim/chip/operations.hpp"
#include "sureflash/sim/usb/device.hpp"

/// What may go wrong with a virtual device, as a list that a person or a seed writes.
namespace sureflash::sim {

enum class TransferFault : std::uint8_t {
  Stall,       ///< stalled; the device does not see it
  Timeout,     ///< not answered; the device does not see it
  Short,       ///< an IN transfer brings half of its bytes
  Garbage,     ///< an IN transfer brings noise of the right length
  Disconnect,  ///< the plug is out before this transfer, and in again a second later
  Vanish,      ///< the plug is out before this transfer, for good
  Reset,       ///< the bus is reset before this transfer; the host must enumerate anew
};

struct TransferFaultRule {
  TransferFault kind = TransferFault::Stall;
  /// Control transfers from `first` to `last`, counted from 0, enumeration included.
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

struct FaultPlan {
  std::vector<TransferFaultRule> transfers;
  std::vector<FlashFaultRule> flash;
  /// Every GETSTATUS says OK, whatever the device thinks.
  bool status_always_ok = false;
  /// Class requests with more than one packet of data time out: a ROM that cannot follow a host
  /// whose packets come close together (AN2606, known limitations of F04x, F3, L0, L1).
  bool loses_packets = false;

  bool empty() const {
    return transfers.empty() && flash.empty() && !status_always_ok && !loses_packets;
  }
};

/// Grammar: items joined by '+'; an item is `status-ok`, `no-gap`
/// (loses_packets), `random` (one to three faults that `seed`
/// chooses), or KIND '@' N [ '-' M ] with KIND one of stall timeout short garbage disconnect vanish
/// reset (N = number of the control transfer), cut-before cut-during cut-after (N = number of the
/// flash operation), drop-write flip-bit (N-th program operation), skip-erase (N-th erase). Error:
/// DeviceSpec.
Result<FaultPlan> parse_faults(std::string_view text, std::uint64_t seed);

/// A device as a host sees it over a bad cable, or one that lies.
class FaultyDevice final : public UsbDevice {
 public:
  /// `device` must outlive this. Flash faults of the plan are not its business.
  FaultyDevice(UsbDevice& device, FaultPlan plan, std::uint64_t seed);

  Duration now() const override { return device_->now(); }
  void advance_to(Duration time) override;
  bool attached() const override { return device_->attached(); }
  std::uint32_t attach_count() const override {
    return device_->attach_count() + extra_attachments_;
  }
  Speed speed() const override { return device_->speed(); }
  Completion control(const proto::Setup& setup, ByteView out, ByteSpan in,
                     Duration timeout) override;
  Completion endpoint_out(std::uint8_t endpoint, ByteView data, Duration timeout) override {
    return device_->endpoint_out(endpoint, data, timeout);
  }
  Completion endpoint_in(std::uint8_t endpoint, ByteSpan data, Duration timeout) override {
    return device_->endpoint_in(endpoint, data, timeout);
  }
  void bus_reset() override { device_->bus_reset(); }
  void set_vbus(bool on) override { device_->set_vbus(on); }

  /// Control transfers seen so far.
  std::uint64_t transfer_count() const { return transfers_; }

 private:
  const TransferFaultRule* fault_now() const;
  Completion faulty(TransferFault kind, const proto::Setup& setup, ByteView out, ByteSpan in,
                    Duration timeout);
  void unplug(bool for_good);
  void lie(const proto::Setup& setup, ByteSpan in, const Completion& done);

  UsbDevice* device_;
  FaultPlan plan_;
  std::uint64_t seed_;
  std::uint64_t transfers_ = 0;
  std::uint32_t extra_attachments_ = 0;
  Duration plug_in_at_ = Duration::max();
};

}  // namespace sureflash::sim
