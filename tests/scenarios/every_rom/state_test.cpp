// Goal: a session begins well wherever the device was left: in any state of DFU that another
// program left behind, or in an application that knows how to get into the ROM. Method: raw
// requests on the virtual ROM of every line; the device says in which state it is.

#include "../device_states.hpp"
#include "every_rom.hpp"

#include "sureflash/update/dfu_mode.hpp"

namespace sureflash::scenarios {
namespace {

class FoundInAnyState : public EveryRom {};
INSTANTIATE_TEST_SUITE_P(Rom, FoundInAnyState, testing::ValuesIn(every_rom()), test_name);

TEST_P(FoundInAnyState, ItIsBroughtToIdleAndProgrammed) {
  const std::vector<std::pair<const char*, states::Make>> states{
      {"dfuIDLE", states::idle},
      {"dfuDNLOAD-SYNC", states::dnload_sync},
      {"dfuDNBUSY", states::dn_busy},
      {"dfuDNBUSY, erasing", states::erasing},
      {"dfuDNLOAD-IDLE", states::dnload_idle},
      {"dfuUPLOAD-IDLE", states::upload_idle},
      {"dfuERROR", states::error}};
  for (const char* keys : {"", ",held=0", ",held=1", ",held=strict", ",held=later"}) {
    for (const auto& [name, make] : states) {
      SCOPED_TRACE(testing::Message() << keys << " in " << name);
      Connection c(spec(keys));
      dfu::Client client(0);
      static_cast<void>(c.run(make(client)));
      const auto done = c.run(client.to_idle());
      EXPECT_TRUE(done) << message(done.error());
      const auto state = c.run(client.get_state());
      ASSERT_TRUE(state);
      EXPECT_EQ(*state, proto::DfuState::DfuIdle);

      const auto image = make_program(kBase, 3000);
      const auto target = c.run(update::identify());
      ASSERT_TRUE(target) << message(target.error());
      const auto plan = update::make_plan(*target, image);
      ASSERT_TRUE(plan) << message(plan.error());
      update::Observations seen;
      const auto outcome = c.run(update::program(*target, *plan, seen));
      ASSERT_TRUE(outcome) << message(outcome.error());
      EXPECT_TRUE(outcome->proven);
    }
  }
}

TEST_P(FoundInAnyState, AnApplicationWithDetachLeadsToItsRom) {
  for (const char* keys : {",runtime=1,detach=will", ",runtime=1,detach=reset"}) {
    SCOPED_TRACE(keys);
    Connection c(spec(keys));
    ASSERT_TRUE(c.run(update::enter_dfu_mode(update::kDfuModeTimeout)));
    const auto target = c.run(update::identify());
    ASSERT_TRUE(target) << message(target.error());
    EXPECT_EQ(target->loader, is_clone() ? update::Loader::Clone : update::Loader::Rom);
  }
}

}  // namespace
}  // namespace sureflash::scenarios
