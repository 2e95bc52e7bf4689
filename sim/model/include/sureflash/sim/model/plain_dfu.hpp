#pragma once

#include "sureflash/sim/chip/chip.hpp"
#include "sureflash/sim/model/strict_dfu.hpp"

namespace sureflash::sim {

struct PlainDfuOptions {
  /// Where block 0 goes; the image may fill flash up to its end.
  std::uint32_t application_base = 0x08002000;
  std::uint16_t transfer_size = 1024;
  bool manifestation_tolerant = false;
  bool will_detach = true;
  /// GETSTATUS while busy is NAKed; else it is an error, as the specification has it.
  bool holds_while_busy = false;
  /// bwPollTimeout; without, the time the work takes.
  std::optional<std::uint32_t> poll_ms{};
};

/// A DFU 1.1 device as the specification draws it, without DfuSe: blocks from 0 upwards, pages
/// erased as they are entered. Polling it too early is an error.
class PlainDfu final : public StrictDfu {
 public:
  PlainDfu(PlainDfuOptions options, Chip& chip, Firmware& firmware);

  const DeviceDescription& description() const override { return usb_; }
  void pass(Duration now) override;
  Duration busy_until() const override;
  void bus_reset(Duration now, bool was_configured) override;

 private:
  Reply block(const Request& request) override;
  Reply end(const Request& request) override;
  Reply upload(const Request& request) override;
  Reply sync(const Request& request) override;
  Reply detach(const Request&) override { return Reply::stall(); }

  Reply manifest(const Request& request);
  Reply start_work(const Request& request);
  FlashResult write();
  std::uint64_t address_of(std::uint16_t block_number) const;

  PlainDfuOptions options_;
  DeviceDescription usb_;
  Chip* chip_;
  Firmware* firmware_;
  bool pending_ = false;
  bool manifested_ = false;
  std::uint16_t block_number_ = 0;
  Bytes data_;
  proto::DfuStatus result_ = proto::DfuStatus::Ok;
  Duration done_at_{};
};

/// The run-time side: an application (0483:5740) with a DFU interface beside its own.
class RuntimeDfu final : public StrictDfu {
 public:
  /// `will_detach`: leaves the bus by itself; else it waits for a bus reset within wDetachTimeOut.
  RuntimeDfu(bool will_detach, const UniqueId& id, Firmware& firmware);

  const DeviceDescription& description() const override { return usb_; }
  void pass(Duration now) override;
  void bus_reset(Duration now, bool was_configured) override;

 private:
  Reply block(const Request&) override { return Reply::stall(); }
  Reply end(const Request&) override { return Reply::stall(); }
  Reply upload(const Request&) override { return Reply::stall(); }
  Reply sync(const Request&) override { return Reply::stall(); }
  Reply detach(const Request& request) override;

  DeviceDescription usb_;
  Firmware* firmware_;
  bool will_detach_;
  Duration detach_until_{};
};

}  // namespace sureflash::sim
