// Goal: each quirk that the host acts upon is needed: without it, the same job on the same virtual
// ROM goes wrong, and never ends in a false "done". Method: a copy of the chip's line with and
// without the quirk is given as --chip; the ROM keeps its behaviour. (What only the ROM does, and
// the host bears without being told, is in sim/model/test/st_rom_test.cpp and every_rom/.)

#include "scenario.hpp"

namespace sureflash::scenarios {
namespace {

constexpr std::uint32_t kBase = 0x08000000;

stm32::Chip line_of(std::string_view name, std::uint32_t quirks_taken_away = 0) {
  stm32::Chip chip = *stm32::find_chip(name);
  chip.quirks &= ~quirks_taken_away;
  return chip;
}

/// Programs with a mass erase allowed, on a line whose mass erase would be the quickest.
struct ByMassErase {
  ByMassErase(const char* spec, std::string_view name, std::uint32_t quirks_taken_away)
      : chip(line_of(name, quirks_taken_away)), bench(spec) {
    chip.mass_erase = {.min = 1us, .typ = 1us, .max = 1us};
    chip.times.mass_us = {.min = 1, .typ = 1, .max = 1};
    bench.identify.chip = &chip;
    image = make_program(kBase, 40'000);
    // Something in the second half, so that a half mass erase shows.
    EXPECT_TRUE(
        image.insert(static_cast<std::uint32_t>(chip.flash().end - 2048), Bytes(2048, 0xA5)));
    outcome = bench.program(image, {.may_wipe = true});
  }
  bool done() const { return outcome && outcome->proven; }

  stm32::Chip chip;
  Bench bench;
  image::Image image;
  Result<update::Outcome> outcome;
};

TEST(Quirk, MassEraseUnreliable) {
  ByMassErase with("stm32l1xxxc,fill=noise", "stm32l1xxxc", 0);
  EXPECT_TRUE(with.done());
  EXPECT_TRUE(with.bench.holds(with.image));
  ByMassErase without("stm32l1xxxc,fill=noise", "stm32l1xxxc", proto::kMassEraseUnreliable);
  EXPECT_TRUE(without.bench.plan.mass_erase) << without.bench.plan.alternatives.back().reason;
  EXPECT_FALSE(without.done());
}

TEST(Quirk, BankTwoEraseUnreliable) {
  ByMassErase with("stm32g0b1,fill=noise", "stm32g0b1", 0);
  EXPECT_TRUE(with.done());
  EXPECT_TRUE(with.bench.holds(with.image));
  ByMassErase without("stm32g0b1,fill=noise", "stm32g0b1", proto::kBankTwoEraseUnreliable);
  EXPECT_TRUE(without.bench.plan.mass_erase) << without.bench.plan.alternatives.back().reason;
  EXPECT_FALSE(without.done());
}

TEST(Quirk, LayoutSizeWrong) {
  const auto outside = [](std::uint32_t taken_away) {
    const stm32::Chip chip = line_of("stm32h723", taken_away);
    Bench bench("stm32h723,fill=noise,layout=@Internal Flash  /0x08000000/16*128Kg");
    bench.identify.chip = &chip;
    image::Image image = make_program(kBase, 5000);
    EXPECT_TRUE(image.insert(static_cast<std::uint32_t>(chip.flash().end), Bytes(32, 0x11)));
    EXPECT_FALSE(bench.program(image));
    return bench.chip().operations().count();
  };
  EXPECT_EQ(outside(0), 0U) << "refused before anything is changed";
  EXPECT_GT(outside(proto::kLayoutSizeWrong), 0U);
}

TEST(Quirk, ByteProgramming) {
  const auto program = [](std::uint32_t taken_away) {
    const stm32::Chip chip = line_of("stm32f405", taken_away);
    Bench bench("stm32f405");
    bench.identify.chip = &chip;
    return bench.program(make_program(kBase, 20'000), {.width = stm32::ProgramWidth::Word});
  };
  EXPECT_TRUE(program(0));
  const auto without = program(proto::kByteProgramming);
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().code, Errc::Unsupported);
}

/// Not flags, but figures of the same kind: what the ROM needs and does not say.
TEST(Quirk, WriteAlignment) {
  // L43x V9.1 spoils long writes whose length is no multiple of 8.
  for (const char* spec : {"stm32l432,fill=noise", "stm32g431,fill=noise"}) {
    SCOPED_TRACE(spec);
    stm32::Chip chip = line_of(std::string_view(spec).substr(0, 9));
    Bench with(spec);
    with.identify.chip = &chip;
    const auto image = make_program(kBase, 2048 + 300);
    EXPECT_TRUE(with.program(image));
    chip.write_alignment = 4;
    chip.program_unit = 4;
    Bench without(spec);
    without.identify.chip = &chip;
    const auto outcome = without.program(image);
    EXPECT_FALSE(outcome && outcome->proven);
  }
}

TEST(Quirk, ErasedValue) {
  const auto erases = [](std::uint8_t erased_value) {
    stm32::Chip chip = line_of("stm32l072");
    chip.erased_value = erased_value;
    Bench bench("stm32l072");
    bench.identify.chip = &chip;
    const auto outcome = bench.update(make_program(kBase, 3000));
    // A program that is not proven counts as one that erased for ever.
    return outcome && outcome->proven ? bench.chip().operations().erase_count() : SIZE_MAX;
  };
  EXPECT_LE(erases(0x00), 2U) << "blank is known as blank";
  EXPECT_GT(erases(0xFF), 20U);
}

TEST(Quirk, WirelessStackOnTop) {
  // WB: erase and write there fail silently (SFSA); the host cannot see where it begins.
  Bench bench("stm32wb30,fill=noise,wrp=200-255");
  image::Image image = make_program(kBase, 10'000);
  const auto flash = stm32::find_chip("stm32wb30")->flash();
  ASSERT_TRUE(image.insert(static_cast<std::uint32_t>(flash.end - 4096), Bytes(4096, 0x3C)));
  const auto outcome = bench.program(image);
  ASSERT_FALSE(outcome) << "never a false done";
  EXPECT_EQ(outcome.error().code, Errc::VerifyMismatch) << message(outcome.error());
  EXPECT_TRUE(bench.program(make_program(kBase, 10'000))) << "below it is no trouble";
}

/// What candidates are told apart by, as documents and device logs have it, and not as our table
/// has it: the table is on both sides of the wire.
class Candidates : public testing::Test {
 protected:
  static std::vector<std::string_view> of(const std::string& spec) {
    Bench bench(spec);
    const auto target = bench.identified();
    EXPECT_TRUE(target) << message(target.error());
    std::vector<std::string_view> names;
    if (target->chip != nullptr) return {target->chip->name};
    for (const stm32::Chip* chip : target->candidates) names.push_back(chip->name);
    return names;
  }
  static bool has(const std::vector<std::string_view>& names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
  }
};

TEST_F(Candidates, AWrongSizeInTheLayoutStringIsForgivenWhereItIsKnown) {
  // AN2606: V9.1 of H72x states a wrong size; twice as much, say.
  EXPECT_TRUE(
      has(of("stm32h723,layout=@Internal Flash  /0x08000000/16*128Kg,rom-read=0"), "stm32h723"));
  EXPECT_FALSE(
      has(of("stm32f722,layout=@Internal Flash  /0x08000000/16*128Kg,rom-read=0"), "stm32f722"));
}

TEST_F(Candidates, CommandsTransferSizeAndMemoriesCount) {
  // H5: Get answers 00 21 41. C5: wTransferSize 1024. L0, L1: data EEPROM at 0x08080000.
  for (const char* h5 : {"stm32h503", "stm32h562", "stm32h523"}) {
    EXPECT_TRUE(has(of(std::string(h5) + ",rom-read=0"), h5)) << h5;
  }
  EXPECT_TRUE(has(of("stm32c591,rom-read=0"), "stm32c591"));
  for (const auto name : of("stm32wba62,rom-read=0")) {
    EXPECT_FALSE(name.starts_with("stm32c5")) << "it would announce 1024";
  }
  const auto l0 = of("stm32l072,rom-read=0");
  for (const auto name : l0) {
    EXPECT_TRUE(name.starts_with("stm32l0") || name.starts_with("stm32l1")) << name;
  }
}

}  // namespace
}  // namespace sureflash::scenarios
