// Goal: every line is recognised as itself or is among the candidates, a guess is called a guess,
// and what follows from it (units, erased value, size, unique id) is right for the chip that is
// there. Method: the virtual ROM of every line, with and without readable system memory.

#include "every_rom.hpp"

namespace sureflash::scenarios {
namespace {

class Identity : public EveryRom {};
INSTANTIATE_TEST_SUITE_P(Rom, Identity, testing::ValuesIn(every_rom()), test_name);

TEST_P(Identity, IsItselfAmongTheCandidates) {
  for (const char* keys : {"", ",rom-read=0"}) {
    SCOPED_TRACE(keys);
    Bench bench(spec(keys));
    const auto target = bench.identified();
    ASSERT_TRUE(target);
    EXPECT_GE(target->write_unit(), unit());
    EXPECT_EQ(target->erased_value(), data().erased_value);
    if (target->chip_source == update::ChipSource::ProductString) {
      EXPECT_EQ(target->chip, &data());
      EXPECT_EQ(target->title().find("likely"), std::string::npos) << "the ROM says it itself";
      continue;
    }
    if (target->candidates.empty()) {
      EXPECT_EQ(target->chip, &data()) << "a clone shows the product string of its model";
    } else {
      EXPECT_NE(std::ranges::find(target->candidates, &data()), target->candidates.end());
      EXPECT_EQ(target->chip != nullptr, target->candidates.size() == 1);
    }
    const std::string_view doubt = target->chip != nullptr ? "likely" : "--chip";
    EXPECT_NE(target->title().find(doubt), std::string::npos) << target->title();
  }
}

TEST_P(Identity, ACloneIsNeverCalledCertain) {
  if (GetParam().find("usb-id") != std::string::npos) GTEST_SKIP() << "is one already";
  for (const char* keys : {"", ",usb-id=28e9:0189", ",usb-id=2e3c:df11"}) {
    if (!is_clone() && std::string_view(keys).empty()) continue;  // ST's own
    Bench bench(spec(keys));
    const auto target = bench.identified();
    ASSERT_TRUE(target);
    EXPECT_NE(target->chip_source, update::ChipSource::ProductString);
    // Of two makers, perhaps: then it is none that is known.
    const std::string_view nobody = target->candidates.empty() ? "no STM32" : "--chip";
    const std::string_view doubt = target->chip == nullptr ? nobody
                                   : is_clone()            ? "likely:"
                                                           : "likely a clone";
    EXPECT_NE(target->title().find(doubt), std::string::npos) << target->title();
  }
}

TEST_P(Identity, TheUserGoesBeforeTheDeviceAndIsWarned) {
  Bench right = named();
  const auto target = right.identified();
  ASSERT_TRUE(target);
  EXPECT_EQ(target->chip, &data());
  EXPECT_EQ(target->chip_source, update::ChipSource::User);
  EXPECT_TRUE(std::ranges::none_of(target->warnings, [](const std::string& warning) {
    return warning.find("does not look like") != std::string::npos;
  }));
  // One whose flash and option bytes are at no place like these.
  const char* other = data().family == "L0" || data().family == "L1" ? "stm32f405" : "stm32l072";
  Bench wrong(spec(), stm32::find_chip(other));
  const auto misled = wrong.identified();
  ASSERT_TRUE(misled);
  EXPECT_EQ(misled->chip, stm32::find_chip(other));
  if (Bench(spec()).identified()->candidates.empty()) return;  // nothing to compare it with
  ASSERT_FALSE(misled->warnings.empty());
  EXPECT_NE(misled->warnings.back().find("does not look like"), std::string::npos);
}

TEST_P(Identity, UniqueIdAndSizeWhereTheRomLetsThemBeRead) {
  Bench bench = named(",seed=7");
  const auto target = bench.identified();
  ASSERT_TRUE(target) << message(target.error());
  ASSERT_EQ(target->unique_id.has_value(), data().unique_id != 0);
  if (target->unique_id) {
    EXPECT_TRUE(std::ranges::equal(*target->unique_id, bench.chip().unique_id()));
  }
  ASSERT_EQ(target->flash_size.has_value(), data().flash_size_register != 0);
  if (target->flash_size) {
    EXPECT_EQ(*target->flash_size, data().flash_size_max);
  }
  const auto closed = named(",rom-read=0").identified();
  ASSERT_TRUE(closed);
  EXPECT_FALSE(closed->unique_id);
  EXPECT_FALSE(closed->flash_size);
}

}  // namespace
}  // namespace sureflash::scenarios
