// Goal: the planner takes a device's own words for its size and bears one that erases everything; a
// guess is called one, in words. Method: an F105, which shows its size and its name, ST's example,
// and clones. What holds for every ROM is in every_rom/.

#include "scenario.hpp"
#include <fmt/format.h>

namespace sureflash::scenarios {
namespace {

constexpr std::uint32_t kBase = 0x08000000;

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

TEST(Waiting, AHoldingRomIsKnownByItsErasesWhereWritesAreShort) {
  // 2 KiB word by word take 8 ms: over before the first question is answered.
  const auto image = make_program(kBase, 128 * 1024);
  Bench holds("stm32f405,fill=noise,poll=100");
  ASSERT_TRUE(holds.program(image, {.width = stm32::ProgramWidth::Word}));
  Bench answers("stm32f405,fill=noise,poll=100,held=0");
  ASSERT_TRUE(answers.program(image, {.width = stm32::ProgramWidth::Word}));
  EXPECT_GT(answers.took, 64 * 100ms) << "bwPollTimeout is honoured";
  EXPECT_LT(holds.took * 2, answers.took);
}

TEST(Waiting, OneEraseAndOneShortWriteAreEnough) {
  // A new chip: only the guard is erased.
  const auto image = make_program(kBase, 128 * 1024);
  const update::PlanOptions options{.new_chip = true, .width = stm32::ProgramWidth::Word};
  Bench holds("stm32f405,poll=100");
  ASSERT_TRUE(holds.update(image, options));
  Bench answers("stm32f405,poll=100,held=0");
  ASSERT_TRUE(answers.update(image, options));
  EXPECT_GT(answers.took, 64 * 100ms) << "bwPollTimeout is honoured";
  EXPECT_LT(holds.took * 2, answers.took);
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

}  // namespace
}  // namespace sureflash::scenarios
