#include "sureflash/sim/model/dfuse_rom.hpp"

#include <algorithm>

#include "sureflash/proto/dfuse.hpp"

namespace sureflash::sim {
namespace {

using proto::DfuSeCommand;
using proto::DfuState;
using proto::DfuStatus;
using Kind = RomRegion::Kind;

constexpr std::size_t kCommandWithAddress = 5;
/// The flash work begins when the status stage of the GETSTATUS that starts it is over.
constexpr Duration kStatusTransfer = BusTiming{}.transfer(proto::kStatusReplyLength);
/// The host sees dfuMANIFEST, then the device leaves.
constexpr Duration kLeaveDelay = 1ms;
/// Device Feature: 2.7 V to 3.6 V, 32 bits at once; bytes 1 to 3 must stay 0xFF.
constexpr std::uint32_t kSupplyWord = 0xFFFFFF03;
constexpr std::uint32_t kSupplyMask = 0xFFFFFF00;
constexpr std::uint32_t kWordBytes = 4;
/// L43x V9.1: only longer writes are corrupted, and only in these steps (AN2606).
constexpr std::size_t kCorruptAbove = 256;
constexpr std::size_t kCorruptStep = 8;

}  // namespace

DfuSeRom::DfuSeRom(RomDescription description, RomSwitches switches, Chip& chip, Firmware& firmware)
    : rom_(std::move(description)),
      switches_(switches),
      chip_(&chip),
      firmware_(&firmware),
      pointer_(rom_.pointer_at_start) {}

void DfuSeRom::restart() {
  to_idle();
  pointer_ = rom_.pointer_at_start;
  poisoned_ = false;
  pending_ = false;
  stuck_ = false;
  data_.clear();
}

void DfuSeRom::start() {
  restart();
  done_at_ = {};
}

/// A ROM stays in DFU mode: it is reset at every enumeration.
void DfuSeRom::bus_reset(Duration, bool) {
  restart();
}
void DfuSeRom::configured(bool yes) {
  if (!yes) return;
  restart();
  if (switches_.found_in == DfuState::DfuIdle) return;
  if (switches_.found_in == DfuState::DfuError) {
    fail_with(switches_.found_status);
  } else {
    enter(switches_.found_in);
  }
  stuck_ = switches_.found_in == DfuState::DfuDnBusy;
}

void DfuSeRom::interface_selected(std::uint8_t, std::uint8_t) {
  if (switches_.pointer_reset_by_set_interface) pointer_ = rom_.pointer_at_start;
}

/// DETACH has no effect (AN3156); a zero-length DNLOAD leaves from dfuIDLE as well; a busy ROM that
/// does not hold GETSTATUS answers it.
DfuAction DfuSeRom::action(DfuEvent event) const {
  if (event == DfuEvent::Detach) return DfuAction::Answer;
  if (state() == DfuState::DfuIdle && event == DfuEvent::DnloadEnd) return DfuAction::End;
  if (state() == DfuState::DfuDnBusy && event == DfuEvent::GetStatus) return busy_action();
  const bool idles = state() == DfuState::DfuIdle || state() == DfuState::DfuDnloadIdle ||
                     state() == DfuState::DfuUploadIdle;
  if (event == DfuEvent::ClrStatus && idles && switches_.clr_status_leads_to_idle) {
    return DfuAction::ToIdle;
  }
  return strict_action(state(), event);
}

DfuAction DfuSeRom::busy_action() const {
  const bool early = now_ < poll_over_;
  if (switches_.while_busy == WhileBusy::Strict && early) return DfuAction::StallToError;
  if (switches_.while_busy == WhileBusy::StallsLater && !early && !stuck_) return DfuAction::Stall;
  return DfuAction::Answer;
}

bool DfuSeRom::intercept(DfuEvent event, Duration now) {
  now_ = now;
  if (!stuck_ || event != DfuEvent::ClrStatus) return false;
  if (state() == DfuState::DfuDnBusy) {
    fail_with(DfuStatus::ErrUnknown);
  } else {
    stuck_ = false;
    to_idle();
  }
  return true;
}

Duration DfuSeRom::busy_until() const {
  return switches_.while_busy == WhileBusy::Holds ? done_at_ : Duration::zero();
}

void DfuSeRom::pass(Duration now) {
  const bool stays = work_.resets || work_.power_lost || stuck_;
  if (state() != DfuState::DfuDnBusy || now < done_at_ || stays) return;
  if (switches_.while_busy == WhileBusy::Strict && now < poll_over_) return;
  if (work_.status == DfuStatus::Ok) {
    enter(DfuState::DfuDnloadSync);
  } else {
    fail_with(work_.status);
  }
}

std::uint32_t DfuSeRom::poll_ms(Duration now) const {
  if (state() != DfuState::DfuDnBusy) return 0;
  return rom_.poll.datasheet ? ceil_ms(std::max(done_at_ - now, Duration::zero())) : work_.poll_ms;
}

Reply DfuSeRom::block(const Request& request) {
  const bool too_long = request.setup.wLength > rom_.usb.functional.transfer_size;
  const std::uint16_t number = request.setup.wValue;
  const bool reserved = number > proto::kCommandBlock && number < proto::kFirstDataBlock;
  if (too_long || reserved) return refuse();
  data_.assign(request.out.begin(), request.out.end());
  block_number_ = number;
  pending_ = true;
  enter(DfuState::DfuDnloadSync);
  return Reply::ack();
}

Reply DfuSeRom::end(const Request& request) {
  enter(DfuState::DfuManifestSync);
  if (switches_.leaves_at_download) {
    firmware_->start_application(request.now, pointer_);
    if (switches_.leave_vanishes) return {Handshake::Gone, 0, {}};
  }
  return Reply::ack();
}

Reply DfuSeRom::sync(const Request& request) {
  if (state() == DfuState::DfuManifestSync) return leave(request);
  if (pending_) return start_work(request);
  enter(DfuState::DfuDnloadIdle);
  return send_status(request, 0);
}

Reply DfuSeRom::leave(const Request& request) {
  enter(DfuState::DfuManifest);
  if (switches_.leave_vanishes) {
    firmware_->start_application(request.now, pointer_);
    return {Handshake::Gone, 0, {}};
  }
  firmware_->start_application(request.now + kLeaveDelay, pointer_);
  if (switches_.leave_reports_error) fail_with(proto::DfuStatus::ErrUnknown);
  return send_status(request, 0);
}

Reply DfuSeRom::start_work(const Request& request) {
  pending_ = false;
  work_ = execute();
  done_at_ = request.now + kStatusTransfer + work_.duration;
  poll_over_ = request.now + std::chrono::milliseconds(work_.poll_ms);
  enter(work_.answers_idle ? DfuState::DfuDnloadIdle : DfuState::DfuDnBusy);
  if (work_.power_lost) {
    firmware_->lose_power(done_at_);
  } else if (work_.resets) {
    firmware_->system_reset(done_at_);
  }
  return send_status(request, work_.poll_ms);
}

DfuSeRom::Work DfuSeRom::execute() {
  return block_number_ == proto::kCommandBlock ? execute_command() : write();
}

DfuSeRom::Work DfuSeRom::execute_command() {
  const auto command = static_cast<DfuSeCommand>(data_[0]);
  if (data_.size() == kCommandWithAddress) {
    const std::uint32_t address = load_le32(data_, 1);
    if (command == DfuSeCommand::SetAddressPointer) return set_address(address);
    if (command == DfuSeCommand::Erase) return erase_page(address);
  }
  if (data_.size() == 1) {
    if (command == DfuSeCommand::Erase) return mass_erase();
    const bool known = std::ranges::find(rom_.commands, data_[0]) != rom_.commands.end();
    if (command == DfuSeCommand::ReadUnprotect && known) return read_unprotect();
  }
  // What a ROM says to a command it does not know is not documented.
  return {.status = DfuStatus::ErrTarget};
}

std::uint32_t DfuSeRom::poll_value(std::uint32_t fixed_ms, Duration typical) const {
  return rom_.poll.datasheet ? ceil_ms(typical) : fixed_ms;
}

DfuSeRom::Work DfuSeRom::set_address(std::uint32_t address) {
  Work work{.poll_ms = poll_value(rom_.poll.set_address_ms, {})};
  if (read_protected() && switches_.rdp_refuses_set_address) {
    work.status = DfuStatus::ErrVendor;
  } else if (region_at(AddressRange::sized(address, 1)) == nullptr) {
    work.status = DfuStatus::ErrTarget;
  } else {
    pointer_ = address;
  }
  return work;
}

/// Adds a flash operation to the work. Refusals of the flash (protected, not erased) are silent, as
/// AN3156 says of write protection. @returns whether the chip still has power.
bool DfuSeRom::note(Work& work, FlashResult result) const {
  work.duration += result.duration;
  work.power_lost = result.outcome == FlashOutcome::PowerLost;
  return !work.power_lost;
}

DfuSeRom::Work DfuSeRom::erase_page(std::uint32_t address) {
  const FlashGeometry& geometry = chip_->flash().geometry();
  const auto sector = geometry.sector_at(address);
  const Duration time =
      sector ? geometry.times.erase(sector->range.size()).typical : Duration::zero();
  Work work{.poll_ms = poll_value(rom_.poll.erase_ms, time)};
  const RomRegion* region = region_at(AddressRange::sized(address, 1));
  if (read_protected()) {
    work.status = DfuStatus::ErrVendor;
  } else if (region == nullptr || region->kind != Kind::Flash) {
    work.status = DfuStatus::ErrTarget;
  } else {
    note(work, chip_->flash().erase_sector(address));
    stuck_ = sector && switches_.stuck_busy_from_sector &&
             sector->index >= *switches_.stuck_busy_from_sector;
  }
  return work;
}

DfuSeRom::Work DfuSeRom::mass_erase() {
  const TimeRange& time = chip_->flash().geometry().times.mass_erase;
  const bool announced_fixed = rom_.poll.mass_erase_ms != 0;
  Work work{.poll_ms = announced_fixed ? rom_.poll.mass_erase_ms : poll_value(0, time.typical)};
  if (read_protected()) {
    work.status = DfuStatus::ErrVendor;
  } else if (switches_.mass_erase == MassErase::Works) {
    note(work, chip_->flash().mass_erase());
  } else if (switches_.mass_erase == MassErase::FirstHalf) {
    const std::size_t half = chip_->flash().geometry().sector_count() / 2;
    for (std::size_t i = 0; i < half; ++i) {
      const AddressRange range = chip_->flash().geometry().sector(i).range;
      if (!note(work, chip_->flash().erase_sector(static_cast<std::uint32_t>(range.begin)))) break;
    }
  } else if (switches_.mass_erase == MassErase::Refused) {
    work.status = DfuStatus::ErrTarget;
  }
  return work;
}

/// AN2662: with read protection, flash is erased, RAM cleared and the device resets; without, only
/// RAM is cleared.
DfuSeRom::Work DfuSeRom::read_unprotect() {
  Work work{.poll_ms = poll_value(rom_.poll.mass_erase_ms,
                                  chip_->flash().geometry().times.mass_erase.typical)};
  if (!read_protected()) {
    chip_->clear_ram();
    work.answers_idle = switches_.unprotect != Unprotect::Resets;
    return work;
  }
  if (!note(work, chip_->remove_read_protection())) return work;
  chip_->clear_ram();
  work.resets = switches_.unprotect != Unprotect::AnswersIdle;
  work.answers_idle = switches_.unprotect != Unprotect::Resets;
  // It stays, and can be programmed at once: the option bytes are in force.
  if (!work.resets) chip_->reset();
  return work;
}

std::uint64_t DfuSeRom::block_address(std::uint16_t block_number, std::size_t length) const {
  const std::size_t step = switches_.block_address == BlockAddress::TransferSize
                               ? rom_.usb.functional.transfer_size
                               : length;
  return pointer_ + std::uint64_t{block_number - std::uint32_t{proto::kFirstDataBlock}} * step;
}

const RomRegion* DfuSeRom::region_at(AddressRange range) const {
  const auto found = std::ranges::find_if(rom_.regions, [&](const RomRegion& region) {
    const bool hidden = region.kind == Kind::SystemMemory && !switches_.reads_system_memory;
    return region.range.contains(range) && !hidden;
  });
  return found == rom_.regions.end() ? nullptr : &*found;
}

DfuSeRom::Work DfuSeRom::write() {
  const std::uint64_t address = block_address(block_number_, data_.size());
  const RomRegion* region = region_at(AddressRange::sized(address, data_.size()));
  if (read_protected()) return {.status = DfuStatus::ErrVendor};
  if (region == nullptr || region->kind == Kind::SystemMemory) {
    return {.status = DfuStatus::ErrTarget};
  }
  if (region->kind == Kind::DeviceFeature) return write_device_feature();
  const std::uint32_t unit = rom_.write_alignment;
  const bool corrupted = switches_.corrupts_odd_lengths && region->kind == Kind::Flash &&
                         data_.size() > kCorruptAbove && data_.size() % kCorruptStep != 0;
  if (corrupted) {
    data_.resize(data_.size() / kCorruptStep * kCorruptStep);
    for (std::uint8_t& byte : data_) byte = static_cast<std::uint8_t>(~byte);
  }
  if (address % unit != 0 || data_.size() % unit != 0) poisoned_ = switches_.misalignment_poisons;
  if (poisoned_ || address % unit != 0 || data_.size() % unit != 0) {
    return {.status = DfuStatus::ErrTarget};
  }
  const auto at = static_cast<std::uint32_t>(address);
  switch (region->kind) {
    case Kind::Flash:
      return write_flash(at);
    case Kind::OptionBytes:
      // The whole block or nothing (AN2662).
      return data_.size() == region->range.size() ? write_option_bytes()
                                                  : Work{.status = DfuStatus::ErrTarget};
    case Kind::Ram: {
      const std::size_t offset = at - chip_->description().ram.begin;
      std::ranges::copy(data_, chip_->ram().begin() + static_cast<std::ptrdiff_t>(offset));
      return {.poll_ms = poll_value(rom_.poll.set_address_ms, {})};
    }
    case Kind::DataEeprom:
      return write_data_eeprom(at);
    case Kind::SystemMemory:
    case Kind::Blank:
    case Kind::DeviceFeature:
      break;
  }
  return {.status = DfuStatus::ErrTarget};
}

/// A part of a word is filled up with zeros, which is what erased EEPROM reads.
DfuSeRom::Work DfuSeRom::write_data_eeprom(std::uint32_t address) {
  const FlashGeometry& geometry = *chip_->description().data_eeprom;
  const std::uint32_t unit = geometry.program_unit;
  data_.resize((data_.size() + unit - 1) / unit * unit, geometry.erased);
  const auto words = static_cast<Duration::rep>(data_.size() / unit);
  const Duration word = geometry.times.program_unit.typical + geometry.times.erase_fixed.typical;
  Work work{.poll_ms = poll_value(rom_.poll.write_ms, word * words)};
  note(work, chip_->write_data_eeprom(address, data_));
  return work;
}

/// @returns whether the ROM refuses to read there.
bool DfuSeRom::hide_secure(std::uint32_t address, ByteSpan bytes) const {
  const AddressRange hidden =
      AddressRange::sized(address, bytes.size()).intersection(chip_->secure_flash());
  if (hidden.empty() || switches_.secure_read == SecureRead::Content) return false;
  std::ranges::fill(bytes.subspan(hidden.begin - address, hidden.size()), std::uint8_t{0});
  return switches_.secure_read == SecureRead::Refused;
}

/// Anything but a supply range in byte 0 and 0xFF in the others is refused.
DfuSeRom::Work DfuSeRom::write_device_feature() {
  if (data_.size() != kWordBytes || !rom_.wide_times) return {.status = DfuStatus::ErrTarget};
  const std::uint32_t word = load_le32(data_, 0);
  if ((word & kSupplyMask) != kSupplyMask || (word & 0xFF) > 4) {
    return {.status = DfuStatus::ErrTarget};
  }
  const FlashGeometry& usual = chip_->description().flash;
  const bool wide = word == kSupplyWord;
  chip_->flash().set_mode(wide ? kWordBytes : usual.program_unit,
                          wide ? *rom_.wide_times : usual.times);
  return {.poll_ms = poll_value(rom_.poll.set_address_ms, {})};
}

DfuSeRom::Work DfuSeRom::write_flash(std::uint32_t address) {
  Flash& flash = chip_->flash();
  const std::uint32_t unit = flash.geometry().program_unit;
  // A part of a unit is filled up: the rest of that unit can be programmed only after an erase.
  const std::uint32_t front = address % unit;
  data_.insert(data_.begin(), front, flash.geometry().erased);
  data_.resize((data_.size() + unit - 1) / unit * unit, flash.geometry().erased);
  address -= front;
  const auto units = static_cast<Duration::rep>(data_.size() / unit);
  Work work{.poll_ms = poll_value(rom_.poll.write_ms,
                                  flash.geometry().times.program_unit.typical * units)};
  for (std::size_t i = 0; i < data_.size(); i += unit) {
    const auto at = static_cast<std::uint32_t>(address + i);
    if (!note(work, flash.program(at, ByteView(data_).subspan(i, unit)))) break;
  }
  return work;
}

DfuSeRom::Work DfuSeRom::write_option_bytes() {
  Work work{.poll_ms = poll_value(rom_.poll.erase_ms,
                                  chip_->description().options.times.erase_fixed.typical)};
  if (!note(work, chip_->write_option_block(data_))) return work;
  work.resets = true;
  return work;
}

Reply DfuSeRom::upload(const Request& request) {
  const std::uint16_t number = request.setup.wValue;
  if (number == proto::kCommandBlock) {
    const std::size_t count = std::min(rom_.commands.size(), request.in.size());
    std::copy_n(rom_.commands.begin(), count, request.in.begin());
    enter(DfuState::DfuUploadIdle);
    return Reply::ack(count);
  }
  if (number < proto::kFirstDataBlock) return refuse();
  if (request.in.size() > rom_.usb.functional.transfer_size) return refuse();
  if (read_protected()) return refuse(DfuStatus::ErrVendor);
  const std::uint64_t address = block_address(number, request.in.size());
  const RomRegion* region = region_at(AddressRange::sized(address, 1));
  if (region == nullptr || request.in.size() < 2) return refuse(DfuStatus::ErrTarget);
  const std::size_t left = region->range.end - address;
  const std::size_t count = std::min(left, request.in.size());
  if (count < request.in.size() && !switches_.short_block_at_end)
    return refuse(DfuStatus::ErrTarget);
  if (region->kind == Kind::Blank || region->kind == Kind::DeviceFeature) {
    std::fill_n(request.in.begin(), count, std::uint8_t{0xFF});
  } else if ((region->kind == Kind::OptionBytes && !switches_.reads_option_bytes) ||
             !chip_->read(static_cast<std::uint32_t>(address), request.in.first(count)) ||
             hide_secure(static_cast<std::uint32_t>(address), request.in.first(count))) {
    return refuse(DfuStatus::ErrTarget);
  }
  if (count < request.in.size()) {
    to_idle();
  } else {
    enter(DfuState::DfuUploadIdle);
  }
  return Reply::ack(count);
}

}  // namespace sureflash::sim
