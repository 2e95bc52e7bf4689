// Goal: the flash model refuses what silicon refuses, takes the time of the data sheet, and leaves
// only legal contents after a power cut at any operation, in each of three ways. Method: the same
// rules over several geometries; a sequence of operations cut at every operation.

#include "sureflash/sim/chip/flash.hpp"

#include <algorithm>
#include <bit>
#include <ostream>
#include <string>

#include <gtest/gtest.h>

namespace sureflash::sim {
namespace {

struct Case {
  std::string name;
  FlashGeometry geometry;
};

constexpr TimeRange kTime{1us, 2us, 3us};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

Case f4() {
  return {"F4",
          {.base = 0x08000000,
           .runs = {{4, 16 * 1024}, {1, 64 * 1024}, {3, 128 * 1024}},
           .program_unit = 4,
           .erased = 0xFF,
           .overprogram = Overprogram::And,
           .times = {.program_unit = kTime,
                     .erase_fixed = kTime,
                     .erase_per_kib = kTime,
                     .mass_erase = kTime}}};
}
Case l0() {
  return {"L0",
          {.base = 0x08000000,
           .runs = {{64, 128}},
           .program_unit = 4,
           .erased = 0x00,
           .overprogram = Overprogram::Refuse,
           .times = {.program_unit = kTime, .erase_fixed = kTime, .mass_erase = kTime}}};
}
Case h7() {
  return {"H7",
          {.base = 0x08000000,
           .runs = {{2, 128 * 1024}},
           .program_unit = 32,
           .erased = 0xFF,
           .overprogram = Overprogram::Refuse,
           .times = {.program_unit = kTime, .erase_fixed = kTime, .mass_erase = kTime}}};
}

std::vector<Case> cases() {
  return {{"F105", f105_flash(64)}, f4(), l0(), h7()};
}

class EveryGeometry : public ::testing::TestWithParam<Case> {
 protected:
  FlashGeometry geometry = GetParam().geometry;
  FlashOperations operations{7};
  Flash flash{geometry, operations};
  std::uint32_t unit = geometry.program_unit;

  Bytes data(std::uint8_t first) const {
    Bytes bytes(unit);
    for (std::size_t i = 0; i < unit; ++i) bytes[i] = static_cast<std::uint8_t>(first + i);
    return bytes;
  }
  Bytes erased(std::size_t size) const { return Bytes(size, geometry.erased); }
  Bytes read(std::uint32_t address, std::size_t size) const {
    Bytes bytes(size);
    flash.read(address, bytes);
    return bytes;
  }
};
INSTANTIATE_TEST_SUITE_P(Flash, EveryGeometry, ::testing::ValuesIn(cases()),
                         [](const auto& i) { return i.param.name; });

TEST_P(EveryGeometry, ProgramsOneAlignedErasedUnit) {
  const FlashResult done = flash.program(geometry.base + unit, data(0x11));
  EXPECT_EQ(done.outcome, FlashOutcome::Ok);
  EXPECT_EQ(done.duration, geometry.times.program_unit.typical);
  EXPECT_EQ(read(geometry.base + unit, unit), data(0x11));
  EXPECT_EQ(read(geometry.base, unit), erased(unit));
}

TEST_P(EveryGeometry, RefusesWrongAddressesAndLengths) {
  const auto end = static_cast<std::uint32_t>(flash.range().end);
  EXPECT_EQ(flash.program(geometry.base + 1, data(1)).outcome, FlashOutcome::Misaligned);
  EXPECT_EQ(flash.program(geometry.base, Bytes(unit + 1)).outcome, FlashOutcome::Misaligned);
  EXPECT_EQ(flash.program(geometry.base, Bytes(unit / 2)).outcome, FlashOutcome::Misaligned);
  EXPECT_EQ(flash.program(end, data(1)).outcome, FlashOutcome::OutOfRange);
  EXPECT_EQ(flash.program(geometry.base - unit, data(1)).outcome, FlashOutcome::OutOfRange);
  EXPECT_EQ(flash.erase_sector(end).outcome, FlashOutcome::OutOfRange);
  EXPECT_EQ(operations.count(), 0U);
}

TEST_P(EveryGeometry, ProgrammingTwiceFollowsTheRuleOfTheFamily) {
  ASSERT_EQ(flash.program(geometry.base, Bytes(unit, 0x5A)).outcome, FlashOutcome::Ok);
  const FlashResult again = flash.program(geometry.base, Bytes(unit, 0xC3));
  const FlashResult zero = flash.program(geometry.base + 0, Bytes(unit, 0x00));
  switch (geometry.overprogram) {
    case Overprogram::And:
      EXPECT_EQ(again.outcome, FlashOutcome::Ok);
      EXPECT_EQ(zero.outcome, FlashOutcome::Ok);
      break;
    case Overprogram::Refuse:
      EXPECT_EQ(again.outcome, FlashOutcome::NotErased);
      EXPECT_EQ(zero.outcome, FlashOutcome::NotErased);
      EXPECT_EQ(read(geometry.base, unit), Bytes(unit, 0x5A));
      break;
    case Overprogram::RefuseButZero:
      EXPECT_EQ(again.outcome, FlashOutcome::NotErased);
      EXPECT_EQ(zero.outcome, FlashOutcome::Ok);
      EXPECT_EQ(read(geometry.base, unit), Bytes(unit, 0x00));
      break;
  }
}

TEST_P(EveryGeometry, ErasesExactlyTheSectorThatContainsTheAddress) {
  Bytes full(flash.range().size(), static_cast<std::uint8_t>(~geometry.erased));
  flash.load(geometry.base, full);
  const std::size_t middle = geometry.sector_count() / 2;
  const Sector sector = geometry.sector(middle);
  const auto last_byte = static_cast<std::uint32_t>(sector.range.end - 1);
  EXPECT_EQ(flash.erase_sector(last_byte).outcome, FlashOutcome::Ok);
  std::fill_n(full.begin() + static_cast<std::ptrdiff_t>(sector.range.begin - geometry.base),
              sector.range.size(), geometry.erased);
  EXPECT_TRUE(std::ranges::equal(flash.bytes(), full));
  for (std::size_t i = 0; i < geometry.sector_count(); ++i) {
    EXPECT_EQ(flash.wear()[i], i == middle ? 1U : 0U) << i;
  }
}

TEST_P(EveryGeometry, SectorsCoverTheRangeWithoutGaps) {
  std::uint64_t at = geometry.base;
  for (std::size_t i = 0; i < geometry.sector_count(); ++i) {
    const Sector sector = geometry.sector(i);
    EXPECT_EQ(sector.range.begin, at);
    EXPECT_EQ(geometry.sector_at(static_cast<std::uint32_t>(at))->index, i);
    at = sector.range.end;
  }
  EXPECT_EQ(at, geometry.range().end);
}

TEST_P(EveryGeometry, ProtectedSectorsDoNotChange) {
  std::vector<bool> protection(geometry.sector_count());
  protection[1] = true;
  flash.set_protection(protection);
  const auto address = static_cast<std::uint32_t>(geometry.sector(1).range.begin);
  EXPECT_EQ(flash.program(address, data(1)).outcome, FlashOutcome::WriteProtected);
  EXPECT_EQ(flash.erase_sector(address).outcome, FlashOutcome::WriteProtected);
  EXPECT_EQ(flash.mass_erase().outcome, FlashOutcome::WriteProtected);
  EXPECT_EQ(operations.count(), 0U);
  EXPECT_EQ(flash.program(geometry.base, data(1)).outcome, FlashOutcome::Ok);
}

/// Every bit of `now` equals that of `before` or of `after`.
bool between(ByteView now, ByteView before, ByteView after) {
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (((now[i] ^ before[i]) & (now[i] ^ after[i])) != 0) return false;
  }
  return true;
}

TEST_P(EveryGeometry, APowerCutAtEveryOperationLeavesOnlyLegalContents) {
  const std::uint32_t base = geometry.base;
  // erase, four programs, erase of the next sector, mass erase
  const auto operation = [&](Flash& f, std::size_t i) {
    if (i == 0) return f.erase_sector(base);
    if (i <= 4) return f.program(static_cast<std::uint32_t>(base + i * unit), data(0x20));
    if (i == 5) return f.erase_sector(static_cast<std::uint32_t>(geometry.sector(1).range.begin));
    return f.mass_erase();
  };
  constexpr std::size_t kOperations = 7;
  bool torn_somewhere = false;
  for (const FlashFault kind :
       {FlashFault::CutBefore, FlashFault::CutDuring, FlashFault::CutAfter}) {
    for (std::size_t cut = 0; cut < kOperations; ++cut) {
      FlashOperations ops(cut);
      ops.add({kind, cut, cut});
      Flash f(geometry, ops);
      Bytes start(f.range().size());
      for (std::size_t i = 0; i < start.size(); ++i) start[i] = static_cast<std::uint8_t>(mix64(i));
      f.load(base, start);
      for (std::size_t i = 0; i < cut; ++i) ASSERT_EQ(operation(f, i).outcome, FlashOutcome::Ok);
      const Bytes before(f.bytes().begin(), f.bytes().end());
      FlashOperations clean(cut);
      Flash complete(geometry, clean);
      complete.load(base, before);
      operation(complete, cut);

      EXPECT_EQ(operation(f, cut).outcome, FlashOutcome::PowerLost);
      EXPECT_FALSE(ops.powered());
      EXPECT_TRUE(between(f.bytes(), before, complete.bytes())) << "cut " << cut;
      if (kind == FlashFault::CutBefore) {
        EXPECT_TRUE(std::ranges::equal(f.bytes(), before));
      }
      if (kind == FlashFault::CutAfter) {
        EXPECT_TRUE(std::ranges::equal(f.bytes(), complete.bytes()));
      }
      if (kind == FlashFault::CutDuring) {
        torn_somewhere |= !std::ranges::equal(f.bytes(), before) &&
                          !std::ranges::equal(f.bytes(), complete.bytes());
      }
      // Without power nothing happens any more, and with power the chip works again.
      EXPECT_EQ(f.erase_sector(base).outcome, FlashOutcome::PowerLost);
      ops.restore_power();
      EXPECT_EQ(f.erase_sector(base).outcome, FlashOutcome::Ok);
    }
  }
  EXPECT_TRUE(torn_somewhere);
}

TEST_P(EveryGeometry, TheSameSeedTearsTheSameBits) {
  const auto run = [&](std::uint64_t seed) {
    FlashOperations ops(seed);
    ops.add({FlashFault::CutDuring, 0, 0});
    Flash f(geometry, ops);
    f.load(geometry.base, Bytes(f.range().size(), 0x5A));
    f.erase_sector(geometry.base);
    return Bytes(f.bytes().begin(), f.bytes().end());
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST_P(EveryGeometry, LyingSiliconReportsSuccess) {
  operations.add({FlashFault::DropWrite, 0, 0});
  operations.add({FlashFault::FlipBit, 1, 1});
  operations.add({FlashFault::SkipErase, 0, 0});
  const auto second = static_cast<std::uint32_t>(geometry.base + unit);
  EXPECT_EQ(flash.program(geometry.base, data(0x33)).outcome, FlashOutcome::Ok);
  EXPECT_EQ(read(geometry.base, unit), erased(unit));
  EXPECT_EQ(flash.program(second, data(0x33)).outcome, FlashOutcome::Ok);
  const Bytes flipped = read(second, unit);
  int different = 0;
  for (std::size_t i = 0; i < unit; ++i)
    different += std::popcount<std::uint8_t>(flipped[i] ^ data(0x33)[i]);
  EXPECT_EQ(different, 1);
  EXPECT_EQ(flash.erase_sector(geometry.base).outcome, FlashOutcome::Ok);
  EXPECT_EQ(read(second, unit), flipped);
  EXPECT_EQ(flash.erase_sector(geometry.base).outcome, FlashOutcome::Ok);
  EXPECT_EQ(read(second, unit), erased(unit));
}

TEST_P(EveryGeometry, AStuckBitStays) {
  const bool value = geometry.erased == 0;  // the value that erasing does not give
  flash.stick_bit(geometry.base, 3, value);
  flash.erase_sector(geometry.base);
  EXPECT_EQ(read(geometry.base, 1)[0], geometry.erased ^ 0x08);
}

TEST(FlashRules, WhereProgrammingAndsClearedBitsStayCleared) {
  FlashOperations operations;
  Flash flash(f4().geometry, operations);
  flash.program(0x08000000, Bytes(4, 0xF0));
  flash.program(0x08000000, Bytes(4, 0x3C));
  EXPECT_TRUE(std::ranges::equal(flash.bytes().first(4), Bytes(4, 0x30)));
}

TEST(FlashTimes, F105TakesWhatTheDataSheetSays) {
  FlashOperations operations;
  Flash flash(f105_flash(256), operations);
  const auto half_word = [&](std::uint32_t at) { return flash.program(at, Bytes{1, 2}).duration; };
  EXPECT_EQ(half_word(0x08000000), 52'500ns);
  EXPECT_EQ(flash.erase_sector(0x08000000).duration, 30ms);
  flash.set_time_choice(TimeChoice::Min);
  EXPECT_EQ(half_word(0x08000000), 40us);
  EXPECT_EQ(flash.erase_sector(0x08000000).duration, 20ms);
  flash.set_time_choice(TimeChoice::Max);
  EXPECT_EQ(half_word(0x08000000), 70us);
  EXPECT_EQ(flash.mass_erase().duration, 40ms);
}

TEST(FlashTimes, LargerSectorsTakeLongerWhereTheDataSheetSaysSo) {
  FlashOperations operations;
  Flash flash(f4().geometry, operations);
  EXPECT_EQ(flash.erase_sector(0x08000000).duration, 2us + 16 * 2us);
  EXPECT_EQ(flash.erase_sector(0x08020000).duration, 2us + 128 * 2us);
}

// The first outputs of the reference implementation of SplitMix64 for seed 0 begin with
// 0xE220A8397B1DCDAF (Vigna, prng.di.unimi.it/splitmix64.c): noise is the same on every machine.
TEST(Noise, IsTheReferenceGeneratorLowestByteFirst) {
  Bytes noise(11);
  fill_noise(noise, 0);
  const Bytes first{0xAF, 0xCD, 0x1D, 0x7B, 0x39, 0xA8, 0x20, 0xE2};
  EXPECT_TRUE(std::equal(first.begin(), first.end(), noise.begin()));
  Bytes shorter(9);
  fill_noise(shorter, 0);
  EXPECT_TRUE(std::equal(shorter.begin(), shorter.end(), noise.begin())) << "whatever the length";
}

}  // namespace
}  // namespace sureflash::sim
