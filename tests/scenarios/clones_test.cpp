// Goal: parts of other makers are identified, programmed, proven and started as what they are;
// never called an STM32, let alone with certainty; false layouts are put right from a source that
// is named, and nothing outside the real flash is touched. Method: virtual ROMs after device logs
// (GD32VF103 of both loaders, AT32F415, F405, F403A, F437); the chip itself is the judge.

#include "scenario.hpp"
#include <fmt/format.h>

namespace sureflash::scenarios {
namespace {

constexpr std::uint32_t kBase = 0x08000000;
constexpr std::uint32_t kKib = 1024;

struct Clone {
  const char* spec;
  const char* title;
};
constexpr Clone kClones[] = {
    {"gd32vf103", "GD32VF103"},          {"gd32vf103,variant=1", "GD32VF103"},
    {"gd32vf103,flash=16", "GD32VF103"}, {"at32f415", "AT32F415"},
    {"at32f405", "AT32F402/F405"},       {"at32f403a", "AT32F403A/F407"},
    {"at32f437", "AT32F435/F437"}};

bool says(std::string_view text, std::string_view what) {
  return text.find(what) != std::string_view::npos;
}

bool any_says(const std::vector<std::string>& texts, std::string_view what) {
  return std::ranges::any_of(texts, [&](const std::string& text) { return says(text, what); });
}

TEST(Clone, IsNamedWithoutCertaintyAndIsNoStm32) {
  for (const Clone& clone : kClones) {
    SCOPED_TRACE(clone.spec);
    Bench bench(clone.spec);
    const auto target = bench.identified();
    ASSERT_TRUE(target) << message(target.error());
    EXPECT_EQ(target->loader, update::Loader::Clone);
    if (std::string_view(clone.spec) == "at32f405") {
      // A smaller AT32F403A has the same layout: nobody can tell.
      EXPECT_EQ(target->chip, nullptr);
      EXPECT_EQ(target->candidates.size(), 2U);
      EXPECT_TRUE(says(target->title(), clone.title)) << target->title();
      EXPECT_TRUE(says(target->title(), "no STM32"));
      continue;
    }
    ASSERT_NE(target->chip, nullptr);
    EXPECT_EQ(target->chip_source, update::ChipSource::OnlyFit);
    EXPECT_TRUE(says(target->title(), clone.title)) << target->title();
    EXPECT_TRUE(says(target->title(), "no STM32"));
    EXPECT_TRUE(says(target->title(), "likely"));
    EXPECT_NE(target->chip->usb_vendor, 0x0483);
    EXPECT_TRUE(target->descriptors.serial == "AT32" || target->descriptors.serial == "3CBJ" ||
                target->descriptors.serial == "3C4J")
        << target->descriptors.serial;
  }
}

TEST(Clone, ThatNobodyKnowsHasNoChip) {
  // A GD32 with a serial number of another kind; an AT32 with another layout.
  for (const char* spec : {"stm32f105,usb-id=28e9:0189,layout=@Internal Flash  /0x08000000/64*8Kg",
                           "at32f415,layout=@Internal Flash  /0x08000000/ 64*8Kg"}) {
    SCOPED_TRACE(spec);
    Bench bench(spec);
    const auto target = bench.identified();
    ASSERT_TRUE(target);
    EXPECT_TRUE(target->chip == nullptr ||
                target->chip_source != update::ChipSource::ProductString);
  }
  Bench bench("at32f415,layout=@Internal Flash  /0x08000000/ 64*8Kg");
  const auto target = bench.identified();
  ASSERT_TRUE(target);
  EXPECT_EQ(target->chip, nullptr);
  EXPECT_TRUE(says(target->title(), "Artery, no STM32")) << target->title();
}

TEST(Clone, IsProgrammedProvenAndStarted) {
  for (const Clone& clone : kClones) {
    SCOPED_TRACE(clone.spec);
    for (const char* keys : {",fill=noise", ",fill=noise,leave=vanish", ",fill=noise,leave=error",
                             ",fill=noise,found=idle"}) {
      SCOPED_TRACE(keys);
      Bench bench(std::string(clone.spec) + keys);
      Bytes bytes = make_program(kBase, 9000).segments().front().data;
      store_le32(bytes, 0, static_cast<std::uint32_t>(bench.chip().description().ram.end));
      image::Image image;
      ASSERT_TRUE(image.insert(kBase, bytes));
      const Bytes before = bench.flash(bench.chip().flash().range());
      const auto outcome = bench.update(image);
      ASSERT_TRUE(outcome) << message(outcome.error());
      EXPECT_TRUE(outcome->proven);
      EXPECT_TRUE(bench.holds(image));
      const Bytes after = bench.flash(bench.chip().flash().range());
      EXPECT_TRUE(std::equal(after.begin() + 12 * kKib, after.end(), before.begin() + 12 * kKib));
      const auto started = bench.run<update::Started>(
          [](const update::Target& target) -> Result<Task<update::Started>> {
            return update::start_and_watch(target, kBase, 3s);
          });
      ASSERT_TRUE(started) << message(started.error());
      EXPECT_EQ(bench.device().application(), kBase);
    }
  }
}

TEST(Quirk, SizeInSerial) {
  // 64 KiB in pages of 1 KiB; the layout says 512 pages of 2 KiB.
  const char* spec = "gd32vf103,flash=64,fill=noise";
  for (const char* variant : {"", ",variant=1"}) {
    SCOPED_TRACE(variant);
    Bench bench(std::string(spec) + variant);
    const auto target = bench.identified();
    ASSERT_TRUE(target);
    EXPECT_EQ(target->flash()->map.bounds(), AddressRange::sized(kBase, 64 * kKib));
    EXPECT_EQ(target->flash()->map.runs()[0].sector_size, kKib);
    EXPECT_TRUE(any_says(target->warnings, "third character of its serial number \"3C8J\""));
    // The first byte outside is refused before anything is changed, with the source.
    const auto refused = bench.program(make_program(kBase, 64 * kKib + 1));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::OutsideMemory);
    EXPECT_TRUE(says(message(refused.error()), "3C8J")) << message(refused.error());
    EXPECT_EQ(bench.chip().operations().count(), 0U);
    const auto all = bench.program(make_program(kBase, 64 * kKib));
    ASSERT_TRUE(all) << message(all.error());
    EXPECT_TRUE(all->proven);
  }
  for (const auto& [kib, character] : {std::pair{16, '4'}, {32, '6'}, {64, '8'}, {128, 'B'}}) {
    Bench bench(fmt::format("gd32vf103,flash={}", kib));
    EXPECT_EQ(bench.identified()->flash()->map.size(), kib * kKib) << character;
  }
  // Without it the layout is believed: every second page is not erased.
  stm32::Chip chip = *stm32::find_chip("gd32vf103");
  chip.quirks &= ~std::uint32_t{proto::kSizeInSerial};
  Bench without(spec);
  without.identify.chip = &chip;
  const auto outcome = without.program(make_program(kBase, 9000));
  EXPECT_FALSE(outcome && outcome->proven);
  EXPECT_GT(without.chip().operations().count(), 0U);
}

TEST(Quirk, ReadOnlyLetterFalse) {
  const char* spec = "at32f437,fill=noise";
  Bench with(spec);
  const auto outcome = with.program(make_program(kBase, 9000));
  ASSERT_TRUE(outcome) << message(outcome.error());
  EXPECT_TRUE(any_says(with.identified()->warnings, "betaflight"));
  stm32::Chip chip = *stm32::find_chip("at32f437");
  chip.quirks &= ~std::uint32_t{proto::kReadOnlyLetterFalse};
  Bench without(spec);
  without.identify.chip = &chip;
  const auto refused = without.program(make_program(kBase, 9000));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::NotWritable);
  // And if the letter is true after all: never a false done.
  Bench truly("at32f437,fill=noise,wrp=0-7");
  const auto silent = truly.program(make_program(kBase, 9000));
  EXPECT_FALSE(silent && silent->proven);
}

TEST(Clone, KeepsTheUserAwayFromWhatTheSerialDoesNotSay) {
  // --chip with a serial number that means nothing: pages of 1 KiB, at most 128 of them.
  const stm32::Chip& chip = *stm32::find_chip("gd32vf103");
  Bench bench("stm32f105,usb-id=28e9:0189");
  bench.identify.chip = &chip;
  const auto target = bench.identified();
  ASSERT_TRUE(target);
  EXPECT_EQ(target->flash()->map.size(), 128 * kKib);
  EXPECT_TRUE(any_says(target->warnings, "at most; its serial number does not tell"));
}

TEST(Clone, ThatIsARiscVHasNoVectorTable) {
  Bytes code(3000, 0x13);  // addi x0, x0, …: no stack pointer, no reset vector
  image::Image image;
  ASSERT_TRUE(image.insert(kBase, code));
  Bench riscv("gd32vf103,fill=noise");
  EXPECT_TRUE(riscv.program(image));
  Bench cortex("at32f415,fill=noise");
  const auto refused = cortex.program(image);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::VectorTableImplausible);
  Bench blank("gd32vf103");
  EXPECT_FALSE(blank.run<void>([](const update::Target& target) -> Result<Task<>> {
    return update::start(target, kBase);
  })) << "nothing is there to start";
}

TEST(Clone, IsExplainedByTheDoctor) {
  for (const Clone& clone : kClones) {
    SCOPED_TRACE(clone.spec);
    Bench bench(std::string(clone.spec) + ",fill=app");
    const Error failed(Errc::VerifyMismatch);
    const auto found = bench.run<std::vector<update::Finding>>(
        [&](const update::Target& target) -> Result<Task<std::vector<update::Finding>>> {
          return update::diagnose(target, failed, bench.seen);
        });
    ASSERT_TRUE(found);
    for (const update::Finding& finding : *found) EXPECT_NE(finding.id, "cubemx-skeleton");
    const auto target = bench.identified();
    update::Evidence evidence;
    evidence.target = &*target;
    const auto notes = update::find_causes(evidence);
    const auto it = std::ranges::find(notes, "clone", &update::Finding::id);
    ASSERT_NE(it, notes.end());
    EXPECT_EQ(it->severity, update::Severity::Note);
    EXPECT_EQ(any_says(it->evidence, "serial number"),
              std::string_view(clone.spec).starts_with("gd32"));
  }
}

}  // namespace
}  // namespace sureflash::scenarios
