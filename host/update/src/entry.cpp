#include "sureflash/update/entry.hpp"

#include <algorithm>

#include "order.hpp"
#include "strategy.hpp"

#include "sureflash/base/text.hpp"
#include "sureflash/image/information.hpp"
#include "sureflash/image/vector_table.hpp"
#include "sureflash/proto/information_block.h"

namespace sureflash::update {
namespace {

std::optional<WayBack> way_of(std::uint32_t said) {
  switch (said) {
    case SUREFLASH_BACK_BY_BOOT_PIN:
      return WayBack::BootPin;
    case SUREFLASH_BACK_BY_ENTRY_CODE:
      return WayBack::EntryCode;
    case SUREFLASH_BACK_BY_EMPTY_CHECK:
      return WayBack::EmptyCheck;
    case SUREFLASH_BACK_BY_OWN_LOADER:
      return WayBack::OwnLoader;
    default:
      return std::nullopt;
  }
}

/// Families without an empty check, by their reference manuals' chapter on boot configuration. Of
/// the others only some members have one (F04x, L43x, G0, C0, …): the user's word counts.
bool lacks_empty_check(const stm32::Chip& chip) {
  constexpr std::string_view kWithout[] = {"F1", "F2", "F3", "F4", "F7", "H7", "L1"};
  return std::ranges::find(kWithout, chip.family) != std::end(kWithout);
}

/// Sectors of vector table, reset handler and named code. The processor needs the first two
/// whatever the code is.
std::vector<AddressRange> sectors_of(const stm32::MemoryMap& map, const image::Image& image,
                                     std::span<const AddressRange> code) {
  const std::uint64_t start = image.bounds().begin;
  std::vector<AddressRange> sectors = map.sectors(AddressRange::sized(start, 1));
  std::vector<AddressRange> wanted(code.begin(), code.end());
  const auto table = image::read_vector_table(image, static_cast<std::uint32_t>(start));
  if (table) wanted.push_back(AddressRange::sized(table->reset & ~1U, 1));
  for (const AddressRange& range : wanted) {
    for (const AddressRange& sector : map.sectors(range)) {
      if (!contains(sectors, sector)) sectors.push_back(sector);
    }
  }
  std::ranges::sort(sectors, {}, &AddressRange::begin);
  return sectors;
}

std::string window_text(const EntryPlan& entry) {
  if (entry.window == Duration::zero()) return "for a time that is not known for this chip";
  std::string words = "for about " + text(entry.window);
  if (entry.window_max > entry.window) words += " (at most " + text(entry.window_max) + ")";
  return words;
}

std::string names_of(std::span<const AddressRange> ranges) {
  std::string words;
  for (const AddressRange& r : ranges) words += (words.empty() ? "" : ", ") + text(r);
  return words;
}

void describe_entry_code(EntryPlan& entry) {
  auto& words = entry.interruption;
  if (entry.rewritten.empty()) {
    words.push_back("the code that enters DFU mode is left alone (" + names_of(entry.sectors) +
                    "): interrupted, the unit comes back by itself, and the same command finishes");
  } else {
    words.push_back("the code that enters DFU mode changes (" + names_of(entry.rewritten) +
                    "): " + window_text(entry) +
                    " a power cut leaves a unit that only BOOT0 or an ST-Link brings back");
    words.emplace_back(
        "interrupted before or after that, it comes back by itself, and the same command finishes");
  }
  if (entry.guessed) {
    words.emplace_back(
        "where that code lies was not said: the sectors of vector table and reset handler are "
        "taken for it; --entry 0xBEGIN..0xEND names it");
  }
}

/// Writes of 16 bytes that are programmed as two units (L5): the reset vector is not in the last.
bool commits_in_two(const stm32::Chip* chip) {
  constexpr std::uint32_t kVectorWords = 8;
  return chip != nullptr && chip->write_alignment > std::max(kVectorWords, chip->program_unit);
}

void describe(EntryPlan& entry, bool vectors_change, bool in_two) {
  auto& words = entry.interruption;
  if (entry.way == WayBack::EntryCode) return describe_entry_code(entry);
  if (!vectors_change) {
    words.emplace_back(
        "the vector table is right and stays: interrupted, the chip starts what it starts now; "
        "the same command finishes");
    return;
  }
  switch (entry.way) {
    case WayBack::EntryCode:
    case WayBack::BootPin:
      words.emplace_back(
          "interrupted, the chip starts no program; BOOT0 (or the button for it) brings it back, "
          "and the same command finishes");
      if (in_two) {
        words.push_back("only the very last write, " + window_text(entry) +
                        ", programs the vectors in two steps: cut between them, the new program "
                        "starts without its NMI and HardFault vectors");
      }
      break;
    case WayBack::EmptyCheck:
      words.emplace_back(
          "interrupted, the first word of flash is blank: the ROM starts by itself at power-on, "
          "and the same command finishes");
      words.push_back("only while the first sector is erased, and at the very last write, " +
                      window_text(entry) + " together, a power cut may need BOOT0");
      break;
    case WayBack::OwnLoader:
      words.emplace_back(
          "interrupted, the unit's loader finds no whole program and stays in DFU mode; the same "
          "command finishes");
      words.push_back(
          "a loader that looks at the first words only may be deceived while the "
          "first sector is erased and at the very last write, " +
          window_text(entry) + " together");
      break;
  }
}

/// Erasing `sectors` and writing `bytes`, one command each.
void set_window(const Target& target, const stm32::MemoryMap& map, const Plan& plan,
                std::span<const AddressRange> sectors, std::uint64_t bytes, EntryPlan& entry) {
  const stm32::Chip* chip = target.chip;
  if (chip == nullptr || !chip->program.known()) return;
  Duration typical = chip->program_time(bytes, plan.width);
  Duration most = chip->program.max > chip->program.typ
                      ? typical * chip->program.max.count() / chip->program.typ.count()
                      : typical;
  for (const AddressRange& sector : sectors) {
    const auto erase = chip->erase_time(map.run_at(sector.begin)->sector_size, plan.width);
    if (!erase.known()) return;
    typical += erase.typ;
    most += std::max(erase.typ, erase.max);
  }
  const std::uint64_t blocks = sectors.size() + bytes / target.transfer_size() + 2;
  const Duration wire = 3 * kTransferOverhead * static_cast<Duration::rep>(blocks) +
                        per_byte(target) * static_cast<Duration::rep>(bytes);
  entry.window = typical + wire;
  entry.window_max = most + wire;
}

/// Without a guard the trial is part of the window: two blocks are read back, and the first erase
/// is waited for twice, because how the device waits is only just being learnt (dfu::Client).
void add_trial(const Target& target, const stm32::MemoryMap& map, const Plan& plan,
               EntryPlan& entry) {
  if (entry.window == Duration::zero()) return;
  const auto erase =
      target.chip->erase_time(map.run_at(entry.rewritten.front().begin)->sector_size, plan.width);
  const Duration reading = 6 * per_byte(target) * target.transfer_size();
  entry.window += erase.typ + reading;
  entry.window_max += std::max(erase.typ, erase.max) + reading;
}

}  // namespace

std::string_view name(WayBack way) {
  switch (way) {
    case WayBack::BootPin:
      return "boot pin";
    case WayBack::EntryCode:
      return "software jump";
    case WayBack::EmptyCheck:
      return "empty check";
    case WayBack::OwnLoader:
      return "own loader";
  }
  return "unlisted";
}

Result<EntryPlan> find_entry(const Target& target, const stm32::MemoryMap& map,
                             const image::Image& image, const EntryOptions& options) {
  EntryPlan entry;
  std::vector<AddressRange> code = options.code;
  entry.said_by = "nothing else is known; --entry says otherwise";
  if (options.way || !code.empty()) {
    entry.way = options.way.value_or(WayBack::EntryCode);
    entry.said_by = "--entry";
  } else if (const auto block = image::find_information(image)) {
    if (const auto way = way_of(block->way_back)) {
      entry.way = *way;
      entry.said_by = "the information block of the image";
    }
  }
  if (entry.way == WayBack::EntryCode && code.empty()) {
    // Even if the user names only the way: the application knows best where its code lies.
    if (const auto block = image::find_information(image); block && !block->entry_code.empty()) {
      code.push_back(block->entry_code);
    }
  }
  for (const AddressRange& range : code) {
    if (map.contains(range)) continue;
    return fail(Error(Errc::OutsideMemory, "the entry code").in(Stage::Plan, range));
  }
  if (entry.way == WayBack::EmptyCheck && target.chip != nullptr &&
      lacks_empty_check(*target.chip)) {
    return fail(Error(Errc::NotForThisDevice, std::string(target.chip->title) +
                                                  " has no empty check: its ROM starts only by "
                                                  "BOOT0 or by a jump")
                    .in(Stage::Plan));
  }
  if (entry.way == WayBack::EntryCode) {
    entry.sectors = sectors_of(map, image, code);
    entry.guessed = code.empty();
  }
  return entry;
}

void describe_interruption(const Target& target, const stm32::MemoryMap& map, Plan& plan) {
  EntryPlan& entry = plan.entry;
  if (plan.nothing_to_write()) return;
  const AddressRange vectors = map.sectors(AddressRange::sized(plan.start, 1)).front();
  const bool vectors_change = contains(plan.erase, vectors);
  if (entry.way == WayBack::EntryCode) {
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < plan.urgent_writes; ++i) bytes += plan.write[i].size();
    if (!entry.rewritten.empty()) set_window(target, map, plan, entry.rewritten, bytes, entry);
    if (plan.commit.empty()) add_trial(target, map, plan, entry);
  } else if (entry.way == WayBack::BootPin && vectors_change && commits_in_two(target.chip)) {
    set_window(target, map, plan, {}, plan.commit.size(), entry);
  } else if (entry.way != WayBack::BootPin && vectors_change) {
    set_window(target, map, plan, std::span(&vectors, 1), plan.commit.size(), entry);
  }
  describe(entry, vectors_change, commits_in_two(target.chip));
}

}  // namespace sureflash::update
