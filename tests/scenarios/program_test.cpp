// Goal: programming writes exactly the image, touches nothing else, proves it, and fails before it
// begins when it could know.
// Method: the host library against virtual devices; what is in flash is asked of the chip, not of
// the wire.

#include "scenario.hpp"

namespace sureflash::scenarios {
namespace {

constexpr std::uint32_t kBase = 0x08000000;

Errc code_of(const Result<update::Outcome>& r) {
  return r ? Errc{} : r.error().code;
}

TEST(Program, WritesExactlyTheImageAndNothingElse) {
  for (const char* spec :
       {"stm32f105,fill=noise", "stm32f105,rom=2.0,fill=noise", "stm32f105,rom=2.1,fill=noise",
        "stm32f105,held=0,fill=noise", "stm32f105,block-address=wlength,fill=noise",
        "stm32f105,block-address=wtransfersize,fill=noise", "stm32f105,poll=0,fill=noise",
        "stm32f105,poll=100,fill=noise", "stm32f105,poll=datasheet,times=max,fill=noise",
        "stm32f105,pointer=reset,fill=noise", "stm32f105,poison=1,fill=noise"}) {
    SCOPED_TRACE(spec);
    for (const std::size_t size : {10U, 11U, 2040U, 2048U, 2049U, 2056U, 5000U, 65536U}) {
      SCOPED_TRACE(size);
      Bench bench(spec);
      const Bytes before = bench.flash({kBase, kBase + 0x40000});
      const auto image = make_program(kBase, size);
      const auto outcome = bench.program(image);
      ASSERT_TRUE(outcome) << message(outcome.error());
      EXPECT_TRUE(outcome->proven);
      EXPECT_TRUE(bench.holds(image));
      const std::size_t end = (size + 2047) / 2048 * 2048;
      const Bytes after = bench.flash({kBase, kBase + 0x40000});
      EXPECT_TRUE(std::equal(after.begin() + static_cast<long>(end), after.end(),
                             before.begin() + static_cast<long>(end)));
      EXPECT_TRUE(std::all_of(after.begin() + static_cast<long>(size),
                              after.begin() + static_cast<long>(end),
                              [](std::uint8_t b) { return b == 0xFF; }));
    }
  }
}

TEST(Program, SparseImagesLeaveTheSectorsBetweenAlone) {
  Bench bench("stm32f105,fill=noise");
  auto image = make_program(kBase, 3000);
  ASSERT_TRUE(image.insert(kBase + 0x8001, Bytes(5, 0x42)));
  ASSERT_TRUE(image.insert(kBase + 0x3FFFF, Bytes(1, 0x17)));
  const Bytes between = bench.flash({kBase + 0x1000, kBase + 0x8000});
  const auto outcome = bench.program(image);
  ASSERT_TRUE(outcome) << message(outcome.error());
  EXPECT_TRUE(bench.holds(image));
  EXPECT_EQ(bench.flash({kBase + 0x1000, kBase + 0x8000}), between);
}

TEST(Program, WorksOnTheExampleThatErasesEverything) {
  for (const char* spec : {"st-f107-example,fill=noise", "st-f107-example,fill=blank"}) {
    SCOPED_TRACE(spec);
    Bench bench(spec);
    const auto image = make_program(0x08005000, 20'000);
    const auto outcome = bench.program(image);
    ASSERT_TRUE(outcome) << message(outcome.error());
    EXPECT_TRUE(bench.holds(image));
    EXPECT_TRUE(bench.seen.erased_too_much);
    EXPECT_LT(bench.took, 30s) << "118 erases for each sector would take minutes";
  }
}

TEST(Program, ProgramsAgainWhatIsThere) {
  Bench bench("stm32f105");
  for (const std::uint64_t seed : {1, 2, 2}) {
    const auto image = make_program(kBase, 10'000, seed);
    ASSERT_TRUE(bench.program(image));
    EXPECT_TRUE(bench.holds(image));
  }
}

TEST(Program, StartsOnlyWhatIsThere) {
  Bench bench("stm32f105");
  const auto start = [](const update::Target& target) -> Result<Task<>> {
    return update::start(target, kBase);
  };
  EXPECT_EQ(bench.run<void>(start).error().code, Errc::VectorTableImplausible);
  ASSERT_TRUE(bench.program(make_program(kBase, 4000)));
  ASSERT_TRUE(bench.run<void>(start));
  bench.device().usb().advance_to(bench.device().usb().now() + 1s);
  EXPECT_EQ(bench.device().running(), sim::Running::Application);
  EXPECT_EQ(bench.device().application(), kBase);
}

// Everything below must be known before flash is touched: the chip's operation counter stays.
class PreFlight : public testing::Test {
 protected:
  static void expect(Errc code, const std::string& spec, const image::Image& image) {
    SCOPED_TRACE(spec);
    Bench bench(spec);
    const Bytes before = bench.flash({kBase, kBase + 0x40000});
    const auto count = bench.chip().operations().count();
    EXPECT_EQ(code_of(bench.program(image)), code);
    EXPECT_EQ(bench.chip().operations().count(), count);
    EXPECT_EQ(bench.flash({kBase, kBase + 0x40000}), before);
  }
};

TEST_F(PreFlight, WriteProtectionIsNamedFromTheOptionBytes) {
  expect(Errc::WriteProtected, "stm32f105,wrp=0-3,fill=noise", make_program(kBase, 100));
  expect(Errc::WriteProtected, "stm32f105,wrp=62-127,fill=noise", make_program(kBase, 0x40000));
}

TEST(Program, WriteProtectionElsewhereIsNoObstacle) {
  Bench bench("stm32f105,wrp=62-127,fill=noise");
  EXPECT_TRUE(bench.program(make_program(kBase, 62 * 2048)));
}

TEST_F(PreFlight, ReadProtection) {
  expect(Errc::ReadProtected, "stm32f105,rdp=1", make_program(kBase, 100));
  expect(Errc::ReadProtected, "stm32f105,rdp=1,rdp-at=set-address", make_program(kBase, 100));
}

TEST_F(PreFlight, ImageLinkedForAnotherAddress) {
  auto image = make_program(0x08008000, 4000);
  image::Image moved;
  ASSERT_TRUE(moved.insert(kBase, image.segments().front().data));
  expect(Errc::WrongBase, "stm32f105,fill=noise", moved);
}

TEST_F(PreFlight, ImageLargerThanFlash) {
  expect(Errc::OutsideMemory, "stm32f105,fill=noise", make_program(kBase, 0x40001));
}

TEST_F(PreFlight, ImplausibleVectors) {
  const auto with = [](std::uint32_t stack, std::uint32_t reset) {
    Bytes bytes = make_program(kBase, 1000).segments().front().data;
    store_le32(bytes, 0, stack);
    store_le32(bytes, 4, reset);
    image::Image image;
    EXPECT_TRUE(image.insert(kBase, bytes));
    return image;
  };
  expect(Errc::VectorTableImplausible, "stm32f105", with(0x08001000, kBase + 9));
  expect(Errc::VectorTableImplausible, "stm32f105", with(0x20010004, kBase + 9));
  expect(Errc::VectorTableImplausible, "stm32f105", with(0x2000FFFE, kBase + 9));
  expect(Errc::VectorTableImplausible, "stm32f105", with(0x20010000, kBase + 8));
  expect(Errc::VectorTableImplausible, "stm32f105", with(0x20010000, 0x20000101));
  expect(Errc::WrongBase, "stm32f105", with(0x20010000, kBase + 0x10001));
}

TEST_F(PreFlight, RamAndOptionBytesAreNotPartOfAnImage) {
  auto ram = make_program(kBase, 1000);
  ASSERT_TRUE(ram.insert(0x20001000, Bytes(16, 1)));
  expect(Errc::NotForThisDevice, "stm32f105", ram);
  auto options = make_program(kBase, 1000);
  ASSERT_TRUE(options.insert(0x1FFFF800, Bytes(16, 1)));
  expect(Errc::NotForThisDevice, "stm32f105", options);
}

TEST_F(PreFlight, EmptyImage) {
  expect(Errc::EmptyImage, "stm32f105", {});
}

TEST(Program, DataNeedsNoVectors) {
  Bench bench("stm32f105");
  image::Image data;
  ASSERT_TRUE(data.insert(kBase + 0x10000, Bytes(100, 0x5A)));
  EXPECT_EQ(code_of(bench.program(data)), Errc::VectorTableImplausible);
  EXPECT_TRUE(bench.program(data, {.vector_table = update::VectorTableCheck::Skip}));
  EXPECT_TRUE(bench.holds(data));
}

TEST(Plan, TheOrderKeepsHalfAnApplicationFromStarting) {
  Bench bench("stm32f105,fill=noise");
  ASSERT_TRUE(bench.program(make_program(kBase, 10'000)));
  const update::Plan& plan = bench.plan;
  EXPECT_EQ(plan.erase.front(), AddressRange::sized(kBase, 2048));
  EXPECT_EQ(plan.write.back(), AddressRange::sized(kBase, 8));
  EXPECT_EQ(plan.commit, plan.write.back());
  ASSERT_EQ(plan.write.size(), 3U);
  EXPECT_EQ(plan.write[0], (AddressRange{kBase + 2048, kBase + 10'000}));
  EXPECT_EQ(plan.write[1], (AddressRange{kBase + 8, kBase + 2048}));
}

TEST(Plan, BlankBlocksAreNotWritten) {
  Bench bench("stm32f105");
  auto image = make_program(kBase, 2048);
  ASSERT_TRUE(image.insert(kBase + 2048, Bytes(8192, 0xFF)));
  ASSERT_TRUE(image.insert(kBase + 2048 + 8192, Bytes(4, 1)));
  ASSERT_TRUE(bench.program(image));
  EXPECT_EQ(bench.plan.bytes_to_write(), 2048U + 4U);
  EXPECT_EQ(bench.plan.bytes_to_verify(), image.size());
  EXPECT_TRUE(bench.holds(image));
}

}  // namespace
}  // namespace sureflash::scenarios
