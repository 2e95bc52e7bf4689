// Goal: programming writes exactly the image in the right order, touches nothing else and proves
// it. Method: the virtual ROM of every line with its geometry, units, times and defects; what is in
// flash is asked of the chip, not of the wire.

#include "every_rom.hpp"

namespace sureflash::scenarios {
namespace {

class Writing : public EveryRom {
 protected:
  void expect_written(Bench& bench, const image::Image& image) {
    const Bytes before = bench.flash(all());
    const auto outcome = bench.program(image);
    ASSERT_TRUE(outcome) << message(outcome.error());
    EXPECT_TRUE(outcome->proven);
    expect_flash(bench, expected(image, before));
  }
};
INSTANTIATE_TEST_SUITE_P(Rom, Writing, testing::ValuesIn(every_rom()), test_name);

TEST_P(Writing, WritesExactlyTheImageAndNothingElse) {
  for (const char* keys :
       {",fill=noise", ",fill=noise,held=1", ",fill=noise,held=0", ",fill=noise,held=strict",
        ",fill=noise,held=later,poll=datasheet,times=max", ",fill=noise,poll=0",
        ",fill=noise,poll=100", ",fill=noise,block-address=wlength", ",fill=noise,pointer=reset",
        ",fill=noise,poison=0", ",fill=noise,end=short", ",fill=noise,rom-read=0"}) {
    SCOPED_TRACE(keys);
    for (const std::size_t size : {std::size_t{10}, std::size_t{2049}, some_sectors()}) {
      SCOPED_TRACE(size);
      Bench unnamed(spec(keys));
      expect_written(unnamed, make_program(kBase, size));
      Bench bench = named(keys);
      expect_written(bench, make_program(kBase, size));
    }
  }
}

/// Around one block of 2048 or 1024 bytes, and around every program unit.
TEST_P(Writing, EveryLengthOfTheLastBlock) {
  for (const std::size_t block : {1024U, 2048U}) {
    for (std::size_t size = block - 34; size <= block + 34; ++size) {
      SCOPED_TRACE(size);
      Bench bench = size % 2 == 0 ? named(",fill=noise") : Bench(spec(",fill=noise"));
      expect_written(bench, make_program(kBase, size));
      if (HasFailure()) return;
    }
  }
}

TEST_P(Writing, SparseImagesLeaveTheSectorsBetweenAlone) {
  ASSERT_GE(sectors().size(), 4U);
  auto image = make_program(kBase, 100);
  ASSERT_TRUE(image.insert(static_cast<std::uint32_t>(sectors()[2].begin + 3), Bytes(5, 0x42)));
  ASSERT_TRUE(image.insert(static_cast<std::uint32_t>(usable().end - 1), Bytes(1, 0x17)));
  Bench bench(spec(",fill=noise"));
  expect_written(bench, image);
  Bench spread = named(",fill=noise");
  expect_written(spread, spread_program());
}

TEST_P(Writing, TheWholeFlash) {
  Bench bench(spec(",fill=noise"));
  const Bytes before = bench.flash(all());
  const auto image = whole_flash();
  const auto outcome = bench.update(image);
  ASSERT_TRUE(outcome) << message(outcome.error());
  EXPECT_TRUE(outcome->proven);
  EXPECT_EQ(outcome->bytes_verified, usable().size());
  expect_flash(bench, expected(image, before));
}

TEST_P(Writing, VectorsFirstErasedAndLastWritten) {
  for (const bool by_name : {false, true}) {
    Bench bench = by_name ? named(",fill=noise") : Bench(spec(",fill=noise"));
    ASSERT_TRUE(bench.program(make_program(kBase, some_sectors())));
    const update::Plan& plan = bench.plan;
    EXPECT_EQ(plan.erase.front(), AddressRange::sized(kBase, first_sector()));
    EXPECT_EQ(plan.write.back(), plan.commit);
    EXPECT_EQ(plan.commit.begin, kBase);
    EXPECT_LE(plan.commit.size(), std::max<std::uint64_t>(8, bench.identified()->write_unit()));
    // What else there is of the first sector comes just before; until then nothing of it is there.
    ASSERT_GE(plan.write.size(), 3U);
    EXPECT_EQ(plan.write[plan.write.size() - 2],
              (AddressRange{plan.commit.end, kBase + first_sector()}));
    for (const AddressRange& run : plan.write) {
      EXPECT_EQ(run.begin % unit(), 0U);
      EXPECT_EQ(run.end % unit(), 0U);
    }
  }
}

TEST_P(Writing, BlankBlocksAreNotWritten) {
  constexpr std::size_t kProgram = 2048;
  constexpr std::size_t kGap = 8192;
  Bench bench = named();
  auto image = make_program(kBase, kProgram);
  ASSERT_TRUE(image.insert(kBase + kProgram, Bytes(kGap, data().erased_value)));
  ASSERT_TRUE(image.insert(kBase + kProgram + kGap, Bytes(4, 1)));
  ASSERT_TRUE(bench.program(image));
  EXPECT_EQ(bench.plan.bytes_to_write(), kProgram + unit());
  EXPECT_GE(bench.plan.bytes_to_verify(), image.size()) << "blank is proven as well";
  EXPECT_TRUE(bench.holds(image));
}

TEST_P(Writing, ABlankChipNeedsHardlyAnyErase) {
  Bench bench(spec());
  const auto image = make_program(kBase, some_sectors());
  const auto outcome = bench.update(image);
  ASSERT_TRUE(outcome) << message(outcome.error());
  EXPECT_TRUE(bench.holds(image));
  // The sector of the vector table, and the end of the blank row, which an erase that was cut short
  // may have left.
  EXPECT_LE(bench.chip().operations().erase_count(), 2U);
}

TEST_P(Writing, ProgramsAgainWhatIsThere) {
  Bench bench(spec());
  for (const std::uint64_t seed : {1, 2, 2}) {
    expect_written(bench, make_program(kBase, std::min<std::size_t>(some_sectors(), 10'000), seed));
  }
}

TEST_P(Writing, DataNeedsNoVectors) {
  Bench bench(spec(",fill=noise"));
  const Bytes before = bench.flash(all());
  image::Image data;
  ASSERT_TRUE(data.insert(static_cast<std::uint32_t>(sectors()[2].begin), Bytes(100, 0x5A)));
  if (this->data().starts_by_vector_table) {
    const auto refused = bench.program(data);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::VectorTableImplausible);
    EXPECT_EQ(bench.chip().operations().count(), 0U);
  }
  const auto outcome = bench.program(data, {.vector_table = update::VectorTableCheck::Skip});
  ASSERT_TRUE(outcome) << message(outcome.error());
  EXPECT_TRUE(outcome->proven);
  expect_flash(bench, expected(data, before));
}

TEST_P(Writing, StartsOnlyWhatIsThere) {
  Bench bench(spec());
  const auto start = [](const update::Target& target) -> Result<Task<>> {
    return update::start(target, kBase);
  };
  EXPECT_EQ(bench.run<void>(start).error().code, Errc::VectorTableImplausible);
  Bytes bytes = make_program(kBase, 1000).segments().front().data;
  store_le32(bytes, 0, static_cast<std::uint32_t>(bench.chip().description().ram.end));
  image::Image image;
  ASSERT_TRUE(image.insert(kBase, bytes));
  ASSERT_TRUE(bench.program(image));
  ASSERT_TRUE(bench.run<void>(start));
  bench.device().usb().advance_to(bench.device().usb().now() + 1s);
  EXPECT_EQ(bench.device().running(), sim::Running::Application);
  EXPECT_EQ(bench.device().application(), kBase);
}

/// F2, F4, F7: 32 bits at once, when the user vouches for the supply.
TEST_P(Writing, WordWideOnlyWhereItIsDocumented) {
  const auto image = make_program(kBase, 20'000);
  for (const bool by_name : {false, true}) {
    Bench bench = by_name ? named(",fill=noise") : Bench(spec(",fill=noise"));
    const auto usual = bench.program(image);
    ASSERT_TRUE(usual);
    const auto operations = bench.chip().operations().count();
    const auto wide = bench.program(image, {.width = stm32::ProgramWidth::Word});
    if (!data().has(proto::kByteProgramming)) {
      ASSERT_FALSE(wide);
      EXPECT_EQ(wide.error().code, Errc::Unsupported);
      EXPECT_EQ(bench.chip().operations().count(), operations);
      continue;
    }
    ASSERT_TRUE(wide) << message(wide.error());
    EXPECT_TRUE(bench.holds(image));
    EXPECT_LT(wide->write_time, usual->write_time / 2);
  }
}

}  // namespace
}  // namespace sureflash::scenarios
