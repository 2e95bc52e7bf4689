// Goal: the programming path works, and is as careful, on the ROM of every line of chips; a fix for
// one that breaks another cannot pass. Method: each test here runs on the virtual ROM of each of
// the 61 lines and of the clones, with its geometry, units, times and defects, on older ROMs and on
// clones; the chip itself is the judge.

#include <algorithm>
#include <cctype>

#include "scenario.hpp"
#include <fmt/format.h>

namespace sureflash::scenarios {
namespace {

constexpr std::uint32_t kBase = 0x08000000;

class EveryRom : public testing::TestWithParam<std::string> {
 protected:
  std::string spec(std::string_view keys = "") const { return GetParam() + std::string(keys); }
  const stm32::Chip& data() const {
    return *stm32::find_chip(std::string_view(GetParam()).substr(0, GetParam().find(',')));
  }
  AddressRange all() const { return data().flash(); }
  /// Without what belongs to somebody else: of an STM32WB the last 12 pages (SFSA 0xF4).
  AddressRange usable() const {
    AddressRange range = all();
    if (data().has(proto::kWirelessStackOnTop)) range.end -= 12 * first_sector();
    return range;
  }
  std::uint64_t first_sector() const { return data().flash_map().runs()[0].sector_size; }
  /// Some sectors and a bit, at most the flash.
  std::size_t some_sectors() const {
    return std::min<std::size_t>(data().flash_size_max,
                                 std::max<std::size_t>(2 * first_sector() + 100, 5000));
  }
};

/// Every line, and what else runs ST's code or passes for it.
std::vector<std::string> every_rom() {
  std::vector<std::string> specs(sim::chip_profiles().begin(), sim::chip_profiles().end());
  for (const char* more :
       {"stm32f105,rom=2.0", "stm32f105,rom=2.1", "stm32f105,usb-id=28e9:0189",
        "stm32f105,usb-id=2e3c:df11", "stm32f405,usb-id=2e3c:df11", "stm32f405,rom-id=1",
        "stm32f405,clr-status=stalls", "gd32vf103,variant=1", "at32f415,unprotect=idle-resets",
        "stm32wb30,ob-read=0", "stm32wb30,secure-read=refused", "stm32wb30,secure-read=content",
        "stm32h723,layout=@Internal Flash  /0x08000000/16*128Kg"}) {
    specs.emplace_back(more);
  }
  return specs;
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::ranges::replace_if(
      name, [](char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Lines, EveryRom, testing::ValuesIn(every_rom()), test_name);

/// What must hold after `image` was programmed over `before`: the image, blank in the rest of its
/// sectors, and nothing else touched.
void expect_exactly(Bench& bench, const stm32::Chip& chip, const image::Image& image,
                    const Bytes& before) {
  EXPECT_TRUE(bench.holds(image));
  const Bytes after = bench.flash(chip.flash());
  const std::uint64_t end = image.bounds().end - kBase;
  const auto sectors = chip.flash_map().sectors(image.bounds());
  const std::uint64_t sectors_end = sectors.back().end - kBase;
  EXPECT_TRUE(std::all_of(after.begin() + static_cast<long>(end),
                          after.begin() + static_cast<long>(sectors_end),
                          [&](std::uint8_t b) { return b == chip.erased_value; }));
  EXPECT_TRUE(std::equal(after.begin() + static_cast<long>(sectors_end), after.end(),
                         before.begin() + static_cast<long>(sectors_end)));
}

TEST_P(EveryRom, WritesExactlyTheImageAndNothingElse) {
  for (const char* keys :
       {",fill=noise", ",fill=noise,held=1", ",fill=noise,held=0", ",fill=noise,held=strict",
        ",fill=noise,held=later,poll=datasheet,times=max", ",fill=noise,poll=0",
        ",fill=noise,poll=100", ",fill=noise,block-address=wlength", ",fill=noise,pointer=reset",
        ",fill=noise,rom-read=0"}) {
    SCOPED_TRACE(keys);
    for (const std::size_t size : {std::size_t{10}, std::size_t{2049}, some_sectors()}) {
      SCOPED_TRACE(size);
      Bench bench(spec(keys));
      const Bytes before = bench.flash(all());
      const auto image = make_program(kBase, size);
      const auto outcome = bench.program(image);
      ASSERT_TRUE(outcome) << message(outcome.error());
      EXPECT_TRUE(outcome->proven);
      expect_exactly(bench, data(), image, before);
    }
  }
}

TEST_P(EveryRom, ComparesFirstAndWritesWhatDiffers) {
  Bench bench(spec(",fill=noise"));
  const Bytes before = bench.flash(all());
  const auto image = make_program(kBase, some_sectors());
  ASSERT_TRUE(bench.update(image));
  expect_exactly(bench, data(), image, before);

  const auto operations = bench.chip().operations().count();
  const auto again = bench.update(image);
  ASSERT_TRUE(again) << message(again.error());
  EXPECT_TRUE(again->proven);
  EXPECT_EQ(again->bytes_verified, bench.plan.bytes_to_verify());
  EXPECT_EQ(bench.chip().operations().count(), operations) << "nothing was to be done";

  Bytes changed = image.segments().front().data;
  changed.back() ^= 0x55;
  image::Image other;
  ASSERT_TRUE(other.insert(kBase, changed));
  const auto one = bench.update(other);
  ASSERT_TRUE(one) << message(one.error());
  expect_exactly(bench, data(), other, before);
  EXPECT_LE(bench.plan.erase.size(), 2U) << "that of the vectors and that of the change";
}

TEST_P(EveryRom, ABlankChipNeedsHardlyAnyErase) {
  Bench bench(spec());
  const auto image = make_program(kBase, some_sectors());
  const auto outcome = bench.update(image);
  ASSERT_TRUE(outcome) << message(outcome.error());
  EXPECT_TRUE(bench.holds(image));
  // The sector of the vector table, and the end of the blank row, which an erase that was cut short
  // may have left.
  EXPECT_LE(bench.chip().operations().erase_count(), 2U);
}

TEST_P(EveryRom, TheWholeFlash) {
  if (data().flash_size_max > 512 * 1024) GTEST_SKIP() << "the same code, only slower";
  Bench bench(spec(",fill=noise"));
  const auto image = make_program(kBase, data().flash_size_max);
  const auto outcome = bench.update(image);
  ASSERT_TRUE(outcome) << message(outcome.error());
  EXPECT_TRUE(bench.holds(image));
  EXPECT_TRUE(outcome->proven);
}

TEST_P(EveryRom, AMassEraseThatDoesNotWorkIsNeverADone) {
  for (const char* mass : {"refused", "ignored", "half", "works"}) {
    SCOPED_TRACE(mass);
    Bench bench(spec(fmt::format(",fill=noise,mass-erase={}", mass)));
    const auto image = make_program(kBase, some_sectors());
    const auto outcome = bench.program(image, {.may_wipe = true});
    EXPECT_FALSE(outcome && outcome->proven && !bench.holds(image));
    EXPECT_TRUE(outcome || std::string_view(mass) != "works");
    const auto again = bench.update(image);
    EXPECT_TRUE(again) << message(again.error());
    EXPECT_TRUE(bench.holds(image));
  }
}

TEST_P(EveryRom, SilentWriteProtectionIsNeverADone) {
  Bench bench(spec(",fill=noise,wrp=1"));
  const auto image = make_program(kBase, some_sectors());
  const auto outcome = bench.program(image);
  ASSERT_FALSE(outcome);
  EXPECT_FALSE(bench.holds(image));
  Bench first(spec(",fill=noise,wrp=0"));
  ASSERT_FALSE(first.program(image));
  EXPECT_EQ(first.chip().operations().count(), 0U) << "found out with the first sector";
}

TEST_P(EveryRom, ReadProtectionStopsBeforeAnythingIsChanged) {
  for (const char* keys : {",fill=noise,rdp=1", ",fill=noise,rdp=1,rdp-at=set-address"}) {
    Bench bench(spec(keys));
    ASSERT_FALSE(bench.program(make_program(kBase, 1000)));
    EXPECT_EQ(bench.chip().operations().count(), 0U);
  }
}

TEST_P(EveryRom, ImagesThatDoNotFitAreRefusedBeforeAnythingIsChanged) {
  Bench bench(spec(",fill=noise"));
  const auto refused = [&](Errc code, const image::Image& image) {
    const auto outcome = bench.program(image);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, code) << message(outcome.error());
    EXPECT_EQ(bench.chip().operations().count(), 0U);
  };
  refused(Errc::OutsideMemory, make_program(kBase, data().flash_size_max + 1));
  refused(Errc::EmptyImage, {});
  if (!data().starts_by_vector_table) return;
  image::Image moved;
  const auto program = make_program(kBase + 0x4000, 4000);
  ASSERT_TRUE(moved.insert(kBase, program.segments().front().data));
  refused(Errc::WrongBase, moved);
}

TEST_P(EveryRom, SparseImagesLeaveTheSectorsBetweenAlone) {
  Bench bench(spec(",fill=noise"));
  const auto sectors = data().flash_map().sectors(usable());
  ASSERT_GE(sectors.size(), 4U);
  auto image = make_program(kBase, 100);
  ASSERT_TRUE(image.insert(static_cast<std::uint32_t>(sectors[2].begin + 3), Bytes(5, 0x42)));
  ASSERT_TRUE(image.insert(static_cast<std::uint32_t>(usable().end - 1), Bytes(1, 0x17)));
  const Bytes between = bench.flash(sectors[1]);
  const auto outcome = bench.program(image);
  ASSERT_TRUE(outcome) << message(outcome.error());
  EXPECT_TRUE(bench.holds(image));
  EXPECT_EQ(bench.flash(sectors[1]), between);
}

TEST_P(EveryRom, VectorsFirstErasedAndLastWritten) {
  Bench bench(spec(",fill=noise"));
  ASSERT_TRUE(bench.program(make_program(kBase, some_sectors())));
  EXPECT_EQ(bench.plan.erase.front(), AddressRange::sized(kBase, first_sector()));
  EXPECT_EQ(bench.plan.write.back(), bench.plan.commit);
  EXPECT_EQ(bench.plan.commit.begin, kBase);
  const std::uint64_t unit = std::max(data().program_unit, data().write_alignment);
  for (const AddressRange& run : bench.plan.write) {
    EXPECT_EQ(run.begin % unit, 0U);
    EXPECT_EQ(run.end % unit, 0U);
  }
}

TEST_P(EveryRom, StartsWhatWasProgrammed) {
  Bench bench(spec());
  Bytes bytes = make_program(kBase, 1000).segments().front().data;
  store_le32(bytes, 0, static_cast<std::uint32_t>(bench.chip().description().ram.end));
  image::Image image;
  ASSERT_TRUE(image.insert(kBase, bytes));
  ASSERT_TRUE(bench.program(image));
  ASSERT_TRUE(bench.run<void>(
      [](const update::Target& target) -> Result<Task<>> { return update::start(target, kBase); }));
  bench.device().usb().advance_to(bench.device().usb().now() + 1s);
  EXPECT_EQ(bench.device().application(), kBase);
}

TEST_P(EveryRom, WhateverInterruptsItTheSameCommandFinishes) {
  const auto image = make_program(kBase, std::min<std::size_t>(some_sectors(), 3000));
  for (const char* kind : {"stall", "timeout", "garbage", "disconnect", "reset"}) {
    for (int n = 3; n < 90; n += 7) {
      SCOPED_TRACE(fmt::format("{}@{}", kind, n));
      Bench bench(spec(fmt::format(",fill=noise,fault={}@{}", kind, n)));
      const Bytes before = bench.flash(all());
      const auto outcome = bench.update(image);
      EXPECT_FALSE(outcome && outcome->proven && !bench.holds(image)) << "a wrong done";
      bench.device().power_cycle();
      const auto again = bench.update(image);
      ASSERT_TRUE(again) << message(again.error());
      const Bytes after = bench.flash(all());
      const std::uint64_t end = data().flash_map().sectors(image.bounds()).back().end - kBase;
      EXPECT_TRUE(bench.holds(image));
      EXPECT_TRUE(std::equal(after.begin() + static_cast<long>(end), after.end(),
                             before.begin() + static_cast<long>(end)));
    }
  }
}

TEST_P(EveryRom, APowerCutNeverLeavesHalfAnApplicationThatStarts) {
  const auto image = make_program(kBase, std::min<std::size_t>(some_sectors(), 3000));
  Bench healthy(spec(",fill=app"));
  ASSERT_TRUE(healthy.update(image));
  const auto operations = healthy.chip().operations().count();
  for (const char* kind : {"cut-before", "cut-during", "cut-after"}) {
    for (std::uint64_t n = 1; n < operations; n += 1 + operations / 11) {
      SCOPED_TRACE(fmt::format("{}@{}", kind, n));
      Bench bench(spec(fmt::format(",fill=app,seed={},fault={}@{}", n, kind, n)));
      const auto outcome = bench.update(image);
      EXPECT_FALSE(outcome && !bench.holds(image));
      Bytes reset(4);
      ASSERT_TRUE(bench.chip().read(kBase + 4, reset));
      EXPECT_TRUE(bench.holds(image) || load_le32(reset) != kBase + 9);
      bench.device().power_cycle();
      const auto again = bench.update(image);
      ASSERT_TRUE(again) << message(again.error());
      EXPECT_TRUE(bench.holds(image));
    }
  }
}

TEST_P(EveryRom, LiesNeverMakeUsSayDone) {
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    const char* const lies[] = {"drop-write@3",    "flip-bit@7",       "skip-erase@0-1",
                                "drop-write@2-60", "status-ok+random", "flip-bit@0+skip-erase@1"};
    const char* lie = lies[seed % std::size(lies)];
    SCOPED_TRACE(fmt::format("seed={} {}", seed, lie));
    Bench bench(spec(fmt::format(",fill=noise,seed={},fault={}", seed, lie)));
    const auto image = make_program(kBase, 200 + 97 * seed, seed);
    const auto outcome = seed % 2 == 0 ? bench.update(image) : bench.program(image);
    EXPECT_FALSE(outcome && outcome->proven && !bench.holds(image));
  }
}

TEST_P(EveryRom, IsIdentifiedAsItselfAmongTheCandidates) {
  for (const char* keys : {"", ",rom-read=0"}) {
    SCOPED_TRACE(keys);
    Bench bench(spec(keys));
    const auto target = bench.identified();
    ASSERT_TRUE(target);
    if (target->chip_source == update::ChipSource::ProductString) {
      EXPECT_EQ(target->chip, &data());
      continue;
    }
    if (target->candidates.empty()) {
      EXPECT_EQ(target->chip, &data()) << "a clone shows the product string of its model";
    } else {
      EXPECT_NE(std::ranges::find(target->candidates, &data()), target->candidates.end());
      EXPECT_EQ(target->chip != nullptr, target->candidates.size() == 1);
    }
    EXPECT_GE(target->write_unit(), std::max(data().program_unit, data().write_alignment));
    EXPECT_EQ(target->erased_value(), data().erased_value);
    if (target->chip != nullptr) {
      EXPECT_NE(target->title().find("likely"), std::string::npos) << "a guess says so";
    }
  }
}

TEST_P(EveryRom, VerifyFindsOneOtherByteAndReadReadsWhatIsThere) {
  Bench bench(spec(",fill=noise"));
  const auto image = make_program(kBase, some_sectors());
  ASSERT_TRUE(bench.program(image));
  const auto verify = [&](const image::Image& expected) {
    bench.seen = {};
    return bench.run<update::Outcome>(
        [&](const update::Target& target) -> Result<Task<update::Outcome>> {
          return update::verify(target, expected, bench.seen);
        });
  };
  const auto equal = verify(image);
  ASSERT_TRUE(equal) << message(equal.error());
  EXPECT_EQ(equal->bytes_verified, image.size());

  Bytes bytes = image.segments().front().data;
  bytes.back() ^= 0x10;
  image::Image other;
  ASSERT_TRUE(other.insert(kBase, bytes));
  const auto differs = verify(other);
  ASSERT_FALSE(differs);
  EXPECT_EQ(differs.error().code, Errc::VerifyMismatch);
  ASSERT_EQ(bench.seen.differences.size(), 1U);
  EXPECT_EQ(bench.seen.differences.front(), AddressRange::sized(kBase + image.size() - 1, 1));

  const AddressRange odd{kBase + 3, kBase + image.size() - 5};
  const auto read = bench.run<Bytes>([&](const update::Target& target) -> Result<Task<Bytes>> {
    return update::read(target, odd);
  });
  ASSERT_TRUE(read) << message(read.error());
  EXPECT_EQ(*read, bench.flash(odd));
}

TEST_P(EveryRom, ErasesTheSectorsAndNothingElse) {
  Bench bench(spec(",fill=noise"));
  const Bytes before = bench.flash(all());
  const auto sectors = data().flash_map().sectors(usable());
  const auto erased = bench.run<update::Outcome>(
      [&](const update::Target& target) -> Result<Task<update::Outcome>> {
        return update::erase(target, {sectors[1], sectors[sectors.size() - 1]}, bench.seen);
      });
  ASSERT_TRUE(erased) << message(erased.error());
  EXPECT_TRUE(erased->proven);
  Bytes expected = before;
  for (const AddressRange& sector : {sectors[1], sectors[sectors.size() - 1]}) {
    std::fill_n(expected.begin() + static_cast<long>(sector.begin - kBase), sector.size(),
                data().erased_value);
  }
  EXPECT_EQ(bench.flash(all()), expected);
}

TEST_P(EveryRom, WordWideOnlyWhereItIsDocumented) {
  Bench bench(spec(",fill=noise"));
  const auto image = make_program(kBase, 20'000);
  const auto usual = bench.program(image);
  ASSERT_TRUE(usual);
  const Duration before = usual->write_time;
  const auto wide = bench.program(image, {.width = stm32::ProgramWidth::Word});
  if (!data().has(proto::kByteProgramming)) {
    ASSERT_FALSE(wide);
    EXPECT_EQ(wide.error().code, Errc::Unsupported);
    return;
  }
  ASSERT_TRUE(wide) << message(wide.error());
  EXPECT_TRUE(bench.holds(image));
  EXPECT_LT(wide->write_time, before / 2);
}

}  // namespace
}  // namespace sureflash::scenarios
