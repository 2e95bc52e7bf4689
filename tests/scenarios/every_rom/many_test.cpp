// Goal: many devices at once cost the time of one, each is treated as if it were alone, whatever
// the others are, and one that fails holds up nobody. Method: VirtualDriver in virtual time; 16 of
// every line, and all lines side by side; the chips are the judges.

#include "every_rom.hpp"

#include "sureflash/transport/virtual_driver.hpp"

namespace sureflash::scenarios {
namespace {

constexpr std::size_t kUnits = 16;

Task<update::Outcome> update_unit(const image::Image& image) {
  const update::Target target = co_await update::identify();
  update::PlanOptions options;
  options.survey = co_await update::survey(target, image, options);
  auto plan = update::make_plan(target, image, options);
  if (!plan) co_return fail(std::move(plan).error());
  update::Observations seen;
  co_return co_await update::program(target, *plan, seen);
}

/// Programs devices at the same time; `specs` are their profiles.
struct Together {
  explicit Together(const std::vector<std::string>& specs, const image::Image& image)
      : results(specs.size()), ended(specs.size()) {
    transport::VirtualDriver driver(transport::Clock::Virtual);
    for (const std::string& spec : specs) {
      devices.push_back(*sim::make_device(spec));
      driver.plug(fmt::format("sim-{}", devices.size()), devices.back()->usb());
    }
    for (std::size_t i = 0; i < specs.size(); ++i) {
      const auto started =
          driver.start_at<update::Outcome>(fmt::format("sim-{}", i + 1), update_unit(image), {},
                                           [this, i, &driver](Result<update::Outcome> result) {
                                             results[i] = std::move(result);
                                             ended[i] = driver.now();
                                           });
      EXPECT_TRUE(started);
    }
    driver.run();
    took = driver.now();
  }

  bool done(std::size_t i) const { return results[i] && *results[i] && (*results[i])->proven; }
  bool holds(std::size_t i, const image::Image& image) const {
    Bytes actual(image.size());
    return devices[i]->chip().read(kBase, actual) && actual == image.segments().front().data;
  }

  std::vector<std::unique_ptr<sim::VirtualDevice>> devices;
  std::vector<std::optional<Result<update::Outcome>>> results;
  std::vector<Duration> ended;
  Duration took{};
};

/// What may be wrong with a unit, and always ends in an error.
const char* const kFaults[] = {",fault=reset@40", ",fault=vanish@50",    ",wrp=0",
                               ",rdp=1",          ",fault=drop-write@9", ",fault=cut-during@20"};

class Many : public EveryRom {};
INSTANTIATE_TEST_SUITE_P(Rom, Many, testing::ValuesIn(every_rom()), test_name);

TEST_P(Many, SixteenCostTheTimeOfOne) {
  const auto image = make_program(kBase, 20'000);
  const Together one({spec(",fill=noise")}, image);
  const Together all(std::vector<std::string>(kUnits, spec(",fill=noise")), image);
  for (std::size_t i = 0; i < kUnits; ++i) {
    ASSERT_TRUE(all.done(i));
    EXPECT_TRUE(all.holds(i, image));
  }
  EXPECT_GT(one.took, 300ms);
  EXPECT_LE(all.took * 100, one.took * 110);
}

TEST_P(Many, AFailingUnitDoesNotStopTheOthers) {
  const auto image = make_program(kBase, 20'000);
  std::vector<std::string> specs(kUnits, spec(",fill=noise"));
  for (std::size_t i = 0; i < std::size(kFaults); ++i) specs[i] += kFaults[i];
  const Together all(specs, image);
  for (std::size_t i = 0; i < kUnits; ++i) {
    SCOPED_TRACE(specs[i]);
    EXPECT_EQ(all.done(i), i >= std::size(kFaults));
    EXPECT_EQ(all.holds(i, image), i >= std::size(kFaults));
  }
}

TEST_P(Many, SlowAndQuickUnitsEndInTheOrderOfTheirTime) {
  const auto image = make_program(kBase, 20'000);
  const Together all({spec(",fill=noise,times=max,poll=0"), spec(",fill=noise,times=typ,poll=0"),
                      spec(",fill=noise,times=min,poll=0")},
                     image);
  for (const std::size_t i : {0U, 1U, 2U}) EXPECT_TRUE(all.done(i)) << i;
  EXPECT_GE(all.ended[1], all.ended[2]);
  EXPECT_GE(all.ended[0], all.ended[1]);
  EXPECT_EQ(all.took, all.ended[0]);
}

/// A production line with a mixed fleet: one unit of every line, and then every fifth with a fault.
class MixedFleet : public testing::Test {
 protected:
  static std::vector<std::string> fleet(bool with_faults) {
    std::vector<std::string> specs = every_rom();
    for (std::size_t i = 0; i < specs.size(); ++i) {
      specs[i] += ",fill=noise";
      if (with_faults && is_faulty(i)) specs[i] += kFaults[i / 5 % std::size(kFaults)];
    }
    return specs;
  }
  static bool is_faulty(std::size_t i) { return i % 5 == 0; }

  const image::Image image_ = make_program(kBase, 20'000);
};

TEST_F(MixedFleet, EachUnitTakesAsLongAsAlone) {
  const auto specs = fleet(false);
  const Together all(specs, image_);
  Duration slowest{};
  for (std::size_t i = 0; i < specs.size(); ++i) {
    SCOPED_TRACE(specs[i]);
    EXPECT_TRUE(all.done(i));
    EXPECT_TRUE(all.holds(i, image_));
    const Together alone({specs[i]}, image_);
    EXPECT_EQ(all.ended[i], alone.took);
    slowest = std::max(slowest, alone.took);
  }
  EXPECT_EQ(all.took, slowest);
}

TEST_F(MixedFleet, AFailingUnitDoesNotStopTheOthers) {
  const auto specs = fleet(true);
  const Together all(specs, image_);
  const Together healthy(fleet(false), image_);
  for (std::size_t i = 0; i < specs.size(); ++i) {
    SCOPED_TRACE(specs[i]);
    EXPECT_EQ(all.done(i), !is_faulty(i));
    EXPECT_EQ(all.holds(i, image_), !is_faulty(i));
    if (!is_faulty(i)) {
      EXPECT_EQ(all.ended[i], healthy.ended[i]) << "nor hold them up";
    }
  }
}

TEST_F(MixedFleet, TheSameRunEachTime) {
  const auto specs = fleet(true);
  const Together first(specs, image_);
  const Together second(specs, image_);
  EXPECT_EQ(first.ended, second.ended);
  EXPECT_EQ(first.took, second.took);
}

}  // namespace
}  // namespace sureflash::scenarios
