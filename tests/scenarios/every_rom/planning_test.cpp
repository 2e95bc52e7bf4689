// Goal: of the ways to program, the cheapest that is allowed on this line is taken, and what it is
// said to take is what it takes. Method: plans as values, against the table of chips (mass erases
// that ROMs lack, times that nobody published); virtual time of whole runs; counts of operations.

#include "every_rom.hpp"

namespace sureflash::scenarios {
namespace {

class Planning : public EveryRom {
 protected:
  static const update::Alternative& mass_erase(const update::Plan& plan) {
    return *std::ranges::find(plan.alternatives, "mass erase", &update::Alternative::name);
  }
  static const update::Alternative& sector_erase(const update::Plan& plan) {
    return *std::ranges::find(plan.alternatives, "sector erase", &update::Alternative::name);
  }
  /// What speaks against a mass erase on this line, whatever it would cost.
  std::string_view forbidden() const {
    if (data().has(proto::kMassEraseUnreliable)) return "missing or broken";
    if (data().has(proto::kBankTwoEraseUnreliable)) return "bank 2";
    return data().mass_erase.known() ? "" : "not known";
  }
  /// A mass erase exactly where it is allowed and quicker, with the reason if not.
  void expect_cheapest(const update::Plan& plan) const {
    const auto cost = [](const update::Alternative& way) { return way.estimate.total(); };
    const bool quicker = plan.estimate.known && cost(mass_erase(plan)) < cost(sector_erase(plan));
    EXPECT_EQ(plan.mass_erase, forbidden().empty() && quicker);
    EXPECT_EQ(mass_erase(plan).chosen, plan.mass_erase);
    EXPECT_EQ(sector_erase(plan).chosen, !plan.mass_erase);
    EXPECT_TRUE(plan.alternatives.front().chosen);
    if (plan.mass_erase) return;
    const std::string_view reason = forbidden().empty() ? "not faster" : forbidden();
    EXPECT_NE(mass_erase(plan).reason.find(reason), std::string::npos) << mass_erase(plan).reason;
  }
};
INSTANTIATE_TEST_SUITE_P(Rom, Planning, testing::ValuesIn(every_rom()), test_name);

TEST_P(Planning, MassEraseOnlyWhereNothingIsLostOrTheUserAllowsIt) {
  const auto image = make_program(kBase, usable().size() - sectors().back().size());
  Bench part = named(",fill=noise");
  const Bytes before = part.flash(all());
  ASSERT_TRUE(part.program(image));
  EXPECT_FALSE(part.plan.mass_erase);
  EXPECT_NE(mass_erase(part.plan).reason.find("--may-wipe"), std::string::npos);
  expect_flash(part, expected(image, before));

  const auto other = make_program(kBase, image.size(), 2);
  const auto outcome = part.program(other, {.may_wipe = true});
  ASSERT_TRUE(outcome) << message(outcome.error());
  EXPECT_TRUE(part.holds(other));
  expect_cheapest(part.plan);
  if (part.plan.mass_erase) {
    expect_flash(part, expected(other, wiped(before)));
  } else {
    expect_flash(part, expected(other, before));
  }
}

TEST_P(Planning, AnImageOfTheWholeFlashLosesNothingByAMassErase) {
  Bench whole = named(",fill=noise");
  const Bytes before = whole.flash(all());
  const auto image = whole_flash();
  const auto outcome = whole.program(image);
  ASSERT_TRUE(outcome) << message(outcome.error());
  expect_flash(whole, expected(image, before));
  if (shows_end()) {
    expect_cheapest(whole.plan);
  } else {
    EXPECT_FALSE(whole.plan.mass_erase);
    EXPECT_NE(mass_erase(whole.plan).reason.find("--may-wipe"), std::string::npos)
        << "what is above it may be somebody's";
  }
  const auto erases = whole.chip().operations().erase_count();
  EXPECT_EQ(erases, whole.plan.mass_erase ? 2U : sectors().size())
      << "the vectors first, then everything";
}

TEST_P(Planning, AnUnknownChipIsNeverWiped) {
  Bench bench(spec(",fill=noise"));
  const auto image = whole_flash();
  ASSERT_TRUE(bench.program(image, {.may_wipe = true}));
  EXPECT_TRUE(bench.holds(image));
  if (bench.identified()->chip == nullptr) {
    EXPECT_FALSE(bench.plan.mass_erase);
    EXPECT_FALSE(bench.plan.estimate.known);
  } else {
    expect_cheapest(bench.plan);
  }
}

TEST_P(Planning, AMassEraseThatDoesNotWorkIsNeverADone) {
  for (const char* mass : {"refused", "ignored", "half", "works"}) {
    SCOPED_TRACE(mass);
    for (const std::size_t size : {std::size_t{5000}, std::size_t{usable().size()}}) {
      Bench bench = named(fmt::format(",fill=noise,mass-erase={}", mass));
      const auto image = make_program(kBase, size);
      const auto outcome = bench.program(image, {.may_wipe = true});
      EXPECT_FALSE(outcome && outcome->proven && !bench.holds(image));
      if (std::string_view(mass) == "works" || !bench.plan.mass_erase) {
        EXPECT_TRUE(outcome && outcome->proven);
      } else if (std::string_view(mass) != "half" || size > all().size() / 2) {
        EXPECT_FALSE(outcome);  // half is enough for a small image
      }
      const auto again = bench.update(make_program(kBase, 5000));
      EXPECT_TRUE(again) << message(again.error());
      EXPECT_TRUE(bench.holds(make_program(kBase, 5000)));
    }
  }
}

/// A blank chip may have been wiped half, and where a mass erase is allowed it is wiped again; one
/// from the factory is not. What is not blank is erased all the same.
TEST_P(Planning, ANewChipIsNotErasedAgain) {
  const auto image = whole_flash();
  Bench fresh = named();
  ASSERT_TRUE(fresh.update(image, {.new_chip = true}));
  EXPECT_FALSE(fresh.plan.mass_erase);
  EXPECT_EQ(fresh.chip().operations().erase_count(), 1U) << "the guard, for the trial";
  EXPECT_TRUE(fresh.holds(image));
  const auto other = whole_flash(2);
  ASSERT_TRUE(fresh.update(other, {.new_chip = true}));
  EXPECT_TRUE(fresh.holds(other));
}

TEST_P(Planning, EstimatesAreWhatItTakes) {
  for (const char* held : {"0", "1"}) {
    SCOPED_TRACE(held);
    Bench bench = named(fmt::format(",fill=noise,poll=datasheet,held={}", held));
    const auto outcome =
        bench.program(make_program(kBase, std::min(data().flash_size_max, 60'000U)));
    ASSERT_TRUE(outcome) << message(outcome.error());
    const bool known = data().program.known() && data().sector_erase.known();
    ASSERT_EQ(bench.plan.estimate.known, known);
    if (!known) continue;
    const auto expect_near = [](Duration expected, Duration actual) {
      EXPECT_GT(actual * 10, expected * 8);
      EXPECT_LT(actual * 10, expected * 14);
    };
    // Together: the trial block is written and read back while sectors are erased.
    expect_near(bench.plan.estimate.erase + bench.plan.estimate.write,
                outcome->erase_time + outcome->write_time);
  }
}

}  // namespace
}  // namespace sureflash::scenarios
