// Goal: programming writes exactly the image and fails before it begins when it could know, where
// that depends on the device: WRP in the option bytes of F1, the plan of an F105 run by run, ST's
// example. What holds for every ROM is in every_rom/.
// Method: the host library against virtual devices; what is in flash is asked of the chip, not of
// the wire.

#include "scenario.hpp"

namespace sureflash::scenarios {
namespace {

constexpr std::uint32_t kBase = 0x08000000;

Errc code_of(const Result<update::Outcome>& r) {
  return r ? Errc{} : r.error().code;
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

// Must be known before flash is touched: the chip's operation counter stays.
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

// Only the option bytes of F1 are understood: elsewhere write protection is silent (Refusal).
TEST_F(PreFlight, WriteProtectionIsNamedFromTheOptionBytes) {
  expect(Errc::WriteProtected, "stm32f105,wrp=0-3,fill=noise", make_program(kBase, 100));
  expect(Errc::WriteProtected, "stm32f105,wrp=62-127,fill=noise", make_program(kBase, 0x40000));
}

TEST(Program, WriteProtectionElsewhereIsNoObstacle) {
  Bench bench("stm32f105,wrp=62-127,fill=noise");
  EXPECT_TRUE(bench.program(make_program(kBase, 62 * 2048)));
}

// All of its RAM is in the table only for the F105.
TEST_F(PreFlight, RamAndOptionBytesAreNotPartOfAnImage) {
  auto ram = make_program(kBase, 1000);
  ASSERT_TRUE(ram.insert(0x20001000, Bytes(16, 1)));
  expect(Errc::NotForThisDevice, "stm32f105", ram);
  auto options = make_program(kBase, 1000);
  ASSERT_TRUE(options.insert(0x1FFFF800, Bytes(16, 1)));
  expect(Errc::NotForThisDevice, "stm32f105", options);
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

}  // namespace
}  // namespace sureflash::scenarios
