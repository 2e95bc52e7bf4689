#pragma once

#include <array>
#include <optional>
#include <string>

#include "sureflash/sim/chip/flash.hpp"
#include "sureflash/sim/chip/options_f1.hpp"

namespace sureflash::sim {

using UniqueId = std::array<std::uint8_t, 12>;

/// What option bytes mean.
enum class OptionFormat : std::uint8_t {
  F1,  ///< bytes with complements; see options_f1.hpp
  /// Of other families only the first byte is modelled: RDP, 0xAA = readable. Write protection is
  /// set from outside (Chip::protect_sectors).
  RdpFirst,
};
inline constexpr std::uint8_t kRdpLevel0 = 0xAA;

/// What a chip is, as data.
struct ChipDescription {
  std::string name;
  FlashGeometry flash;
  FlashGeometry options{};
  AddressRange ram{};
  AddressRange system_memory{};
  std::uint32_t flash_size_register = 0;  ///< u16, KiB; inside system memory
  std::uint32_t unique_id_address = 0;    ///< inside system memory
  std::uint32_t sectors_per_wrp_bit = 2;  ///< the last bit covers the rest
  /// Sectors that read protection also write-protects (PM0075, from memory: unconfirmed).
  std::uint32_t rdp_protects_sectors = 2;
  OptionFormat option_format = OptionFormat::F1;
  /// False: a program runs from its first byte (RISC-V).
  bool starts_by_vector_table = true;
  /// Data EEPROM (L0, L1): words that are erased as they are written. Nothing: none.
  std::optional<FlashGeometry> data_eeprom{};
  /// WB: the four option bytes FLASH_SFR, followed by their complement; nothing: no such thing.
  /// From the page SFSA on, the flash belongs to the second core: nobody else can change it.
  std::optional<std::size_t> sfr_offset{};
};

/// STM32F105. `flash_kib`: 64, 128, 256. Sources: AN2606 chapter 22 and table 226, RM0008 30.2.
ChipDescription stm32f105(std::uint32_t flash_kib = 256);

/// One STM32: flash, option bytes, RAM, identification, boot pins. No CPU: what runs on it is
/// somebody else's business.
class Chip {
 public:
  /// A chip fresh from the factory: erased, unprotected, powered. `seed` makes the unique id, the
  /// RAM contents after power-on, and the damage that power cuts do.
  explicit Chip(ChipDescription description, std::uint64_t seed = 0);
  Chip(const Chip&) = delete;
  Chip& operator=(const Chip&) = delete;

  const ChipDescription& description() const { return description_; }
  FlashOperations& operations() { return operations_; }
  const FlashOperations& operations() const { return operations_; }
  Flash& flash() { return flash_; }
  const Flash& flash() const { return flash_; }
  void set_time_choice(TimeChoice choice);

  /// The option bytes as loaded at the last reset: these are in force.
  const F1Options& options() const { return options_; }
  /// The 16 bytes as they are in memory now: in force after the next reset.
  ByteView option_bytes() const { return option_flash_.bytes(); }
  FlashResult erase_options() { return option_flash_.erase_sector(option_flash_.geometry().base); }
  /// Programs the option byte at `address` (even); the FPEC adds the complement. Programming the
  /// RDP key into a protected chip erases the whole flash first. Source: PM0075, 2.4.1.
  FlashResult program_option(std::uint32_t address, std::uint8_t value);

  /// Removes read protection as the ROM does it: flash is erased first. Source: AN2662, AN3156.
  FlashResult remove_read_protection();
  /// Erases and writes the whole option block. Precondition: as many bytes as it has.
  FlashResult write_option_block(ByteView bytes);
  /// Writes whole words of data EEPROM. Precondition: the chip has one.
  FlashResult write_data_eeprom(std::uint32_t address, ByteView bytes);
  /// The part of the flash that belongs to the wireless stack, by the option bytes in force.
  AddressRange secure_flash() const;
  /// Write protection of parts whose option bytes are not modelled. Kept until changed.
  void protect_sectors(std::vector<bool> sectors);

  ByteSpan ram() { return ram_; }
  const UniqueId& unique_id() const { return unique_id_; }
  void set_unique_id(const UniqueId& id);
  /// ST's ROM code is not ours to ship: system memory reads 0xFF but for what is set here, the
  /// unique id and the flash size.
  void set_system_memory(std::uint32_t address, ByteView bytes);

  /// BOOT0 and BOOT1 as wired; sampled by whoever boots the chip.
  bool boot0 = false;
  bool boot1 = false;
  /// Whether BOOT pins select system memory (BOOT0 high, BOOT1 low).
  bool boots_system_memory() const { return boot0 && !boot1; }

  /// System reset: loads the option bytes. RAM stays.
  void reset();
  /// Power off and on: also ends a power cut. RAM is noise.
  void power_cycle();
  void clear_ram();

  /// Reads memory as the CPU sees it, without regard to protection, the boot alias at 0 included.
  /// @returns false when any byte is not memory.
  bool read(std::uint32_t address, ByteSpan out) const;
  std::optional<std::uint32_t> read_word(std::uint32_t address) const;

  /// Whether a vector table at `base` could start: initial SP in RAM (its end included) and
  /// 4-aligned, reset vector odd and in flash. Of a RISC-V: whether there is anything.
  bool application_plausible(std::uint32_t base) const;

  /// Everything that can change, for going back in time. Only for the chip it came from.
  struct State {
    FlashOperations operations;
    Flash flash;
    Flash option_flash;
    std::optional<Flash> data_eeprom;
    F1Options options;
    std::size_t first_secure_sector;
    std::vector<bool> user_protection;
    Bytes ram;
  };
  State state() const {
    return {operations_,          flash_,           option_flash_, data_eeprom_, options_,
            first_secure_sector_, user_protection_, ram_};
  }
  void restore(const State& state);

  /// What installing a wireless stack does: SFSA, in force at once. Precondition: `sfr_offset`.
  void set_sfsa(std::uint8_t page);
  /// For building known states: what a debugger would do, in force at once.
  void load_option_bytes(ByteView bytes);

 private:
  void apply_protection();
  std::size_t secure_sector_by_options() const;
  std::uint8_t factory_sfsa() const;

  ChipDescription description_;
  FlashOperations operations_;
  Flash flash_;
  Flash option_flash_;
  std::optional<Flash> data_eeprom_;
  F1Options options_;
  std::size_t first_secure_sector_ = 0;
  std::vector<bool> user_protection_;
  Bytes ram_;
  Bytes system_memory_;
  UniqueId unique_id_{};
  std::uint64_t seed_;
};

}  // namespace sureflash::sim
