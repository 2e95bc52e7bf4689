// Goal: the table of chips is complete, keeps what its sources say, and every chip is found by the
// names people use; docs/chips.md says what the table says. Method: rules that every line keeps,
// figures copied from AN2606 and data sheets by hand, and a comparison with the committed page
// (UPDATE_GOLDEN=1 writes it anew).

#include "sureflash/stm32/chip.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "sureflash/base/text.hpp"

namespace sureflash::stm32 {
namespace {

std::string name_of(const char* wanted) {
  const Chip* chip = find_chip(wanted);
  return chip == nullptr ? "none" : std::string(chip->name);
}

TEST(Chips, HaveWhatEveryLineHas) {
  const auto st = std::ranges::count(chips(), 0x0483, &Chip::usb_vendor);
  EXPECT_EQ(st, 61) << "AN2606 table 3: lines with USB DFU";
  std::set<std::string_view> names;
  for (const Chip& chip : chips()) {
    SCOPED_TRACE(chip.name);
    EXPECT_TRUE(names.insert(chip.name).second);
    EXPECT_EQ(find_chip(chip.name), &chip);
    EXPECT_EQ(chip.product_id != 0, chip.usb_vendor == 0x0483) << "clones have none of ST's ids";
    EXPECT_EQ(chip.system_memory.empty(), chip.product_id == 0);
    EXPECT_EQ(chip.flash_base, 0x08000000U);
    EXPECT_EQ(chip.flash_map().size(), chip.flash_size_max);
    EXPECT_EQ(chip.write_alignment % chip.program_unit == 0 ||
                  chip.program_unit % chip.write_alignment == 0,
              true);
    EXPECT_GE(chip.write_alignment, 4U) << "AN2606, 4.6";
    EXPECT_EQ(chip.erased_value, chip.family == "L0" || chip.family == "L1" ? 0x00 : 0xFF);
    EXPECT_TRUE(chip.loader_ids[0] == 0 || chip.loader_id_address != 0);
    const MemoryMap map = chip.flash_map();
    for (const SectorRun& run : map.runs()) {
      const Times erase = chip.erase_time(run.sector_size);
      if (chip.sector_erase.known()) {
        EXPECT_TRUE(erase.known()) << run.sector_size;
        EXPECT_LE(erase.typ, erase.max);
      }
    }
    const bool knows_times = chip.notes.find("times-not-known") == std::string_view::npos;
    EXPECT_EQ(knows_times, chip.sector_erase.known());
    EXPECT_EQ(knows_times, !chip.times.confidence.empty());
  }
}

TEST(Chips, LayoutTextsThatWereSeenSayWhatTheTableSays) {
  int seen = 0;
  for (const Chip& chip : chips()) {
    // Some are known to be false; tests/scenarios shows that they are put right.
    const bool is_false = chip.has(proto::kSizeInSerial) || chip.has(proto::kReadOnlyLetterFalse);
    if (chip.layout_text.empty() || is_false) continue;
    SCOPED_TRACE(chip.name);
    const auto map = parse_layout(chip.layout_text);
    ASSERT_TRUE(map);
    const MemoryMap own = chip.flash_map();
    EXPECT_TRUE(std::ranges::equal(map->runs(), own.runs()));
    ++seen;
  }
  EXPECT_EQ(seen, 17 + 3) << "and those of three AT32";
}

// AN2606 table 226 and dfuse.md 5.1, by hand.
TEST(Chips, FiguresOfSomeLines) {
  const Chip& f4 = *find_chip("STM32F407VG");
  EXPECT_EQ(f4.product_id, 0x413);
  EXPECT_EQ(f4.system_memory, (AddressRange{0x1FFF0000, 0x1FFF7800}));
  EXPECT_EQ(f4.option_bytes.begin, 0x1FFFC000U);
  EXPECT_EQ(f4.erase_time(128 * 1024).typ, 2s);
  EXPECT_EQ(f4.erase_time(128 * 1024, ProgramWidth::Word).typ, 1s);
  EXPECT_EQ(f4.erase_time(16 * 1024).max, 800ms);
  EXPECT_EQ(f4.mass_erase.max, 32s);
  EXPECT_EQ(f4.program_time(1 << 20), 16us * (1 << 20));
  EXPECT_EQ(f4.program_time(1 << 20, ProgramWidth::Word), 16us * (1 << 18));
  EXPECT_TRUE(f4.has(proto::kByteProgramming));

  const Chip& h7 = *find_chip("stm32h743zi");
  EXPECT_EQ(h7.write_alignment, 8U);
  EXPECT_EQ(h7.program_unit, 32U);
  EXPECT_TRUE(h7.has(proto::kStuckBusyHighSectors));
  EXPECT_TRUE(h7.has(proto::kMassEraseUnreliable));
  EXPECT_EQ(h7.program_time(1024), Duration::zero()) << "not known";

  const Chip& l0 = *find_chip("stm32l072");
  EXPECT_EQ(l0.flash_map().runs()[0].sector_size, 128U);
  EXPECT_EQ(find_chip("stm32f105")->ram, (AddressRange{0x20000000, 0x20010000}));
  EXPECT_TRUE(find_chip("stm32h503")->has(proto::kNoReadUnprotect));
  EXPECT_EQ(find_chip("stm32f427")->flash_map().runs().size(), 6U) << "2 MB: two banks";
}

TEST(Chips, AreFoundByMembersAndPartNumbers) {
  EXPECT_EQ(name_of("STM32F107"), "stm32f105");
  EXPECT_EQ(name_of("stm32f105rct6"), "stm32f105");
  EXPECT_EQ(name_of("f072"), "stm32f071");
  EXPECT_EQ(name_of("STM32F401CE"), "stm32f401xd");
  EXPECT_EQ(name_of("STM32F401CB"), "stm32f401xb");
  EXPECT_EQ(name_of("STM32L152RC"), "stm32l1xxxc");
  EXPECT_EQ(name_of("STM32F070C6"), "stm32f070x6");
}

TEST(Chips, ClonesAreFoundByTheirOwnNames) {
  EXPECT_EQ(name_of("GD32VF103CB"), "gd32vf103");
  EXPECT_EQ(name_of("at32f435"), "at32f437");
  EXPECT_TRUE(find_chips_by_product_id(0).empty());
}

TEST(Chips, NamesThatMeanSeveralLinesOrNoneAreNoChip) {
  EXPECT_EQ(name_of("stm32f303"), "none");
  EXPECT_EQ(find_chips("stm32f303").size(), 2U);
  EXPECT_EQ(name_of("stm32f103c8"), "none") << "its ROM has no DFU";
  EXPECT_EQ(name_of("stm32f401xc1"), "stm32f401xb");
  EXPECT_EQ(name_of("stm32"), "none");
  EXPECT_EQ(name_of(""), "none");
  EXPECT_EQ(find_chips_by_product_id(0x445).size(), 2U) << "F042 and F070x6 share a die";
}

std::string cell(std::uint64_t value) {
  return value == 0 ? "" : hex(value);
}

std::string time_cell(const Times& t) {
  if (!t.known()) return "not known";
  return text(t.typ) + (t.max > Duration::zero() ? " / " + text(t.max) : "");
}

std::string layout_cell(const proto::SectorLayout& layout) {
  std::string s;
  for (const proto::SectorGroup& g : layout) {
    if (g.count == 0) break;
    s += (s.empty() ? "" : ", ") + decimal(g.count) + " × " + sureflash::text_size(g.size);
  }
  return s;
}

std::string page() {
  std::string s =
      "# Chips whose ROM speaks DFU\n\n"
      "Made from the table in `proto/` by `stm32_test` (`UPDATE_GOLDEN=1` writes it anew); sources "
      "stand in\n`proto/include/sureflash/proto/chip_data.hpp`. Times are typical / maximum; \"not "
      "known\" means that nobody is known to\nhave published the figure, and sureflash then gives "
      "no "
      "expected time. An empty cell: none, or not known. The last lines are no STM32: parts of "
      "other "
      "makers whose ROM speaks the same protocol.\n\n"
      "| `--chip` | chips | PID | ROM ids | ROM | flash, largest member | other banks | erased | "
      "program unit | alignment | sector erase | program | mass erase | option bytes | sure of the "
      "times |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";
  for (const Chip& c : chips()) {
    std::string ids;
    for (const std::uint16_t id : c.loader_ids) {
      if (id != 0) ids += (ids.empty() ? "" : ", ") + hex(id, 2);
    }
    std::string erase;
    for (const proto::SectorEraseTime& t : c.times.sector) {
      if (t.usual.typ == 0) continue;
      erase += (erase.empty() ? "" : "; ") +
               (t.sector_size != 0 ? sureflash::text_size(t.sector_size) + ": " : "") +
               time_cell(c.erase_time(t.sector_size));
    }
    const std::string_view confidence = c.times.confidence;
    s += "| `" + std::string(c.name) + "` | " + std::string(c.title) + " | " +
         (c.product_id != 0 ? hex(c.product_id, 3) : "") + " | " + ids + " | " +
         (c.system_memory.empty() ? "" : sureflash::text(c.system_memory)) + " | " +
         layout_cell(c.layout) + " | " + layout_cell(c.layout_other) + " | " +
         hex(c.erased_value, 2) + " | " + decimal(c.program_unit) + " | " +
         decimal(c.write_alignment) + " | " + (erase.empty() ? "not known" : erase) + " | " +
         time_cell(c.program) + " | " + time_cell(c.mass_erase) + " | " +
         cell(c.option_bytes.begin) + " | " + std::string(confidence) + " |\n";
  }
  s += "\n## Quirks\n\nWhat they mean stands in `chip_data.hpp`; a test of the same name fails "
       "without "
       "each (`tests/scenarios`). `sim:…,without=` takes\nthem away from the virtual ROM.\n\n";
  for (const Chip& c : chips()) {
    std::string quirks;
    for (unsigned bit = 0; bit < proto::kQuirkBits; ++bit) {
      const auto quirk = static_cast<proto::ChipQuirk>(1U << bit);
      if (!c.has(quirk)) continue;
      quirks += (quirks.empty() ? "" : ", ") + std::string(proto::quirk_name(quirk));
    }
    if (!quirks.empty()) s += "- `" + std::string(c.name) + "`: " + quirks + "\n";
  }
  s += "\n## What else is known\n\nTags as in AN2606's \"known limitations\" and device logs; "
       "\"unconfirmed\" and \"community\" are part of the fact.\n\n";
  for (const Chip& c : chips()) {
    if (!c.notes.empty()) {
      s += "- `" + std::string(c.name) + "`: " + std::string(c.notes) + "\n";
    }
  }
  return s;
}

TEST(Chips, TheirPageIsUpToDate) {
  const std::string file = SUREFLASH_SOURCE_DIR "/docs/chips.md";
  if (const char* update = std::getenv("UPDATE_GOLDEN"); update != nullptr && *update == '1') {
    std::ofstream(file) << page();
  }
  std::ostringstream committed;
  committed << std::ifstream(file).rdbuf();
  EXPECT_EQ(committed.str(), page());
}

}  // namespace
}  // namespace sureflash::stm32
