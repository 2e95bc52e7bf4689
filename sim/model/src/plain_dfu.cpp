#include "sureflash/sim/model/plain_dfu.hpp"

#include <algorithm>

#include "sureflash/proto/dfuse.hpp"

namespace sureflash::sim {
namespace {

using proto::DfuState;
using proto::DfuStatus;

constexpr Duration kStatusTransfer = BusTiming{}.transfer(proto::kStatusReplyLength);
/// Time the image check takes.
constexpr Duration kManifestTime = 10ms;
/// Between the status stage of DETACH and the disconnect (device-side.md 2.1).
constexpr Duration kDetachDelay = 10ms;
constexpr std::uint16_t kDetachTimeoutMs = 1000;
/// pid.codes: for tests, never shipped.
constexpr std::uint16_t kTestVendor = 0x1209;
constexpr std::uint16_t kTestProduct = 0x0001;
/// ST's number for a virtual COM port, which applications commonly use.
constexpr std::uint16_t kStVcpProduct = 0x5740;
constexpr std::uint8_t kVendorSpecific = 0xFF;

}  // namespace

PlainDfu::PlainDfu(PlainDfuOptions options, Chip& chip, Firmware& firmware)
    : options_(options), chip_(&chip), firmware_(&firmware) {
  std::uint8_t attributes = proto::kCanDnload | proto::kCanUpload;
  if (options.manifestation_tolerant) attributes |= proto::kManifestationTolerant;
  if (options.will_detach) attributes |= proto::kWillDetach;
  usb_ = {.vendor_id = kTestVendor,
          .product_id = kTestProduct,
          .bcd_device = 0x0100,
          .strings = {"sureflash", "DFU 1.1 device", st_serial(chip.unique_id()), "Application"},
          .interfaces = {{.string_index = 4}},
          .functional = {.attributes = attributes,
                         .detach_timeout_ms = kDetachTimeoutMs,
                         .transfer_size = options.transfer_size,
                         .bcd_dfu = proto::kBcdDfu11}};
}

Duration PlainDfu::busy_until() const {
  return options_.holds_while_busy ? done_at_ : Duration::zero();
}

void PlainDfu::pass(Duration now) {
  if (now < done_at_) return;
  if (state() == DfuState::DfuDnBusy) {
    enter(DfuState::DfuDnloadSync);
    if (result_ != DfuStatus::Ok) fail_with(result_);
  } else if (state() == DfuState::DfuManifest) {
    manifested_ = true;
    enter(options_.manifestation_tolerant ? DfuState::DfuManifestSync
                                          : DfuState::DfuManifestWaitReset);
  }
}

/// DFU 1.1, 6.1.3: a reset ends DFU mode; without a valid application it is an error.
void PlainDfu::bus_reset(Duration now, bool was_configured) {
  pending_ = false;
  if (!was_configured) return to_idle();
  if (chip_->application_plausible(options_.application_base)) {
    firmware_->start_application(now, options_.application_base);
  } else {
    fail_with(DfuStatus::ErrFirmware);
  }
}

std::uint64_t PlainDfu::address_of(std::uint16_t block_number) const {
  return options_.application_base + std::uint64_t{block_number} * options_.transfer_size;
}

Reply PlainDfu::block(const Request& request) {
  if (request.setup.wLength > options_.transfer_size) return refuse();
  data_.assign(request.out.begin(), request.out.end());
  block_number_ = request.setup.wValue;
  pending_ = true;
  enter(DfuState::DfuDnloadSync);
  return Reply::ack();
}

Reply PlainDfu::end(const Request&) {
  manifested_ = false;
  enter(DfuState::DfuManifestSync);
  return Reply::ack();
}

Reply PlainDfu::sync(const Request& request) {
  if (state() == DfuState::DfuManifestSync) return manifest(request);
  if (pending_) return start_work(request);
  enter(DfuState::DfuDnloadIdle);
  return send_status(request, 0);
}

Reply PlainDfu::manifest(const Request& request) {
  if (manifested_) {
    to_idle();
    return send_status(request, 0);
  }
  if (!chip_->application_plausible(options_.application_base)) {
    fail_with(DfuStatus::ErrFirmware);
    return send_status(request, 0);
  }
  done_at_ = request.now + kStatusTransfer + kManifestTime;
  enter(DfuState::DfuManifest);
  return send_status(request, options_.poll_ms.value_or(ceil_ms(kManifestTime)));
}

Reply PlainDfu::start_work(const Request& request) {
  pending_ = false;
  const FlashResult done = write();
  done_at_ = request.now + kStatusTransfer + done.duration;
  enter(DfuState::DfuDnBusy);
  if (done.outcome == FlashOutcome::PowerLost) firmware_->lose_power(done_at_);
  return send_status(request, options_.poll_ms.value_or(ceil_ms(done.duration)));
}

/// Erases each page whose first byte it writes, programs, and compares: this device notices what
/// the flash refused.
FlashResult PlainDfu::write() {
  Flash& flash = chip_->flash();
  const std::uint32_t unit = flash.geometry().program_unit;
  data_.resize((data_.size() + unit - 1) / unit * unit, flash.geometry().erased);
  const auto target = AddressRange::sized(address_of(block_number_), data_.size());
  FlashResult total;
  result_ = flash.range().contains(target) ? DfuStatus::Ok : DfuStatus::ErrAddress;
  for (std::size_t i = 0; i < data_.size() && result_ == DfuStatus::Ok; i += unit) {
    const auto at = static_cast<std::uint32_t>(target.begin + i);
    FlashResult step;
    if (flash.geometry().sector_at(at)->range.begin == at) step = flash.erase_sector(at);
    total.duration += step.duration;
    if (step.outcome == FlashOutcome::Ok) {
      step = flash.program(at, ByteView(data_).subspan(i, unit));
      total.duration += step.duration;
    }
    total.outcome = step.outcome;
    if (step.outcome != FlashOutcome::Ok) result_ = DfuStatus::ErrWrite;
  }
  return total;
}

Reply PlainDfu::upload(const Request& request) {
  if (request.in.size() > options_.transfer_size) return refuse();
  const std::uint64_t begin = address_of(request.setup.wValue);
  const std::uint64_t end = chip_->flash().range().end;
  const std::size_t count =
      begin >= end ? 0 : std::min<std::size_t>(end - begin, request.in.size());
  if (count > 0) chip_->read(static_cast<std::uint32_t>(begin), request.in.first(count));
  if (count < request.in.size()) {
    to_idle();
  } else {
    enter(DfuState::DfuUploadIdle);
  }
  return Reply::ack(count);
}

RuntimeDfu::RuntimeDfu(bool will_detach, const UniqueId& id, Firmware& firmware)
    : firmware_(&firmware), will_detach_(will_detach) {
  std::uint8_t attributes = proto::kCanDnload | proto::kCanUpload;
  if (will_detach) attributes |= proto::kWillDetach;
  usb_ = {.vendor_id = proto::kStVendorId,
          .product_id = kStVcpProduct,
          .bcd_device = 0x0100,
          .strings = {"sureflash", "Application", st_serial(id), "Firmware update"},
          .interfaces = {{.number = 0,
                          .interface_class = kVendorSpecific,
                          .interface_subclass = 0,
                          .protocol = 0},
                         {.number = 1, .protocol = proto::kDfuProtocolRunTime, .string_index = 4}},
          .functional = {.attributes = attributes,
                         .detach_timeout_ms = kDetachTimeoutMs,
                         .transfer_size = 1024,
                         .bcd_dfu = proto::kBcdDfu11}};
  enter(DfuState::AppIdle);
}

Reply RuntimeDfu::detach(const Request& request) {
  if (will_detach_) {
    firmware_->start_loader(request.now + kDetachDelay);
    return Reply::ack();
  }
  const std::uint16_t timeout = std::min(request.setup.wValue, kDetachTimeoutMs);
  detach_until_ = request.now + std::chrono::milliseconds(timeout);
  enter(DfuState::AppDetach);
  return Reply::ack();
}

void RuntimeDfu::pass(Duration now) {
  if (state() == DfuState::AppDetach && now > detach_until_) enter(DfuState::AppIdle);
}

void RuntimeDfu::bus_reset(Duration now, bool was_configured) {
  const bool asked = was_configured && state() == DfuState::AppDetach;
  enter(DfuState::AppIdle);
  if (asked) firmware_->start_loader(now);
}

}  // namespace sureflash::sim
