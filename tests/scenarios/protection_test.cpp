// Goal: option bytes and protection change only as asked, the reset that follows is followed, and
// the result is read back. Only of F1 are the fields known, so that they can be written; what holds
// for every ROM is every_rom/protection_test.cpp. Method: the virtual F105, and a power cut at
// every operation of a write of option bytes.

#include "sureflash/update/protection.hpp"

#include "scenario.hpp"
#include <fmt/format.h>

#include "sureflash/stm32/option_fields.hpp"

namespace sureflash::scenarios {
namespace {

constexpr std::uint32_t kBase = 0x08000000;

Result<update::AfterReset> set_options(Bench& bench, std::string_view assignment) {
  return bench.run<update::AfterReset>(
      [&](const update::Target& target) -> Result<Task<update::AfterReset>> {
        if (!target.option_block) return fail(Errc::NotReadable);
        TRY_ASSIGN(Bytes block, stm32::assign(*stm32::option_table(*target.chip),
                                              *target.option_block, assignment));
        return update::write_option_bytes(target, std::move(block));
      });
}
Result<update::AfterReset> unprotect(Bench& bench) {
  return bench.run<update::AfterReset>(
      [](const update::Target& target) -> Result<Task<update::AfterReset>> {
        return update::remove_read_protection(target);
      });
}

TEST(Protection, AnImageOfOptionBytesIsRefusedWhateverTheChip) {
  update::Target target = Bench("stm32f407").identified().value();
  target.chip = nullptr;
  target.candidates.clear();
  target.read_protection_signs.clear();
  // As ROMs V3.x state it: erasable, which it is not (dfuse.md 2.11, no. 5).
  target.areas[1].map = stm32::parse_layout("@Option Bytes  /0x1FFFC000/01*016 g").value();
  image::Image image;
  Bytes block(16, 0xFF);
  block[1] = 0xCC;
  ASSERT_TRUE(image.insert(0x1FFFC000, block));
  const auto plan =
      update::make_plan(target, image, {.vector_table = update::VectorTableCheck::Skip});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, Errc::NotForThisDevice);
}

TEST(Protection, OptionBytesAreWrittenAndReadBack) {
  for (const char* held : {"0", "1"}) {
    Bench bench(fmt::format("stm32f105,fill=app,wrp=0-3,held={}", held));
    const Bytes before = bench.flash({kBase, kBase + 0x4000});
    const auto done = set_options(bench, "WRP0=0xFF");
    ASSERT_TRUE(done) << message(done.error());
    EXPECT_EQ(*done, update::AfterReset::Confirmed);
    EXPECT_EQ(bench.chip().options().wrp, 0xFFFFFFFFU);
    EXPECT_FALSE(bench.chip().options().error);
    EXPECT_EQ(bench.flash({kBase, kBase + 0x4000}), before);
    EXPECT_TRUE(bench.program(make_program(kBase, 4000)));
    ASSERT_TRUE(set_options(bench, "WRP0=0xFC")) << "and back";
    EXPECT_EQ(bench.chip().options().wrp, 0xFFFFFFFCU);
  }
}

TEST(Protection, APowerCutNeverCountsAsDone) {
  Bench healthy("stm32f105,fill=app");
  ASSERT_TRUE(set_options(healthy, "DATA0=0x12"));
  const auto operations = healthy.chip().operations().count();
  ASSERT_GE(operations, 9U) << "an erase and eight bytes";
  for (std::uint64_t n = 0; n < operations; ++n) {
    for (const char* kind : {"cut-before", "cut-during", "cut-after"}) {
      SCOPED_TRACE(fmt::format("{}@{}", kind, n));
      Bench bench(fmt::format("stm32f105,fill=app,fault={}@{}", kind, n));
      const auto done = set_options(bench, "DATA0=0x12");
      EXPECT_FALSE(done && *done == update::AfterReset::Confirmed);
      bench.device().power_cycle();
      // Option bytes that were erased and not written again: read-protected. The way out wipes.
      if (bench.chip().options().read_protected) {
        ASSERT_TRUE(unprotect(bench));
      }
      EXPECT_TRUE(bench.program(make_program(kBase, 4000)));
    }
  }
}

TEST(Protection, ADeviceWithoutOptionBytesSaysSo) {
  Bench bench("cubemx-skeleton");
  const auto done = bench.run<update::AfterReset>(
      [](const update::Target& target) -> Result<Task<update::AfterReset>> {
        return update::write_option_bytes(target, Bytes(16, 0xFF));
      });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::NotWritable);
}

}  // namespace
}  // namespace sureflash::scenarios
