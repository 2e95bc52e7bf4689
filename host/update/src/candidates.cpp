#include "candidates.hpp"

#include <algorithm>

#include "layout_corrections.hpp"

#include "sureflash/base/text.hpp"
#include "sureflash/proto/dfuse.hpp"

namespace sureflash::update {
namespace {

using stm32::Chip;

constexpr std::uint64_t kDeviceFeature = 0xFFFF0000;
constexpr std::uint64_t kDataEeprom = 0x08080000;
constexpr std::uint32_t kErasedId = 0xFFFF;
constexpr std::uint64_t kKib = 1024;
constexpr std::size_t kUniqueIdBytes = 12;

/// Group by group; the last one of the device may be shorter (a smaller member). A line whose ROM
/// states wrong sizes is compared by sector sizes only.
bool layout_fits(const stm32::MemoryMap& map, const proto::SectorLayout& layout, bool any_count) {
  const auto runs = map.runs();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (i >= layout.size() || layout[i].count == 0) return false;
    if (runs[i].sector_size != layout[i].size) return false;
    const bool last = i + 1 == runs.size();
    if (any_count || runs[i].count() == layout[i].count) continue;
    if (!last || runs[i].count() > layout[i].count) return false;
  }
  return !runs.empty();
}

const Area* area_named(const Target& target, std::string_view start) {
  const auto it = std::ranges::find_if(
      target.areas, [&](const Area& area) { return area.map.name().starts_with(start); });
  return it == target.areas.end() ? nullptr : &*it;
}

bool addresses_fit(const Target& target, const Chip& chip) {
  const Area* options = area_named(target, "Option ");
  const std::uint64_t known = chip.option_bytes.begin;
  if (known != 0 && (options == nullptr || options->map.run_at(known) == nullptr)) return false;
  const Area* otp = area_named(target, "OTP");
  if (otp != nullptr && chip.otp != 0 && otp->map.run_at(chip.otp) == nullptr) return false;
  const bool eeprom = target.area_at(kDataEeprom) != nullptr &&
                      target.area_at(kDataEeprom) != target.area_at(chip.flash_base);
  if (eeprom != chip.has(proto::kDataEeprom)) return false;
  // Listed by F2, F4, F7 and some L4 (AN2606, 4.4).
  const bool feature = target.area_at(kDeviceFeature) != nullptr;
  return !feature || chip.has(proto::kByteProgramming) || chip.family == "L4";
}

/// Whoever carries ST's texts is compared with ST's lines, whatever the vendor id.
bool maker_fits(const Target& target, const Chip& chip) {
  if (target.loader != Loader::Clone) return chip.usb_vendor == proto::kStVendorId;
  const auto& device = target.descriptors.device;
  return chip.usb_vendor == device.idVendor && chip.usb_product == device.idProduct;
}

bool commands_fit(const Target& target, const Chip& chip) {
  const bool unprotect =
      std::ranges::find(target.commands,
                        static_cast<std::uint8_t>(proto::DfuSeCommand::ReadUnprotect)) !=
      target.commands.end();
  if (!target.commands.empty() && unprotect == chip.has(proto::kNoReadUnprotect)) return false;
  return !chip.has(proto::kTransferSize1024) || target.transfer_size() == 1024;
}

bool same_id(std::uint16_t expected, std::uint16_t read) {
  if (expected == 0) return false;
  return expected <= 0xFF ? expected == (read & 0xFF) : expected == read;
}

/// A refusal is no evidence, and no failure either. What ends the session does end it.
Task<std::optional<Bytes>> try_read(stm32::DfuSe& dfuse, std::uint32_t address, std::size_t size) {
  Bytes bytes(size);
  auto done = co_await caught(dfuse.read(address, bytes));
  if (done) co_return bytes;
  const Errc code = done.error().code;
  if (code == Errc::Disconnected || code == Errc::Interrupted || code == Errc::TimedOut) {
    co_return fail(std::move(done).error());
  }
  // A refused Set Address leaves dfuERROR, in which everything else would be refused as well.
  co_await dfuse.client().to_idle();
  co_return std::nullopt;
}

Task<std::optional<std::uint16_t>> try_read_u16(stm32::DfuSe& dfuse, std::uint32_t address) {
  const auto bytes = co_await try_read(dfuse, address, 2);
  if (!bytes) co_return std::nullopt;
  co_return load_le16(*bytes, 0);
}

Task<> read_flash_size(stm32::DfuSe& dfuse, Target& target) {
  const auto kib = co_await try_read_u16(dfuse, target.chip->flash_size_register);
  const Area* flash = target.flash();
  if (!kib || *kib == 0 || flash == nullptr) co_return;
  // More than the layout has is no flash size (erased, or another register).
  if (*kib * kKib <= flash->map.size()) target.flash_size = *kib * kKib;
}

Task<> read_unique_id(stm32::DfuSe& dfuse, Target& target) {
  const auto bytes = co_await try_read(dfuse, target.chip->unique_id, kUniqueIdBytes);
  if (!bytes) co_return;
  const auto all = [&](std::uint8_t value) {
    return std::ranges::all_of(*bytes, [=](std::uint8_t b) { return b == value; });
  };
  if (!all(0xFF) && !all(0x00)) target.unique_id = *bytes;
}

}  // namespace

std::vector<const Chip*> fitting_chips(const Target& target, std::span<const Chip> lines) {
  std::vector<const Chip*> fitting;
  const Area* flash = target.flash();
  if (flash == nullptr || flash->assumed) return fitting;
  for (const Chip& chip : lines) {
    if (!maker_fits(target, chip)) continue;
    if (chip.has(proto::kSizeInSerial)) {
      if (size_in_serial(target)) fitting.push_back(&chip);
      continue;
    }
    const bool any_count = chip.has(proto::kLayoutSizeWrong);
    const bool fits = layout_fits(flash->map, chip.layout, any_count) ||
                      layout_fits(flash->map, chip.layout_other, any_count);
    if (fits && addresses_fit(target, chip) && commands_fit(target, chip)) {
      fitting.push_back(&chip);
    }
  }
  return fitting;
}

Task<> compare_loader_ids(stm32::DfuSe& dfuse, Target& target) {
  std::vector<std::pair<std::uint32_t, std::optional<std::uint16_t>>> read;
  std::vector<const Chip*> agreeing;
  for (const Chip* chip : target.candidates) {
    if (chip->loader_id_address == 0) continue;
    auto known =
        std::ranges::find(read, chip->loader_id_address, &decltype(read)::value_type::first);
    if (known == read.end()) {
      const auto value = co_await try_read_u16(dfuse, chip->loader_id_address);
      read.emplace_back(chip->loader_id_address, value);
      known = read.end() - 1;
    }
    if (!known->second || *known->second == kErasedId) continue;
    const std::uint16_t value = *known->second;
    if (std::ranges::any_of(chip->loader_ids, [&](auto id) { return same_id(id, value); })) {
      agreeing.push_back(chip);
      target.chip_evidence.push_back("its ROM identifier at " + hex(chip->loader_id_address) +
                                     " is " + hex(value & 0xFF, 2) + ", as that of " +
                                     std::string(chip->title));
    }
  }
  if (!agreeing.empty()) target.candidates = std::move(agreeing);
}

Task<> read_signature(stm32::DfuSe& dfuse, Target& target) {
  if (target.chip == nullptr) co_return;
  if (target.chip->flash_size_register != 0) co_await read_flash_size(dfuse, target);
  if (target.chip->unique_id != 0) co_await read_unique_id(dfuse, target);
}

}  // namespace sureflash::update
