// Goal: option bytes, protection, FPEC registers and the chip file do what PM0075 and the file
// format say. Method: the manual's procedures step by step; files cut short and bent at every byte.

#include "sureflash/sim/chip/chip.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <unistd.h>

#include <gtest/gtest.h>

#include "sureflash/sim/chip/fpec_f1.hpp"
#include "sureflash/sim/chip/state_file.hpp"

namespace sureflash::sim {
namespace {

constexpr std::uint32_t kBase = 0x08000000;
constexpr std::uint32_t kOptions = 0x1FFFF800;
/// Unprotected default, as DFU reads it (AN2662).
const Bytes kDefaultOptions{0xA5, 0x5A, 0xFF, 0x00, 0xFF, 0x00, 0xFF, 0x00,
                            0xFF, 0x00, 0xFF, 0x00, 0xFF, 0x00, 0xFF, 0x00};

TEST(F1Options, AFreshChipIsUnprotected) {
  const Chip chip(stm32f105());
  EXPECT_TRUE(std::ranges::equal(chip.option_bytes(), kDefaultOptions));
  EXPECT_FALSE(chip.options().read_protected);
  EXPECT_FALSE(chip.options().error);
  EXPECT_EQ(chip.options().wrp, 0xFFFFFFFF);
}

TEST(F1Options, AWrongComplementCountsAsErasedAndIsReported) {
  Bytes bytes = kDefaultOptions;
  bytes[9] = 0x01;
  const F1Options options = F1Options::decode(bytes);
  EXPECT_TRUE(options.error);
  EXPECT_EQ(options.wrp, 0xFFFFFFFF);
  bytes = kDefaultOptions;
  bytes[1] = 0x5B;
  EXPECT_TRUE(F1Options::decode(bytes).read_protected);
}

TEST(F1Options, ErasedOptionBytesProtectAgainstReading) {
  const F1Options options = F1Options::decode(Bytes(16, 0xFF));
  EXPECT_FALSE(options.error);
  EXPECT_TRUE(options.read_protected);
}

TEST(F1Options, EachBitProtectsTwoPagesAndTheLastOneTheRest) {
  Chip chip(stm32f105());
  F1Options options;
  options.wrp = ~((1U << 3) | (1U << 31));
  chip.load_option_bytes(encode_f1_options(kF1RdpKey, options));
  for (std::size_t page = 0; page < 128; ++page) {
    const bool expected = page == 6 || page == 7 || page >= 62;
    EXPECT_EQ(chip.flash().is_protected(page), expected) << page;
  }
}

TEST(F1Options, ChangesAreInForceAfterReset) {
  Chip chip(stm32f105());
  chip.erase_options();
  EXPECT_FALSE(chip.options().read_protected);
  chip.reset();
  EXPECT_TRUE(chip.options().read_protected);
  EXPECT_TRUE(chip.flash().is_protected(0));
  EXPECT_TRUE(chip.flash().is_protected(1));
  EXPECT_FALSE(chip.flash().is_protected(2));
}

TEST(F1Options, RemovingReadProtectionErasesTheFlashFirst) {
  Chip chip(stm32f105());
  chip.flash().load(kBase, Bytes(4096, 0x12));
  F1Options options;
  options.wrp = 0;  // write protection does not stop it
  chip.load_option_bytes(encode_f1_options(0x00, options));
  chip.erase_options();
  EXPECT_EQ(chip.flash().bytes()[0], 0x12);
  const FlashResult done = chip.program_option(kOptions, kF1RdpKey);
  EXPECT_EQ(done.outcome, FlashOutcome::Ok);
  EXPECT_EQ(done.duration, 30ms + 52'500ns);
  EXPECT_TRUE(std::ranges::all_of(chip.flash().bytes(), [](auto b) { return b == 0xFF; }));
  chip.reset();
  EXPECT_FALSE(chip.options().read_protected);
}

TEST(F1Options, APowerCutBetweenEraseAndKeyLeavesTheChipProtected) {
  Chip chip(stm32f105());
  chip.operations().add({FlashFault::CutBefore, 1, 1});
  EXPECT_EQ(chip.erase_options().outcome, FlashOutcome::Ok);
  EXPECT_EQ(chip.program_option(kOptions, kF1RdpKey).outcome, FlashOutcome::PowerLost);
  chip.power_cycle();
  EXPECT_TRUE(chip.options().read_protected);
}

TEST(Chip, MemoryMap) {
  Chip chip(stm32f105(128), 5);
  chip.flash().load(kBase, Bytes{1, 2, 3, 4});
  EXPECT_EQ(chip.read_word(kBase), 0x04030201U);
  EXPECT_EQ(chip.read_word(0), 0x04030201U);
  EXPECT_EQ(*chip.read_word(0x1FFFF7E0) & 0xFFFF, 128U);
  EXPECT_EQ(*chip.read_word(kOptions), 0x00FF5AA5U);
  EXPECT_TRUE(chip.read_word(0x2000FFFC));
  for (const std::uint32_t hole : {0x0801FFFEU, 0x08020000U, 0x20010000U, 0x1FFFAFFCU, 0x1FFFF810U,
                                   0x40000000U, 0xFFFFFFFFU}) {
    EXPECT_FALSE(chip.read_word(hole)) << std::hex << hole;
  }
  chip.boot0 = true;
  EXPECT_EQ(chip.read_word(0), 0xFFFFFFFFU);
  chip.boot1 = true;
  EXPECT_FALSE(chip.boots_system_memory());
}

TEST(Chip, WhatCountsAsAnApplication) {
  Chip chip(stm32f105());
  const auto plausible = [&](std::uint32_t stack, std::uint32_t entry) {
    Bytes vectors;
    append_le32(vectors, stack);
    append_le32(vectors, entry);
    chip.flash().load(kBase + 0x4000, vectors);
    return chip.application_plausible(kBase + 0x4000);
  };
  EXPECT_TRUE(plausible(0x20010000, 0x08004101));
  EXPECT_TRUE(plausible(0x20000400, 0x08004101));
  EXPECT_FALSE(plausible(0x20010004, 0x08004101));
  EXPECT_FALSE(plausible(0x20000000, 0x08004101));
  EXPECT_FALSE(plausible(0x20001002, 0x08004101));
  EXPECT_FALSE(plausible(0x20010000, 0x08004100));
  EXPECT_FALSE(plausible(0x20010000, 0x20000101));
  EXPECT_FALSE(plausible(0xFFFFFFFF, 0xFFFFFFFF));
  EXPECT_FALSE(chip.application_plausible(0x0803FFFC));
}

struct Fpec : ::testing::Test {
  void unlock() {
    EXPECT_EQ(fpec.write(FpecF1::kKeyr, 0x45670123, now), BusAccess::Ok);
    EXPECT_EQ(fpec.write(FpecF1::kKeyr, 0xCDEF89AB, now), BusAccess::Ok);
  }
  void unlock_options() {
    unlock();
    fpec.write(FpecF1::kOptkeyr, 0x45670123, now);
    fpec.write(FpecF1::kOptkeyr, 0xCDEF89AB, now);
  }
  void wait() { now = std::max(now, fpec.busy_until()); }
  std::uint32_t sr() { return fpec.read(FpecF1::kSr, now); }
  std::uint32_t cr() { return fpec.read(FpecF1::kCr, now); }
  void set_cr(std::uint32_t value) { fpec.write(FpecF1::kCr, value, now); }
  BusAccess store(std::uint32_t address, Bytes data) { return fpec.store(address, data, now); }

  Chip chip{stm32f105()};
  FpecF1 fpec{chip};
  Duration now{};
  static constexpr std::uint32_t kPg = 1, kPer = 2, kMer = 4, kOptPg = 0x10, kOptEr = 0x20,
                                 kStrt = 0x40, kLock = 0x80, kOptWre = 0x200;
  static constexpr std::uint32_t kBsy = 1, kPgErr = 4, kWrPrtErr = 0x10, kEop = 0x20;
};

TEST_F(Fpec, IsLockedUntilBothKeysComeInOrder) {
  EXPECT_EQ(cr(), kLock);
  set_cr(kPg);
  EXPECT_EQ(cr(), kLock);
  EXPECT_EQ(store(kBase, {1, 2}), BusAccess::Fault);
  unlock();
  EXPECT_EQ(cr(), 0U);
  set_cr(kLock);
  EXPECT_EQ(cr(), kLock);
  unlock();
  EXPECT_EQ(cr(), 0U);
}

TEST_F(Fpec, AWrongKeyLocksUntilReset) {
  EXPECT_EQ(fpec.write(FpecF1::kKeyr, 0xCDEF89AB, now), BusAccess::Fault);
  EXPECT_EQ(fpec.write(FpecF1::kKeyr, 0x45670123, now), BusAccess::Fault);
  EXPECT_EQ(fpec.write(FpecF1::kKeyr, 0xCDEF89AB, now), BusAccess::Fault);
  EXPECT_EQ(cr(), kLock);
  fpec.reset();
  unlock();
  EXPECT_EQ(cr(), 0U);
}

TEST_F(Fpec, ProgramsHalfWordsOnly) {
  unlock();
  EXPECT_EQ(store(kBase, {1, 2}), BusAccess::Fault) << "PG not set";
  set_cr(kPg);
  EXPECT_EQ(store(kBase, {1}), BusAccess::Fault);
  EXPECT_EQ(store(kBase, {1, 2, 3, 4}), BusAccess::Fault);
  EXPECT_EQ(store(kBase + 1, {1, 2}), BusAccess::Fault);
  EXPECT_EQ(store(kBase, {1, 2}), BusAccess::Ok);
  EXPECT_EQ(sr(), kBsy);
  EXPECT_EQ(fpec.busy_until() - now, 52'500ns);
  wait();
  EXPECT_EQ(sr(), kEop);
  EXPECT_EQ(*chip.read_word(kBase) & 0xFFFF, 0x0201U);
  fpec.write(FpecF1::kSr, kEop, now);
  EXPECT_EQ(sr(), 0U);
  EXPECT_EQ(store(kBase, {3, 3}), BusAccess::Ok);
  EXPECT_EQ(sr(), kPgErr);
  fpec.write(FpecF1::kSr, kPgErr, now);
  EXPECT_EQ(store(kBase, {0, 0}), BusAccess::Ok);
  wait();
  EXPECT_EQ(sr(), kEop);
}

TEST_F(Fpec, ErasesThePageInArUnlessPgIsStillSet) {
  chip.flash().load(kBase, Bytes(8192, 0));
  unlock();
  set_cr(kPer);
  fpec.write(FpecF1::kAr, kBase + 0x0A00, now);
  set_cr(kPer | kPg | kStrt);
  EXPECT_EQ(fpec.busy_until(), Duration::zero());
  set_cr(kPer | kStrt);
  EXPECT_EQ(fpec.busy_until() - now, 30ms);
  EXPECT_EQ(sr(), kBsy);
  wait();
  EXPECT_EQ(*chip.read_word(kBase + 0x7FC), 0U);
  EXPECT_EQ(*chip.read_word(kBase + 0x800), 0xFFFFFFFFU);
  EXPECT_EQ(*chip.read_word(kBase + 0x1000), 0U);
  set_cr(kMer | kStrt);
  wait();
  EXPECT_EQ(*chip.read_word(kBase), 0xFFFFFFFFU);
}

TEST_F(Fpec, AnAccessWhileBusyWaits) {
  unlock();
  set_cr(kPg);
  store(kBase, {1, 2});
  store(kBase + 2, {1, 2});
  EXPECT_EQ(fpec.busy_until() - now, 105us);
}

TEST_F(Fpec, ReportsWriteProtection) {
  F1Options options;
  options.wrp = ~1U;
  chip.load_option_bytes(encode_f1_options(kF1RdpKey, options));
  unlock();
  set_cr(kPg);
  store(kBase, {1, 2});
  EXPECT_EQ(sr(), kWrPrtErr);
  EXPECT_EQ(fpec.read(FpecF1::kWrpr, now), 0xFFFFFFFEU);
}

TEST_F(Fpec, OptionBytesNeedTheirOwnKeysAndTakeEffectAtReset) {
  unlock();
  set_cr(kOptEr | kStrt);
  EXPECT_TRUE(std::ranges::equal(chip.option_bytes(), kDefaultOptions));
  unlock_options();
  EXPECT_EQ(cr(), kOptWre | kOptEr);
  set_cr(kOptWre | kOptEr | kStrt);
  wait();
  set_cr(kOptWre | kOptPg);
  EXPECT_EQ(store(kOptions, {0xA5, 0x00}), BusAccess::Ok);
  wait();
  EXPECT_EQ(store(kOptions + 4, {0x42, 0x42}), BusAccess::Ok);
  EXPECT_EQ(chip.option_bytes()[0], 0xA5);
  EXPECT_EQ(chip.option_bytes()[1], 0x5A) << "the FPEC makes the complement";
  EXPECT_EQ(fpec.read(FpecF1::kObr, now) >> 10 & 0xFF, 0xFFU);
  chip.reset();
  EXPECT_EQ(fpec.read(FpecF1::kObr, now) >> 10 & 0xFF, 0x42U);
  set_cr(0);
  EXPECT_EQ(cr(), 0U) << "OPTWRE can be cleared";
}

class StateFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    directory = std::filesystem::temp_directory_path() /
                ("sureflash-chip-" + std::to_string(::getpid()) + "-" +
                 ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(directory);
    path = directory / "chip";
  }
  void TearDown() override { std::filesystem::remove_all(directory); }

  std::filesystem::path directory;
  std::string path;
};

void use(Chip& chip) {
  chip.flash().erase_sector(kBase + 2048);
  chip.flash().program(kBase + 2048, Bytes{0xAB, 0xCD});
  F1Options options;
  options.wrp = ~2U;
  options.data0 = 0x77;
  chip.load_option_bytes(encode_f1_options(kF1RdpKey, options));
}

TEST_F(StateFiles, KeepEverythingThatSurvivesWithoutPower) {
  Chip chip(stm32f105(), 9);
  use(chip);
  Chip copy(stm32f105(), 10);
  ASSERT_NE(copy.unique_id(), chip.unique_id());
  {
    const auto file = StateFile::open(path);
    ASSERT_TRUE(file);
    EXPECT_FALSE(file->load(copy).value());
    ASSERT_TRUE(file->save(chip));
    EXPECT_TRUE(file->load(copy).value());
  }
  EXPECT_TRUE(std::ranges::equal(copy.flash().bytes(), chip.flash().bytes()));
  EXPECT_EQ(copy.flash().wear(), chip.flash().wear());
  EXPECT_EQ(copy.flash().wear()[1], 1U);
  EXPECT_EQ(copy.unique_id(), chip.unique_id());
  EXPECT_EQ(copy.options().data0, 0x77);
  EXPECT_TRUE(copy.flash().is_protected(2));
}

TEST_F(StateFiles, AreLockedAgainstASecondUser) {
  const auto first = StateFile::open(path);
  ASSERT_TRUE(first);
  const auto second = StateFile::open(path);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::DeviceBusy);
  EXPECT_EQ(second.error().where.name, path);
}

TEST_F(StateFiles, ThatCannotBeReadOrWrittenSaySo) {
  EXPECT_EQ(StateFile::open((directory / "no" / "chip").string()).error().code,
            Errc::FileUnwritable);
  std::filesystem::create_directory(path);
  Chip chip(stm32f105());
  const auto file = StateFile::open(path);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->load(chip).error().code, Errc::FileUnreadable);
  EXPECT_EQ(file->save(chip).error().code, Errc::FileUnwritable);
}

TEST(StateBytes, EveryTruncationIsAnErrorAndLeavesTheChipAlone) {
  Chip chip(stm32f105(64));
  use(chip);
  const Bytes file = encode_state(chip);
  Chip other(stm32f105(64), 3);
  const UniqueId id = other.unique_id();
  for (std::size_t size = 0; size < file.size(); size += size < 64 ? 1 : 1021) {
    const auto result = decode_state(ByteView(file).first(size), other);
    ASSERT_FALSE(result) << size;
    EXPECT_EQ(result.error().code, size < 8 ? Errc::FormatInvalid : Errc::Truncated) << size;
  }
  EXPECT_EQ(other.unique_id(), id);
  EXPECT_EQ(other.flash().bytes()[2048], 0xFF);
}

TEST(StateBytes, EveryDamagedByteIsNoticed) {
  Chip chip(stm32f105(64));
  const Bytes file = encode_state(chip);
  Chip other(stm32f105(64), 3);
  for (std::size_t i = 0; i < file.size(); i += i < 64 || i + 64 > file.size() ? 1 : 4099) {
    Bytes bent = file;
    bent[i] ^= 0x80;
    EXPECT_FALSE(decode_state(bent, other)) << i;
  }
  Bytes longer = file;
  longer.push_back(0);
  EXPECT_EQ(decode_state(longer, other).error().code, Errc::FormatInvalid);
}

TEST(StateBytes, OfAnotherChipAreRefused) {
  Chip small(stm32f105(64));
  Chip large(stm32f105(256));
  const auto result = decode_state(encode_state(small), large);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::NotForThisDevice);
  EXPECT_NE(result.error().detail.find("STM32F105-64K"), std::string::npos);
}

}  // namespace
}  // namespace sureflash::sim
