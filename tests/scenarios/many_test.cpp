// Goal: many devices at once cost the time of one, each is treated as if it were alone, and one
// that fails holds up nobody. Method: VirtualDriver in virtual time; the chips are the judges.

#include "scenario.hpp"
#include <fmt/format.h>

#include "sureflash/transport/virtual_driver.hpp"

namespace sureflash::scenarios {
namespace {

constexpr std::uint32_t kBase = 0x08000000;
constexpr std::size_t kUnits = 16;

Task<update::Outcome> update_unit(const image::Image& image) {
  const update::Target target = co_await update::identify();
  auto plan = update::make_plan(target, image);
  if (!plan) co_return fail(std::move(plan).error());
  update::Observations seen;
  co_return co_await update::program(target, *plan, seen);
}

/// Programs devices at the same time; `specs` are their profiles.
struct Many {
  explicit Many(const std::vector<std::string>& specs, const image::Image& image) {
    transport::VirtualDriver driver(transport::Clock::Virtual);
    for (const std::string& spec : specs) {
      devices.push_back(*sim::make_device(spec));
      driver.plug(fmt::format("sim-{}", devices.size()), devices.back()->usb());
    }
    results.resize(specs.size());
    for (std::size_t i = 0; i < specs.size(); ++i) {
      const auto started =
          driver.start_at<update::Outcome>(fmt::format("sim-{}", i + 1), update_unit(image), {},
                                           [this, i](Result<update::Outcome> result) {
                                             results[i] = std::move(result);
                                             order.push_back(i);
                                           });
      EXPECT_TRUE(started);
    }
    driver.run();
    took = driver.now();
  }

  bool holds(std::size_t i, const image::Image& image) const {
    Bytes actual(image.size());
    return devices[i]->chip().read(kBase, actual) && actual == image.segments().front().data;
  }

  std::vector<std::unique_ptr<sim::VirtualDevice>> devices;
  std::vector<std::optional<Result<update::Outcome>>> results;
  std::vector<std::size_t> order;
  Duration took{};
};

TEST(Many, SixteenCostTheTimeOfOne) {
  const auto image = make_program(kBase, 40'000);
  const Many one({"stm32f105,fill=noise"}, image);
  const Many all(std::vector<std::string>(kUnits, "stm32f105,fill=noise"), image);
  for (std::size_t i = 0; i < kUnits; ++i) {
    ASSERT_TRUE(all.results[i] && *all.results[i]);
    EXPECT_TRUE((*all.results[i])->proven);
    EXPECT_TRUE(all.holds(i, image));
  }
  EXPECT_GT(one.took, 1s);
  EXPECT_LE(one.took, one.devices.front()->usb().now()) << "no time passes but that of the device";
  EXPECT_LE(all.took * 100, one.took * 110);
}

TEST(Many, AFailingUnitDoesNotStopTheOthers) {
  const auto image = make_program(kBase, 20'000);
  const std::vector<std::string> faults{
      "fault=reset@40", "fault=vanish@60",    "wrp=0-3",
      "rdp=1",          "fault=drop-write@9", "fault=cut-during@900"};
  std::vector<std::string> specs;
  for (std::size_t i = 0; i < kUnits; ++i) {
    specs.push_back("stm32f105,fill=noise");
    if (i < faults.size()) specs.back() += "," + faults[i];
  }
  const Many all(specs, image);
  for (std::size_t i = 0; i < kUnits; ++i) {
    SCOPED_TRACE(specs[i]);
    ASSERT_TRUE(all.results[i]);
    EXPECT_EQ(all.results[i]->has_value(), i >= faults.size());
    EXPECT_EQ(all.holds(i, image), i >= faults.size());
  }
}

TEST(Many, SlowAndQuickUnitsEndInTheOrderOfTheirTime) {
  const auto image = make_program(kBase, 20'000);
  const Many all({"stm32f105,fill=noise,times=max", "stm32f105,fill=noise,times=typ",
                  "stm32f105,fill=noise,times=min"},
                 image);
  EXPECT_EQ(all.order, (std::vector<std::size_t>{2, 1, 0}));
}

TEST(Many, TheSameRunEachTime) {
  const auto image = make_program(kBase, 5'000);
  const std::vector<std::string> specs(5, "stm32f105,fill=noise");
  const Many first(specs, image);
  const Many second(specs, image);
  EXPECT_EQ(first.order, second.order);
  EXPECT_EQ(first.took, second.took);
}

TEST(Identify, TheUniqueIdIsReadWhereTheRomLetsIt) {
  for (const char* spec : {"stm32f105,seed=7", "stm32f302xb,seed=7", "stm32f042,seed=7"}) {
    SCOPED_TRACE(spec);
    Bench bench(spec);
    const auto target = bench.identified();
    ASSERT_TRUE(target) << message(target.error());
    ASSERT_TRUE(target->unique_id);
    EXPECT_TRUE(std::ranges::equal(*target->unique_id, bench.chip().unique_id()));
  }
  Bench closed("stm32f105,rom-read=0");
  EXPECT_FALSE(closed.identified()->unique_id);
  Bench f4("stm32f405");
  EXPECT_FALSE(f4.identified()->unique_id) << "outside what its ROM lets be read";
}

}  // namespace
}  // namespace sureflash::scenarios
