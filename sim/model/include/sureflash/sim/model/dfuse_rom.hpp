#pragma once

#include "sureflash/proto/chip_data.hpp"
#include "sureflash/sim/chip/chip.hpp"
#include "sureflash/sim/model/strict_dfu.hpp"

namespace sureflash::sim {

/// What S is in `address = pointer + (wBlockNum - 2) × S`: AN3156 says the length of the buffer in
/// this request, ST's own firmware takes its transfer size. Unconfirmed for each ROM.
enum class BlockAddress : std::uint8_t { TransferSize, RequestLength };

/// What bwPollTimeout says.
struct PollTimes {
  /// The typical time of the operation by the data sheet, rounded up to milliseconds; else the
  /// fixed values below, in milliseconds.
  bool datasheet = false;
  std::uint32_t set_address_ms = 0;
  std::uint32_t erase_ms = 0;
  std::uint32_t mass_erase_ms = 0;
  std::uint32_t write_ms = 0;

  static PollTimes fixed(std::uint32_t ms) { return {false, ms, ms, ms, ms}; }
};

/// A memory that a ROM gives access to.
struct RomRegion {
  enum class Kind : std::uint8_t {
    Flash,
    Ram,
    OptionBytes,
    SystemMemory,
    Blank,          ///< reads 0xFF, takes no writes: OTP, option bytes of a second bank
    DeviceFeature,  ///< AN2606, 4.4, table 4: the supply range
    DataEeprom,     ///< L0, L1: erased as it is written
  };
  Kind kind = Kind::Flash;
  AddressRange range;
};

/// One ROM, as data.
struct RomDescription {
  DeviceDescription usb;
  std::vector<RomRegion> regions;
  /// Reply to Get.
  Bytes commands;
  std::uint32_t write_alignment = 4;
  PollTimes poll;
  /// Times and program unit once Device Feature says that the supply allows 32 bits at once.
  std::optional<FlashTimes> wide_times;
  std::uint32_t pointer_at_start = 0x08000000;
};

/// A mass erase: does what it says; is refused with errTARGET (L1: missing, which answer is
/// unconfirmed); says OK and does nothing; or erases the first half only (G0B1, bank 2).
enum class MassErase : std::uint8_t { Works, Refused, Ignored, FirstHalf };

/// GETSTATUS in dfuDNBUSY.
enum class WhileBusy : std::uint8_t {
  Holds,        ///< NAKed until the work is done: the CPU is at work in flash
  Answers,      ///< dfuDNBUSY
  Strict,       ///< before bwPollTimeout is over: stalled, dfuERROR, as DFU 1.1 A.1.5 has it
  StallsLater,  ///< after bwPollTimeout, while the work still lasts: stalled, state kept (L4)
};

/// Read Unprotect.
enum class Unprotect : std::uint8_t {
  Resets,               ///< AN3156: busy, then the device leaves the bus
  AnswersIdle,          ///< dfuDNLOAD-IDLE at once, and stays (AT32)
  AnswersIdleAndResets  ///< the same, but leaves
};

/// UPLOAD of flash that belongs to the wireless stack (WB): zeros (ST community 249636, of other
/// ways to read it), errTARGET, or what is there.
enum class SecureRead : std::uint8_t { Zeros, Refused, Content };

/// Behaviour of ROMs that no document settles (dfuse.md, 8.8). Defaults: what is most likely, else
/// what is hardest on the host.
struct RomSwitches {
  BlockAddress block_address = BlockAddress::TransferSize;
  WhileBusy while_busy = WhileBusy::Holds;
  /// Read protection already refuses Set Address, not only the access that follows.
  bool rdp_refuses_set_address = false;
  bool reads_system_memory = true;
  /// An UPLOAD across the end of a memory: a short block, or a stall.
  bool short_block_at_end = false;
  /// The answer to the GETSTATUS that leaves does not come through.
  bool leave_vanishes = false;
  /// It is answered with dfuERROR, errUNKNOWN, and the device leaves all the same.
  bool leave_reports_error = false;
  /// SET_INTERFACE sets the pointer to the default.
  bool pointer_reset_by_set_interface = false;
  /// After one misaligned write all further ones fail until the next bus reset.
  bool misalignment_poisons = true;
  MassErase mass_erase = MassErase::Works;
  /// Erasing a sector with this number or a higher one ends in dfuDNBUSY for ever; the first
  /// CLRSTATUS then leads to dfuERROR, the second to dfuIDLE (H74x, betaflight).
  std::optional<std::size_t> stuck_busy_from_sector{};
  /// CLRSTATUS in an idle state leads to dfuIDLE; else it is stalled, by the book.
  bool clr_status_leads_to_idle = false;
  /// A zero-length DNLOAD leaves at once (GD32VF103).
  bool leaves_at_download = false;
  Unprotect unprotect = Unprotect::Resets;
  SecureRead secure_read = SecureRead::Zeros;
  bool reads_option_bytes = true;
  /// Writes above 256 bytes whose length is no multiple of 8 are stored corrupted (L43x, V9.1).
  bool corrupts_odd_lengths = false;
  /// The state in which a host finds it after enumeration: what another program left. A ROM found
  /// in dfuDNBUSY hangs there until CLRSTATUS, as was seen of the H743 (dfuse.md 5.2).
  proto::DfuState found_in = proto::DfuState::DfuIdle;
  /// With dfuERROR.
  proto::DfuStatus found_status = proto::DfuStatus::ErrTarget;
};

enum class F105RomVersion : std::uint8_t { V1_0, V2_0, V2_1, V2_2 };

/// The boot loader of F105/F107. Sources: device log of an F107 with V2.0 (dfu-util), AN2606
/// chapter 22, AN2662. The poll times are not known: V2.2 announces 40 ms for an erase and 75 ms
/// for a block, the older ones 100 ms for everything that works in flash and 10 ms for Set Address.
RomDescription f105_rom(F105RomVersion version, const ChipDescription& chip);
/// The reset vector by which the version can be told (AN2606 table 48), at ROM base + 4.
std::uint32_t f105_rom_reset_vector(F105RomVersion version);

/// The boot loader of any line of the table. What its documents leave open (layout texts nobody
/// published, sizes of option bytes) is made in the manner of its neighbours.
RomDescription st_rom(const proto::ChipData& data, const ChipDescription& chip);
/// Its deviations.
RomSwitches st_rom_switches(const proto::ChipData& data);
/// The chip under it, with `flash_kib` of flash; nullopt: no such size (sectors are whole).
std::optional<ChipDescription> st_chip(const proto::ChipData& data, std::uint32_t flash_kib);
/// By name or member: "stm32f405", "stm32f407"; nullptr: none.
const proto::ChipData* find_chip_data(std::string_view name);

/// ST's DFU boot loader in system memory. Sources: AN3156, AN2606.
class DfuSeRom final : public StrictDfu {
 public:
  /// `chip` and `firmware` must outlive this.
  DfuSeRom(RomDescription description, RomSwitches switches, Chip& chip, Firmware& firmware);

  const DeviceDescription& description() const override { return rom_.usb; }
  void start() override;
  void pass(Duration now) override;
  Duration busy_until() const override;
  void bus_reset(Duration now, bool was_configured) override;
  void configured(bool yes) override;
  void interface_selected(std::uint8_t number, std::uint8_t alt_setting) override;

  std::uint32_t pointer() const { return pointer_; }

 private:
  /// What executing a command came to.
  struct Work {
    proto::DfuStatus status = proto::DfuStatus::Ok;
    Duration duration{};
    std::uint32_t poll_ms = 0;
    bool power_lost = false;
    bool resets = false;
    /// No dfuDNBUSY is shown.
    bool answers_idle = false;
  };

  DfuAction action(DfuEvent event) const override;
  Reply block(const Request& request) override;
  Reply end(const Request& request) override;
  Reply upload(const Request& request) override;
  Reply sync(const Request& request) override;
  bool intercept(DfuEvent event, Duration now) override;
  Reply detach(const Request&) override { return Reply::ack(); }
  std::uint32_t poll_ms(Duration now) const override;

  void restart();
  Reply start_work(const Request& request);
  Reply leave(const Request& request);
  Work execute();
  Work execute_command();
  Work set_address(std::uint32_t address);
  Work erase_page(std::uint32_t address);
  Work mass_erase();
  Work read_unprotect();
  Work write();
  Work write_flash(std::uint32_t address);
  Work write_option_bytes();
  Work write_data_eeprom(std::uint32_t address);
  bool hide_secure(std::uint32_t address, ByteSpan bytes) const;
  Work write_device_feature();
  DfuAction busy_action() const;
  bool note(Work& work, FlashResult result) const;

  std::uint64_t block_address(std::uint16_t block_number, std::size_t length) const;
  const RomRegion* region_at(AddressRange range) const;
  std::uint32_t poll_value(std::uint32_t fixed_ms, Duration typical) const;
  bool read_protected() const { return chip_->options().read_protected; }

  RomDescription rom_;
  RomSwitches switches_;
  Chip* chip_;
  Firmware* firmware_;
  std::uint32_t pointer_;
  bool poisoned_ = false;
  bool pending_ = false;
  std::uint16_t block_number_ = 0;
  Bytes data_;
  Work work_;
  Duration done_at_{};
  /// When the announced poll time is over.
  Duration poll_over_{};
  Duration now_{};
  bool stuck_ = false;
};

}  // namespace sureflash::sim
