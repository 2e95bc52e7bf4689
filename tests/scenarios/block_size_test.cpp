// Goal: whatever wTransferSize a device announces, blocks are whole write units that arrive where
// they belong, with as few Set Address commands as that takes. Method: the ROMs of all lines with
// good, odd and impossible sizes; the wire is counted, the chip is the judge.

#include "scenario.hpp"
#include <fmt/format.h>

#include "sureflash/proto/dfuse.hpp"

namespace sureflash::scenarios {
namespace {

constexpr std::uint32_t kBase = 0x08000000;

/// Counts the Set Address commands that go before a write.
class Counting final : public transport::Transport {
 public:
  explicit Counting(transport::Transport& under) : under_(under) {}
  Answer perform(const Step& step) override {
    if (const auto* t = std::get_if<ControlTransfer>(&step); t != nullptr && !t->setup.is_in()) {
      const auto code = std::to_underlying(proto::DfuSeCommand::SetAddressPointer);
      const bool writes = t->setup.wValue >= proto::kFirstDataBlock && !t->out.empty();
      if (writes && is_set_) ++set_addresses;
      is_set_ = t->setup.wValue == proto::kCommandBlock && t->out.size() == 5 && t->out[0] == code;
    }
    return under_.perform(step);
  }
  Duration now() const override { return under_.now(); }

  std::size_t set_addresses = 0;

 private:
  transport::Transport& under_;
  bool is_set_ = false;
};

TEST(BlockSize, WholeUnitsArriveWhereTheyBelong) {
  const auto image = make_program(kBase, 2 * 9000 + 4);
  for (const std::string_view chip : sim::chip_profiles()) {
    for (const int size : {32, 64, 100, 1000, 1024, 2048, 4096, 6000, 8192, 65535}) {
      for (const char* counted_in : {"wtransfersize", "wlength"}) {
        const auto spec =
            fmt::format("{},fill=noise,transfer-size={},block-address={}", chip, size, counted_in);
        SCOPED_TRACE(spec);
        const stm32::Chip* data = stm32::find_chip(chip);
        Bench bench(spec);
        bench.identify.chip = data;
        const auto outcome = bench.program(image);
        ASSERT_TRUE(outcome) << message(outcome.error());
        EXPECT_TRUE(outcome->proven);
        EXPECT_TRUE(bench.holds(image));
        const auto unit = std::max(data->program_unit, data->write_alignment);
        EXPECT_EQ(bench.plan.block_size, static_cast<unsigned>(std::min(size, 4096)) / unit * unit);
      }
    }
  }
}

TEST(BlockSize, LessThanAWriteUnitIsRefusedBeforeAnythingIsChanged) {
  Bench bench("stm32h503,fill=noise,transfer-size=8");
  const auto outcome = bench.program(make_program(kBase, 1000));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::Misaligned) << message(outcome.error());
  EXPECT_EQ(bench.chip().operations().count(), 0U);
}

TEST(BlockSize, ThePlanSaysHowManySetAddresses) {
  for (const char* spec : {"stm32f105", "stm32f105,transfer-size=1000",
                           "stm32l432,transfer-size=100", "stm32f105,transfer-size=8192"}) {
    SCOPED_TRACE(spec);
    const auto image = make_program(kBase, 9000);
    Bench bench(spec);
    transport::VirtualTransport under(bench.device().usb(), transport::Clock::Virtual);
    Counting wire(under);
    ASSERT_TRUE(under.open(20s));
    const auto target = transport::run(wire, update::identify());
    ASSERT_TRUE(target);
    const auto plan = update::make_plan(*target, image);
    ASSERT_TRUE(plan);
    update::Observations seen;
    wire.set_addresses = 0;
    ASSERT_TRUE(transport::run(wire, update::program(*target, *plan, seen)));
    // One more for the trial block, which is written out of its turn.
    EXPECT_GE(wire.set_addresses, plan->set_addresses);
    EXPECT_LE(wire.set_addresses, plan->set_addresses + 1);
    if (plan->block_size == target->wTransferSize()) {
      EXPECT_LT(plan->set_addresses, 8U);
    } else {
      EXPECT_GE(plan->set_addresses, 9000U / plan->block_size) << "each block needs one";
    }
  }
}

TEST(BlockSize, TheAlternativesAreNamed) {
  const auto names = [](const char* spec) {
    Bench bench(spec);
    EXPECT_TRUE(bench.program(make_program(kBase, 9000)));
    std::string list;
    for (const update::Alternative& a : bench.plan.block_alternatives) {
      list += (a.chosen ? "" : "not ") + a.name + "; ";
      if (a.reason.starts_with("each")) {
        EXPECT_GT(a.estimate.total(), bench.plan.estimate.total());
      }
      EXPECT_EQ(a.reason.empty(), a.chosen);
    }
    return list;
  };
  EXPECT_EQ(names("stm32f105"), "2 KiB; not 1 KiB; ");
  EXPECT_EQ(names("stm32g431,transfer-size=1004"), "1000 bytes; not 1004 bytes; not 496 bytes; ");
  EXPECT_EQ(names("stm32f105,transfer-size=8192"), "4 KiB; not 8 KiB; not 2 KiB; ");
}

}  // namespace
}  // namespace sureflash::scenarios
