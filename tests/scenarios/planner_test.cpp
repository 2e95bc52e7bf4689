// Goal: of the ways to program, the cheapest that is allowed is taken, and time is neither wasted
// nor saved at the cost of a strict device. Method: plans as values; virtual time of whole runs;
// counts of operations on the chip.

#include "scenario.hpp"
#include <fmt/format.h>

namespace sureflash::scenarios {
namespace {

constexpr std::uint32_t kBase = 0x08000000;
constexpr std::size_t kF105Flash = 256 * 1024;

TEST(Planner, MassEraseOnlyWhereNothingIsLostOrTheUserAllowsIt) {
  Bench part("stm32f105,fill=noise");
  ASSERT_TRUE(part.program(make_program(kBase, 200 * 1024)));
  EXPECT_FALSE(part.plan.mass_erase);
  EXPECT_NE(part.plan.alternatives.back().reason.find("--may-wipe"), std::string::npos);
  ASSERT_TRUE(part.program(make_program(kBase, 200 * 1024, 2), {.may_wipe = true}));
  EXPECT_TRUE(part.plan.mass_erase);

  Bench whole("stm32f105,fill=noise");
  const auto image = make_program(kBase, kF105Flash);
  ASSERT_TRUE(whole.program(image));
  EXPECT_TRUE(whole.plan.mass_erase);
  EXPECT_TRUE(whole.holds(image));
  EXPECT_EQ(whole.chip().operations().erase_count(), 2U) << "the vectors first, then everything";
  EXPECT_TRUE(whole.plan.alternatives.front().chosen);
  EXPECT_LT(whole.plan.alternatives.front().estimate.total(),
            whole.plan.alternatives.back().estimate.total());
}

TEST(Planner, NoMassEraseWhereItIsSlowerUnreliableOrUnknown) {
  const auto reason = [](const char* spec, std::size_t size, const char* chip = "") {
    Bench bench(spec);
    bench.identify.chip = stm32::find_chip(chip);
    EXPECT_TRUE(bench.program(make_program(kBase, size), {.may_wipe = true})) << spec;
    EXPECT_FALSE(bench.plan.mass_erase) << spec;
    return bench.plan.alternatives.back().reason;
  };
  EXPECT_EQ(reason("stm32f105,fill=noise,times=min", 2000), "not faster");
  EXPECT_EQ(reason("stm32f405,fill=noise", 20'000), "not faster") << "16 s";
  EXPECT_NE(reason("stm32l1xxxc,fill=noise", 20'000, "stm32l152rc").find("missing or broken"),
            std::string::npos);
  EXPECT_EQ(reason("stm32u575,fill=noise", 20'000), "its time is not known for this chip");
}

/// A blank F405 may have been wiped half, and is wiped again; one from the factory is not. What is
/// not blank is erased all the same.
TEST(Planner, ANewChipIsNotErasedAgain) {
  constexpr std::size_t kSize = 1024 * 1024;
  const auto image = make_program(kBase, kSize);
  Bench careful("stm32f405");
  ASSERT_TRUE(careful.update(image));
  EXPECT_TRUE(careful.plan.mass_erase);
  Bench fresh("stm32f405");
  ASSERT_TRUE(fresh.update(image, {.new_chip = true}));
  EXPECT_FALSE(fresh.plan.mass_erase);
  EXPECT_EQ(fresh.chip().operations().erase_count(), 1U) << "the guard, for the trial";
  EXPECT_TRUE(fresh.holds(image));
  ASSERT_TRUE(fresh.update(make_program(kBase, kSize, 2), {.new_chip = true}));
  EXPECT_TRUE(fresh.holds(make_program(kBase, kSize, 2)));
}

/// A program of which one page is new and the rest old must not start.
TEST(Planner, WhateverChangesTheVectorTableIsTakenAwayFirstAndComesBackLast) {
  constexpr std::uint32_t kPage = 2048;
  Bench bench("stm32f105,fill=noise");
  const auto old = make_program(kBase, 20 * kPage);
  ASSERT_TRUE(bench.program(old));
  const std::size_t erases = bench.chip().operations().erase_count();
  Bytes bytes = old.segments().front().data;
  bytes[10 * kPage] ^= 1;
  image::Image changed;
  ASSERT_TRUE(changed.insert(kBase, bytes));
  ASSERT_TRUE(bench.update(changed));
  EXPECT_TRUE(bench.holds(changed));
  EXPECT_EQ(bench.chip().operations().erase_count() - erases, 2U);
  ASSERT_EQ(bench.plan.erase.size(), 2U);
  EXPECT_EQ(bench.plan.erase.front(), AddressRange::sized(kBase, kPage));
  EXPECT_EQ(bench.plan.write.back(), AddressRange::sized(kBase, 8));
}

TEST(Planner, EstimatesAreWhatItTakes) {
  for (const char* spec : {"stm32f105,fill=noise,poll=datasheet", "stm32f405,fill=noise",
                           "stm32g431,fill=noise", "stm32l072,fill=noise"}) {
    SCOPED_TRACE(spec);
    Bench bench(spec);
    const auto outcome = bench.program(make_program(kBase, 60'000));
    ASSERT_TRUE(outcome);
    ASSERT_TRUE(bench.plan.estimate.known);
    const auto expect_near = [](Duration expected, Duration actual) {
      EXPECT_GT(actual * 10, expected * 8);
      EXPECT_LT(actual * 10, expected * 14);
    };
    expect_near(bench.plan.estimate.erase, outcome->erase_time);
    expect_near(bench.plan.estimate.write, outcome->write_time);
  }
}

TEST(Planner, ReadingIsGivenUpWhenItCannotPayOff) {
  Bench bench("stm32f105,fill=noise,poll=datasheet");
  const auto image = make_program(kBase, kF105Flash);
  const auto outcome = bench.update(image, {});
  ASSERT_TRUE(outcome);
  const auto other = make_program(kBase, kF105Flash, 7);
  const auto found =
      bench.run<update::Survey>([&](const update::Target& target) -> Result<Task<update::Survey>> {
        return update::survey(target, other, {});
      });
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->stopped);
  EXPECT_LT(found->took, 300ms) << "2 % of ten seconds, and one sector";
}

TEST(Planner, AnEraseThatWipesEverythingTakesWhatWasKeptWithIt) {
  // The example erases its whole memory at the first command: what was equal must be written again.
  Bench bench("st-f107-example");
  const auto image = make_program(0x08005000, 20'000);
  ASSERT_TRUE(bench.program(image));
  Bytes bytes = image.segments().front().data;
  bytes[15'000] ^= 1;
  image::Image changed;
  ASSERT_TRUE(changed.insert(0x08005000, bytes));
  const auto outcome = bench.update(changed);
  ASSERT_TRUE(outcome) << message(outcome.error());
  EXPECT_TRUE(bench.holds(changed));
  EXPECT_TRUE(bench.seen.erased_too_much);
}

TEST(Planner, TheFlashSizeRegisterGoesBeforeTheLayout) {
  Bench bench("stm32f105,flash=64,fill=noise");
  const auto outcome = bench.program(make_program(kBase, 65 * 1024));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::OutsideMemory) << "the layout says 256 KiB";
  EXPECT_EQ(bench.chip().operations().count(), 0U);
  EXPECT_TRUE(bench.program(make_program(kBase, 64 * 1024)));
}

TEST(Waiting, AHoldingRomIsPolledAtOnce) {
  // All announce 100 ms for everything; a page takes 30 ms and 54 ms.
  const auto image = make_program(kBase, 40 * 2048);
  Bench holds("stm32f105,fill=noise,poll=100");
  ASSERT_TRUE(holds.program(image));
  Bench answers("stm32f105,fill=noise,poll=100,held=0");
  ASSERT_TRUE(answers.program(image));
  EXPECT_GT(answers.took, 80 * 100ms) << "bwPollTimeout is honoured";
  EXPECT_LT(holds.took * 10, answers.took * 6);
}

TEST(Waiting, AStrictDeviceIsNeverStalled) {
  for (const char* poll : {"20", "100", "datasheet", "0"}) {
    SCOPED_TRACE(poll);
    Bench bench(fmt::format("stm32f105,fill=noise,held=strict,poll={}", poll));
    const auto image = make_program(kBase, 20 * 2048);
    const auto outcome = bench.update(image);
    ASSERT_TRUE(outcome) << message(outcome.error());
    EXPECT_TRUE(bench.holds(image));
  }
}

TEST(Waiting, AnnouncementsThatAreTooShortDoNoHarm) {
  for (const char* held : {"0", "1", "later", "strict"}) {
    SCOPED_TRACE(held);
    Bench bench(fmt::format("stm32f105,fill=noise,times=max,poll=30,held={}", held));
    const auto image = make_program(kBase, 10 * 2048);
    const auto outcome = bench.update(image);
    ASSERT_TRUE(outcome) << message(outcome.error());
    EXPECT_TRUE(bench.holds(image));
  }
}

TEST(Identify, ACandidateIsNeverCalledCertain) {
  const auto title = [](const char* spec) {
    Bench bench(spec);
    const auto target = bench.identified();
    EXPECT_TRUE(target);
    return target->title();
  };
  EXPECT_EQ(title("stm32f105").find("likely"), std::string::npos) << "the ROM says it itself";
  EXPECT_NE(title("stm32f405").find("STM32F405/F407/F415/F417 (likely"), std::string::npos);
  EXPECT_NE(title("stm32f405,rom-read=0").find("--chip"), std::string::npos);
}

TEST(Identify, ACloneIsNeverCalledCertain) {
  for (const char* spec : {"stm32f105,usb-id=28e9:0189", "stm32f405,usb-id=2e3c:df11"}) {
    SCOPED_TRACE(spec);
    Bench bench(spec);
    const auto target = bench.identified();
    ASSERT_TRUE(target);
    EXPECT_NE(target->chip_source, update::ChipSource::ProductString);
    EXPECT_NE(target->title().find("likely a clone"), std::string::npos) << target->title();
  }
}

TEST(Identify, AChipThatDoesNotFitIsWorthAWarning) {
  Bench bench("stm32f405");
  bench.identify.chip = stm32::find_chip("stm32g431");
  const auto target = bench.identified();
  ASSERT_TRUE(target);
  EXPECT_EQ(target->chip, bench.identify.chip);
  ASSERT_FALSE(target->warnings.empty());
  EXPECT_NE(target->warnings.back().find("does not look like"), std::string::npos);
}

}  // namespace
}  // namespace sureflash::scenarios
