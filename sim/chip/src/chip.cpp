#include "sureflash/sim/chip/chip.hpp"

#include <algorithm>

#include "sureflash/proto/chip_data.hpp"

namespace sureflash::sim {
namespace {

/// With the FUS alone SFSA is 0xF4 of 256 pages (ST community 285474).
constexpr std::size_t kFusPages = 12;
/// FLASH_SFR, FSD: the flash is not secure. The bits without a meaning read 1.
constexpr std::uint8_t kFsd = 0x01;
constexpr std::uint8_t kSfrOther = 0xEE;

void store_sfr(Bytes& options, std::size_t offset, std::uint8_t sfsa) {
  const std::array<std::uint8_t, proto::kWbSfrBytes> sfr{sfsa, kSfrOther, 0xFF, 0xFF};
  for (std::size_t i = 0; i < sfr.size(); ++i) {
    options[offset + i] = sfr[i];
    options[offset + sfr.size() + i] = static_cast<std::uint8_t>(~sfr[i]);
  }
}

}  // namespace

ChipDescription stm32f105(std::uint32_t flash_kib) {
  return {.name = "STM32F105-" + std::to_string(flash_kib) + "K",
          .flash = f105_flash(flash_kib),
          .options = f1_option_flash(),
          .ram = AddressRange::sized(0x20000000, 0x10000),
          .system_memory = {0x1FFFB000, 0x1FFFF800},
          .flash_size_register = 0x1FFFF7E0,
          .unique_id_address = 0x1FFFF7E8};
}

Chip::Chip(ChipDescription description, std::uint64_t seed)
    : description_(std::move(description)),
      operations_(seed),
      flash_(description_.flash, operations_),
      option_flash_(description_.options, operations_),
      first_secure_sector_(description_.flash.sector_count()),
      ram_(description_.ram.size()),
      system_memory_(description_.system_memory.size(), 0xFF),
      seed_(seed) {
  UniqueId id{};
  for (std::size_t i = 0; i < id.size(); ++i) id[i] = static_cast<std::uint8_t>(mix64(seed + i));
  set_unique_id(id);
  Bytes size;
  append_le16(size, static_cast<std::uint16_t>(flash_.range().size() / 1024));
  set_system_memory(description_.flash_size_register, size);
  if (description_.option_format == OptionFormat::F1) {
    load_option_bytes(encode_f1_options(kF1RdpKey, {}));
  } else {
    Bytes options(option_flash_.range().size(), 0xFF);
    options[0] = kRdpLevel0;
    if (description_.sfr_offset) store_sfr(options, *description_.sfr_offset, factory_sfsa());
    load_option_bytes(options);
  }
  if (description_.data_eeprom) data_eeprom_.emplace(*description_.data_eeprom, operations_);
  power_cycle();
}

void Chip::set_time_choice(TimeChoice choice) {
  flash_.set_time_choice(choice);
  option_flash_.set_time_choice(choice);
  if (data_eeprom_) data_eeprom_->set_time_choice(choice);
}

std::uint8_t Chip::factory_sfsa() const {
  return static_cast<std::uint8_t>(description_.flash.sector_count() - kFusPages);
}

void Chip::set_sfsa(std::uint8_t page) {
  Bytes options(option_flash_.bytes().begin(), option_flash_.bytes().end());
  store_sfr(options, *description_.sfr_offset, page);
  load_option_bytes(options);
}

AddressRange Chip::secure_flash() const {
  const std::size_t sectors = description_.flash.sector_count();
  if (first_secure_sector_ >= sectors) return {};
  return {flash_.geometry().sector(first_secure_sector_).range.begin, flash_.range().end};
}

/// The ROM erases a word as it writes it (AN2606, 4.4).
FlashResult Chip::write_data_eeprom(std::uint32_t address, ByteView bytes) {
  FlashResult result;
  const std::uint32_t unit = data_eeprom_->geometry().program_unit;
  for (std::uint32_t i = 0; i < bytes.size(); i += unit) {
    const FlashResult erased = data_eeprom_->erase_sector(address + i);
    result.duration += erased.duration;
    if (erased.outcome != FlashOutcome::Ok) return {erased.outcome, result.duration};
    const FlashResult written = data_eeprom_->program(address + i, bytes.subspan(i, unit));
    result.duration += written.duration;
    if (written.outcome != FlashOutcome::Ok) return {written.outcome, result.duration};
  }
  return result;
}

FlashResult Chip::program_option(std::uint32_t address, std::uint8_t value) {
  FlashResult erased;
  const bool unprotects = address == option_flash_.geometry().base && value == kF1RdpKey;
  if (unprotects && options_.read_protected) {
    flash_.set_protection(std::vector<bool>(flash_.geometry().sector_count(), false));
    erased = flash_.mass_erase();
    if (erased.outcome != FlashOutcome::Ok) return erased;
  }
  const std::array<std::uint8_t, 2> pair{value, static_cast<std::uint8_t>(~value)};
  FlashResult result = option_flash_.program(address, pair);
  result.duration += erased.duration;
  return result;
}

FlashResult Chip::remove_read_protection() {
  if (description_.option_format == OptionFormat::F1) {
    FlashResult result = erase_options();
    if (result.outcome != FlashOutcome::Ok) return result;
    const FlashResult written = program_option(option_flash_.geometry().base, kF1RdpKey);
    return {written.outcome, result.duration + written.duration};
  }
  flash_.set_protection(std::vector<bool>(flash_.geometry().sector_count(), false));
  const FlashResult wiped = flash_.mass_erase();
  if (wiped.outcome != FlashOutcome::Ok) return wiped;
  Bytes options(option_flash_.bytes().begin(), option_flash_.bytes().end());
  options[0] = kRdpLevel0;
  const FlashResult written = write_option_block(options);
  return {written.outcome, wiped.duration + written.duration};
}

FlashResult Chip::write_option_block(ByteView wanted) {
  Bytes bytes(wanted.begin(), wanted.end());
  if (description_.sfr_offset) {
    // Only the second core changes these (ST community 285474: "SFSA cannot be changed").
    const auto at = static_cast<std::ptrdiff_t>(*description_.sfr_offset);
    std::copy_n(option_flash_.bytes().begin() + at, 2 * proto::kWbSfrBytes, bytes.begin() + at);
  }
  FlashResult result = erase_options();
  if (result.outcome != FlashOutcome::Ok) return result;
  const std::uint32_t unit = option_flash_.geometry().program_unit;
  for (std::uint32_t i = 0; i < bytes.size(); i += unit) {
    const std::uint32_t at = option_flash_.geometry().base + i;
    const FlashResult step = description_.option_format == OptionFormat::F1
                                 ? program_option(at, bytes[i])
                                 : option_flash_.program(at, ByteView(bytes).subspan(i, unit));
    result.duration += step.duration;
    if (step.outcome == FlashOutcome::PowerLost) return {step.outcome, result.duration};
  }
  return result;
}

void Chip::protect_sectors(std::vector<bool> sectors) {
  user_protection_ = std::move(sectors);
  apply_protection();
}

void Chip::set_unique_id(const UniqueId& id) {
  unique_id_ = id;
  set_system_memory(description_.unique_id_address, id);
}

void Chip::set_system_memory(std::uint32_t address, ByteView bytes) {
  // Some parts have these outside the range that their ROM lets be read.
  if (!description_.system_memory.contains(AddressRange::sized(address, bytes.size()))) return;
  const auto offset = static_cast<std::ptrdiff_t>(address - description_.system_memory.begin);
  std::copy(bytes.begin(), bytes.end(), system_memory_.begin() + offset);
}

void Chip::reset() {
  if (description_.option_format == OptionFormat::F1) {
    options_ = F1Options::decode(option_flash_.bytes());
  } else {
    options_ = {.read_protected = option_flash_.bytes()[0] != kRdpLevel0};
  }
  first_secure_sector_ = secure_sector_by_options();
  apply_protection();
}

void Chip::apply_protection() {
  std::vector<bool> protection(flash_.geometry().sector_count());
  for (std::size_t sector = 0; sector < protection.size(); ++sector) {
    const std::size_t bit = std::min<std::size_t>(sector / description_.sectors_per_wrp_bit, 31);
    const bool by_rdp = options_.read_protected && sector < description_.rdp_protects_sectors;
    const bool by_user = sector < user_protection_.size() && user_protection_[sector];
    protection[sector] = (options_.wrp >> bit & 1U) == 0 || by_rdp || by_user;
  }
  flash_.set_secure_from(first_secure_sector_);
  flash_.set_protection(std::move(protection));
}

std::size_t Chip::secure_sector_by_options() const {
  const std::size_t sectors = description_.flash.sector_count();
  if (!description_.sfr_offset) return sectors;
  const ByteView sfr = option_flash_.bytes().subspan(*description_.sfr_offset);
  return (sfr[1] & kFsd) != 0 ? sectors : std::min<std::size_t>(sfr[0], sectors);
}

void Chip::power_cycle() {
  operations_.restore_power();
  fill_noise(ram_, seed_);
  reset();
}

void Chip::clear_ram() {
  std::ranges::fill(ram_, std::uint8_t{0});
}

bool Chip::read(std::uint32_t address, ByteSpan out) const {
  const AddressRange alias = AddressRange::sized(
      0, boots_system_memory() ? description_.system_memory.size() : flash_.range().size());
  if (alias.contains(AddressRange::sized(address, out.size()))) {
    address += static_cast<std::uint32_t>(boots_system_memory() ? description_.system_memory.begin
                                                                : flash_.range().begin);
  }
  const auto wanted = AddressRange::sized(address, out.size());
  const auto copy = [&](AddressRange memory, ByteView bytes) {
    if (!memory.contains(wanted)) return false;
    const auto offset = static_cast<std::ptrdiff_t>(wanted.begin - memory.begin);
    std::copy_n(bytes.begin() + offset, out.size(), out.begin());
    return true;
  };
  return copy(flash_.range(), flash_.bytes()) || copy(description_.ram, ram_) ||
         copy(description_.system_memory, system_memory_) ||
         (data_eeprom_ && copy(data_eeprom_->range(), data_eeprom_->bytes())) ||
         copy(option_flash_.range(), option_flash_.bytes());
}

std::optional<std::uint32_t> Chip::read_word(std::uint32_t address) const {
  std::array<std::uint8_t, 4> bytes{};
  if (!read(address, bytes)) return std::nullopt;
  return load_le32(bytes);
}

bool Chip::application_plausible(std::uint32_t base) const {
  const auto stack = read_word(base);
  const auto entry = read_word(base + 4);
  if (!stack || !entry) return false;
  if (!description_.starts_by_vector_table) {
    return *stack != 0x0101'0101U * flash_.geometry().erased;
  }
  const bool stack_in_ram = *stack > description_.ram.begin && *stack <= description_.ram.end;
  return stack_in_ram && *stack % 4 == 0 && *entry % 2 == 1 && flash_.range().contains(*entry);
}

void Chip::restore(const State& state) {
  operations_ = state.operations;
  flash_ = state.flash;
  option_flash_ = state.option_flash;
  data_eeprom_ = state.data_eeprom;
  options_ = state.options;
  first_secure_sector_ = state.first_secure_sector;
  user_protection_ = state.user_protection;
  ram_ = state.ram;
}

void Chip::load_option_bytes(ByteView bytes) {
  option_flash_.load(option_flash_.geometry().base, bytes);
  reset();
}

}  // namespace sureflash::sim
