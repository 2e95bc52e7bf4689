// Goal: protection is taken away only as asked, on the lines whose ROM can do it, the reset that
// follows is followed and the result is read back; option bytes whose fields are not known are not
// written. Method: the virtual ROM of every line with BOOT0 high (back in the ROM) and low (gone),
// and power cuts. What is written into known fields is protection_test.cpp: only those of F1 are.

#include "sureflash/update/protection.hpp"

#include "every_rom.hpp"

#include "sureflash/stm32/option_fields.hpp"

namespace sureflash::scenarios {
namespace {

class ProtectedRom : public EveryRom {
 protected:
  static Result<update::AfterReset> unprotect(Bench& bench) {
    return bench.run<update::AfterReset>(
        [](const update::Target& target) -> Result<Task<update::AfterReset>> {
          return update::remove_read_protection(target);
        });
  }
  static Result<update::AfterReset> write_options(Bench& bench, const Bytes& block) {
    return bench.run<update::AfterReset>(
        [&](const update::Target& target) -> Result<Task<update::AfterReset>> {
          return update::write_option_bytes(target, block);
        });
  }
  bool can_unprotect() const { return !data().has(proto::kNoReadUnprotect); }
};
INSTANTIATE_TEST_SUITE_P(Rom, ProtectedRom, testing::ValuesIn(every_rom()), test_name);

TEST_P(ProtectedRom, ReadProtectionIsRemovedAndTheFlashIsWiped) {
  for (const char* keys : {",rdp-at=access", ",rdp-at=set-address", ",held=0", ",held=1",
                           ",times=max,held=0", ",times=max,held=1"}) {
    SCOPED_TRACE(keys);
    for (const bool by_name : {false, true}) {
      const auto rdp = fmt::format(",fill=noise,rdp=1{}", keys);
      Bench bench = by_name ? named(rdp) : Bench(spec(rdp));
      const Bytes before = bench.flash(all());
      const auto done = unprotect(bench);
      if (!can_unprotect()) {
        EXPECT_FALSE(done);
        expect_flash(bench, before);
        continue;
      }
      ASSERT_TRUE(done) << message(done.error());
      EXPECT_EQ(*done, update::AfterReset::Confirmed);
      EXPECT_FALSE(bench.chip().options().read_protected);
      expect_flash(bench, wiped(before));
      EXPECT_TRUE(bench.program(make_program(kBase, 4000)));
    }
  }
}

TEST_P(ProtectedRom, WithoutBoot0TheDeviceIsGoneAndThatIsSaid) {
  if (!can_unprotect()) GTEST_SKIP() << "its ROM has no Read Unprotect";
  Bench bench(spec(",fill=app,rdp=1"));
  // The switch was let go after the device had come up.
  bench.observer.on_progress = [&](const Progress&) {
    bench.chip().boot0 = false;
    return false;
  };
  const auto done = unprotect(bench);
  ASSERT_TRUE(done) << message(done.error());
  // An AT32 does not reset (unless it does): it stays, and can be asked.
  const bool stays = data().has(proto::kUnprotectAnswersIdle) && !is_told("idle-resets");
  EXPECT_EQ(*done, stays ? update::AfterReset::Confirmed : update::AfterReset::Gone);
  EXPECT_EQ(bench.device().running() == sim::Running::Loader, stays);
  EXPECT_FALSE(bench.chip().options().read_protected);
  EXPECT_TRUE(is_blank(bench));
}

TEST_P(ProtectedRom, APowerCutWhileItIsRemovedNeverCountsAsDone) {
  if (!can_unprotect()) GTEST_SKIP() << "its ROM has no Read Unprotect";
  Bench healthy(spec(",fill=app,rdp=1"));
  ASSERT_TRUE(unprotect(healthy));
  const auto operations = healthy.chip().operations().count();
  ASSERT_GE(operations, 3U) << "a mass erase, an erase of the options, and their bytes";
  for (std::uint64_t n = 0; n < operations; n += n < 8 || n + 8 > operations ? 1 : 7) {
    for (const char* kind : {"cut-before", "cut-during", "cut-late", "cut-after"}) {
      SCOPED_TRACE(fmt::format("{}@{}", kind, n));
      Bench bench(spec(fmt::format(",fill=app,rdp=1,fault={}@{}", kind, n)));
      const auto done = unprotect(bench);
      EXPECT_FALSE(done && *done == update::AfterReset::Confirmed);
      bench.device().power_cycle();
      if (bench.chip().options().read_protected) {
        ASSERT_TRUE(unprotect(bench));
      }
      EXPECT_TRUE(bench.program(make_program(kBase, 4000)));
    }
  }
}

/// Level 2 can never be taken back: where RDP stands at this offset, or may stand.
TEST_P(ProtectedRom, APermanentLevelIsNeverWritten) {
  if (data().family == "F1") {
    EXPECT_FALSE(stm32::sets_permanent_level(data(), Bytes(16, 0xCC))) << "F1 has no such level";
    return;
  }
  // RM0090 3.9.10 (F4; F2, F7 alike): bits 15 to 8 of the word; elsewhere the lowest byte.
  const bool second = data().family == "F2" || data().family == "F4" || data().family == "F7";
  Bench bench = named(",fill=app");
  const auto before = bench.chip().option_bytes();
  const Bytes kept(before.begin(), before.end());
  Bytes block(data().option_bytes.empty() ? kept.size() : data().option_bytes.size(), 0xFF);
  block[second ? 1 : 0] = 0xCC;
  EXPECT_TRUE(stm32::sets_permanent_level(data(), block));
  const auto refused = write_options(bench, block);
  ASSERT_FALSE(refused);
  if (is_told("variant=1")) {
    EXPECT_EQ(refused.error().code, Errc::NotWritable) << "this loader shows no option bytes";
  } else if (!data().option_bytes.empty()) {
    EXPECT_EQ(refused.error().code, Errc::NeedsConsent);
  }
  EXPECT_TRUE(std::ranges::equal(bench.chip().option_bytes(), kept));
  EXPECT_EQ(bench.chip().operations().count(), 0U);
}

TEST_P(ProtectedRom, OptionBytesThatAreNotKnownAreNotWritten) {
  Bench bench = named(",fill=app");
  const auto before = bench.chip().option_bytes();
  const Bytes kept(before.begin(), before.end());
  EXPECT_EQ(stm32::option_table(data()) != nullptr, data().family == "F1");
  // A block of another length than this line has.
  const auto refused = write_options(bench, Bytes(kept.size() + 8, 0xFF));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::NotWritable);
  if (data().option_bytes.empty()) {
    const auto unknown = write_options(bench, kept);
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, Errc::NotWritable);
  }
  EXPECT_TRUE(std::ranges::equal(bench.chip().option_bytes(), kept));
  EXPECT_EQ(bench.chip().operations().count(), 0U);
}

}  // namespace
}  // namespace sureflash::scenarios
