// Goal: each quirk that the host acts upon is needed: without it, the same job on the same virtual
// ROM goes wrong, and never ends in a false "done". Method: a copy of the chip's line with and
// without the quirk is given as --chip, or as the lines to choose from; the ROM keeps its
// behaviour. What only the ROM does, and a careful host bears without being told, is in
// rom_quirks_test.cpp.

#include "scenario.hpp"

#include "sureflash/update/protection.hpp"

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

/// The same identification with lines that lack a quirk: who is it taken for?
std::vector<std::string_view> taken_for(const std::string& spec, std::uint32_t taken_away) {
  std::vector<stm32::Chip> lines(stm32::chips().begin(), stm32::chips().end());
  for (stm32::Chip& line : lines) line.quirks &= ~taken_away;
  Bench bench(spec);
  bench.identify.lines = lines;
  std::vector<std::string_view> names;
  const auto target = bench.identified();
  EXPECT_TRUE(target) << message(target.error());
  if (!target) return names;
  if (target->chip != nullptr) return {target->chip->name};
  for (const stm32::Chip* chip : target->candidates) names.push_back(chip->name);
  return names;
}

bool among(const std::vector<std::string_view>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

TEST(Quirk, TransferSize1024) {
  // A C55x has 64 sectors of 8 KiB as well, but would announce 1024.
  const char* wba2 = "stm32wba2x,rom-read=0";
  EXPECT_FALSE(among(taken_for(wba2, 0), "stm32c551"));
  EXPECT_TRUE(among(taken_for(wba2, proto::kTransferSize1024), "stm32c551"));
  EXPECT_TRUE(among(taken_for("stm32c551,rom-read=0", 0), "stm32c551"));
}

Result<update::AfterReset> unprotect(Bench& bench, bool forget_commands) {
  update::Target changed;
  return bench.run<update::AfterReset>(
      [&](const update::Target& target) -> Result<Task<update::AfterReset>> {
        changed = target;
        if (forget_commands) changed.commands.clear();
        return update::remove_read_protection(changed);
      });
}

TEST(Quirk, NoReadUnprotect) {
  // Identified by it: Get of an H5 lists 00 21 41.
  EXPECT_TRUE(among(taken_for("stm32h523,rom-read=0", 0), "stm32h523"));
  EXPECT_FALSE(among(taken_for("stm32h523,rom-read=0", proto::kNoReadUnprotect), "stm32h523"));
  // Refused by name, with the evidence, before anything is sent.
  Bench bench("stm32h523,fill=app");
  const stm32::Chip with = line_of("stm32h523");
  bench.identify.chip = &with;
  const auto refused = unprotect(bench, false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::Unsupported);
  EXPECT_NE(message(refused.error()).find("STM32H523"), std::string::npos);
  EXPECT_NE(message(refused.error()).find("00 21 41"), std::string::npos);
  // Where Get gave no answer, only the table knows.
  const auto by_table = unprotect(bench, true);
  ASSERT_FALSE(by_table);
  EXPECT_EQ(by_table.error().code, Errc::Unsupported);
  const stm32::Chip without = line_of("stm32h523", proto::kNoReadUnprotect);
  bench.identify.chip = &without;
  const auto sent = unprotect(bench, true);
  ASSERT_TRUE(sent) << "a command that the ROM does not have, taken for one that was obeyed";
  EXPECT_EQ(*sent, update::AfterReset::Gone);
}

constexpr std::uint32_t kEeprom = 0x08080000;

image::Image eeprom_image(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i % 7 * 0x1D);
  image::Image image;
  EXPECT_TRUE(image.insert(kEeprom, bytes));
  return image;
}

TEST(Quirk, DataEeprom) {
  for (const char* name : {"stm32l072", "stm32l1xxxc"}) {
    SCOPED_TRACE(name);
    EXPECT_TRUE(among(taken_for(std::string(name) + ",rom-read=0", 0), name));
    EXPECT_FALSE(among(taken_for(std::string(name) + ",rom-read=0", proto::kDataEeprom), name));

    Bench with(std::string(name) + ",fill=noise");
    const Bytes flash = with.flash(stm32::find_chip(name)->flash());
    const auto first = eeprom_image(3000);
    const auto done = with.update(first);
    ASSERT_TRUE(done) << message(done.error());
    EXPECT_TRUE(done->proven);
    EXPECT_TRUE(with.holds(first));
    // Over what is there: the ROM erases as it writes. What the image does not name stays.
    image::Image second;
    ASSERT_TRUE(second.insert(kEeprom + 1024, Bytes(64, 0x00)));
    ASSERT_TRUE(with.program(second));
    EXPECT_TRUE(with.holds(second));
    EXPECT_EQ(with.flash({kEeprom + 1088, kEeprom + 3000}),
              Bytes(first.segments()[0].data.begin() + 1088, first.segments()[0].data.end()));
    EXPECT_EQ(with.flash(stm32::find_chip(name)->flash()), flash) << "the flash is another memory";
    const auto operations = with.chip().operations().count();
    ASSERT_TRUE(with.update(second));
    EXPECT_EQ(with.chip().operations().count(), operations) << "it is there already";

    const stm32::Chip chip = line_of(name, proto::kDataEeprom);
    Bench without(std::string(name) + ",fill=noise");
    without.identify.chip = &chip;
    const auto refused = without.update(first);
    ASSERT_FALSE(refused) << "wrongly: nobody can erase it, but nobody has to";
    EXPECT_EQ(refused.error().code, Errc::NotErasable);
  }
}

TEST(Quirk, DataEepromTogetherWithFlashIsRefusedByName) {
  Bench bench("stm32l072,fill=noise");
  image::Image image = make_program(kBase, 3000);
  ASSERT_TRUE(image.insert(kEeprom, Bytes(16, 0x11)));
  const auto refused = bench.program(image);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::NotForThisDevice);
  EXPECT_NE(message(refused.error()).find("DATA Memory"), std::string::npos);
  image::Image odd;
  ASSERT_TRUE(odd.insert(kEeprom + 3, Bytes(16, 0x11)));
  const auto misaligned = bench.program(odd);
  ASSERT_FALSE(misaligned);
  EXPECT_EQ(misaligned.error().code, Errc::Misaligned) << "padding would wipe the neighbours";
  EXPECT_EQ(bench.chip().operations().count(), 0U);
}

TEST(Quirk, HighSpeedUsb) {
  // What the planner says of the time to read back, beside the time that it takes.
  const auto error_in_percent = [](std::uint32_t taken_away) {
    const stm32::Chip chip = line_of("stm32u595", taken_away);
    Bench bench("stm32u595,fill=noise,times=min");
    EXPECT_EQ(bench.device().usb().speed(), sim::Speed::Full) << "nothing is attached yet";
    bench.identify.chip = &chip;
    const auto outcome = bench.program(make_program(kBase, 200'000));
    EXPECT_TRUE(outcome && outcome->proven);
    EXPECT_EQ(bench.device().usb().speed(), sim::Speed::High);
    const auto took = outcome ? outcome->verify_time : 1h;
    return 100 * (bench.plan.estimate.verify - took) / took;
  };
  EXPECT_LT(std::abs(error_in_percent(0)), 30);
  EXPECT_GT(error_in_percent(proto::kHighSpeedUsb), 200);
  EXPECT_EQ(Bench("stm32u575").device().usb().speed(), sim::Speed::Full);
}

TEST(Quirk, WirelessStackOnTop) {
  // 0xC0: pages from 0x080C0000 on are the stack's. Option bytes: RM0434, FLASH_SFR.
  const char* spec = "stm32wb30,fill=noise,sfsa=192";
  image::Image image = make_program(kBase, 10'000);
  ASSERT_TRUE(image.insert(0x080C0000, Bytes(4096, 0x3C)));
  const auto refused_with = [&](const char* device, std::uint32_t taken_away) {
    const stm32::Chip chip = line_of("stm32wb30", taken_away);
    Bench bench(device);
    bench.identify.chip = &chip;
    const auto outcome = bench.program(image);
    EXPECT_FALSE(outcome) << "never a false done";
    EXPECT_TRUE(bench.program(make_program(kBase, 10'000))) << "below it is no trouble";
    return std::pair(outcome ? std::optional<Errc>() : outcome.error().code,
                     outcome ? std::string() : message(outcome.error()));
  };
  const auto [code, words] = refused_with(spec, 0);
  EXPECT_EQ(code, Errc::OutsideMemory);
  EXPECT_NE(words.find("SFSA is 0xC0 in the option bytes at 0x1FFF8070"), std::string::npos)
      << words;
  // Not known, or not to be read: found out by trial, when the flash has been changed.
  EXPECT_EQ(refused_with(spec, proto::kWirelessStackOnTop).first, Errc::VerifyMismatch);
  const std::string unreadable = std::string(spec) + ",ob-read=0";
  for (const char* secure :
       {",secure-read=zeros", ",secure-read=refused", ",secure-read=content"}) {
    SCOPED_TRACE(secure);
    const auto found = refused_with((unreadable + secure).c_str(), 0).first;
    EXPECT_TRUE(found);
    EXPECT_NE(found, Errc::OutsideMemory);
  }
}

TEST(Quirk, WirelessStackIsLeftAloneByEverything) {
  Bench bench("stm32wb30,fill=noise,sfsa=192");
  const AddressRange stack{0x080C0000, 0x08100000};
  EXPECT_EQ(bench.chip().secure_flash(), stack);
  const Bytes before = bench.flash(stack);
  const auto erased = bench.run<update::Outcome>(
      [&](const update::Target& target) -> Result<Task<update::Outcome>> {
        return update::erase_all(target, bench.seen);
      });
  ASSERT_TRUE(erased) << message(erased.error());
  EXPECT_TRUE(erased->proven) << "what is below it is blank";
  EXPECT_EQ(bench.flash(stack), before);
  EXPECT_EQ(bench.flash({kBase, 0x080C0000}), Bytes(0xC0000, 0xFF));
  // Option bytes that say otherwise are not obeyed.
  Bytes options(bench.chip().option_bytes().begin(), bench.chip().option_bytes().end());
  options[proto::kWbSfsaOffset] = 0xFF;
  options[proto::kWbSfsaOffset + 4] = 0x00;
  EXPECT_EQ(bench.chip().write_option_block(options).outcome, sim::FlashOutcome::Ok);
  bench.chip().reset();
  EXPECT_EQ(bench.chip().secure_flash(), stack);
  // FSD: no part of the flash is secure. A damaged complement: nobody knows.
  options[proto::kWbSfsaOffset] = 0xC0;
  options[proto::kWbSfsaOffset + 1] |= 1;
  options[proto::kWbSfsaOffset + 4] = 0x3F;
  options[proto::kWbSfsaOffset + 5] &= 0xFE;
  bench.chip().load_option_bytes(options);
  EXPECT_TRUE(bench.chip().secure_flash().empty());
  EXPECT_TRUE(bench.program(make_program(0x080C0000, 5000)));
  options[proto::kWbSfsaOffset + 4] = 0x11;
  bench.chip().load_option_bytes(options);
  const auto target = bench.identified();
  ASSERT_TRUE(target);
  EXPECT_TRUE(target->flash()->corrected.empty());
  EXPECT_FALSE(target->warnings.empty());
}

/// What a ROM gives for it is not known. Where the host cannot know where it begins, it says that.
TEST(Quirk, WirelessStackIsNotReadUnawares) {
  const AddressRange stack{0x080C0000, 0x08100000};
  const auto read = [&](Bench& bench) {
    return bench.run<Bytes>([&](const update::Target& target) -> Result<Task<Bytes>> {
      return update::read(target, stack);
    });
  };
  const auto is_warned = [](Bench& bench) {
    const auto target = bench.identified();
    return target && std::ranges::any_of(target->warnings, [](const std::string& warning) {
             return warning.find("where the wireless stack begins is not known") !=
                    std::string::npos;
           });
  };
  Bench known("stm32wb30,fill=noise,sfsa=192");
  EXPECT_FALSE(is_warned(known));
  const auto refused = read(known);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::OutsideMemory);
  EXPECT_NE(message(refused.error()).find("wireless stack: SFSA is 0xC0"), std::string::npos)
      << message(refused.error());

  for (const std::string_view secure : {"zeros", "refused", "content"}) {
    SCOPED_TRACE(secure);
    Bench hidden("stm32wb30,fill=noise,sfsa=192,ob-read=0,secure-read=" + std::string(secure));
    EXPECT_TRUE(is_warned(hidden));
    const auto bytes = read(hidden);
    ASSERT_EQ(bytes.has_value(), secure != "refused");
    if (!bytes) continue;
    EXPECT_EQ(*bytes, secure == "content" ? hidden.flash(stack) : Bytes(stack.size(), 0));
  }
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
