// Goal: plain DFU 1.1: from run-time to DFU mode, download, manifestation, upload; and the way back
// to dfuIDLE from every state a device can be found in. Method: a virtual device that keeps to the
// state table of DFU 1.1, A.1; DfuSe firmware of ST for theirs (ROMs: every_rom/state_test.cpp).

#include "device_states.hpp"

#include "sureflash/update/dfu_mode.hpp"

namespace sureflash::scenarios {
namespace {

/// With a vector table, without which the device refuses it.
Bytes firmware_of(std::size_t size) {
  return make_program(0x08000000, size).segments().front().data;
}

TEST(Dfu11, FromRunTimeToDfuModeAndThrough) {
  for (const char* spec :
       {"dfu11,runtime=1,detach=will,tolerant=1", "dfu11,runtime=1,detach=reset,tolerant=1"}) {
    SCOPED_TRACE(spec);
    Connection c(spec);
    const auto running = c.run(update::identify());
    ASSERT_TRUE(running);
    EXPECT_EQ(running->descriptors.dfu.mode, dfu::Mode::RunTime);
    EXPECT_FALSE(update::make_plan(*running, make_program(0x08000000, 100)));
    const auto entered = c.run(update::enter_dfu_mode(update::kDfuModeTimeout));
    ASSERT_TRUE(entered) << message(entered.error());
    EXPECT_EQ(*entered, update::EnteredDfuMode::Detached);
    const auto target = c.run(update::identify());
    ASSERT_TRUE(target) << message(target.error());
    EXPECT_FALSE(target->descriptors.dfu.dfuse);
    update::Observations seen;
    const Bytes firmware = firmware_of(10'000);
    const auto outcome = c.run(update::download(*target, firmware, seen));
    ASSERT_TRUE(outcome) << message(outcome.error());
    EXPECT_TRUE(outcome->proven);
  }
}

TEST(Dfu11, ADeviceThatIsNotTolerantIsWrittenButNotProven) {
  Connection c("dfu11,tolerant=0");
  const auto target = c.run(update::identify());
  ASSERT_TRUE(target) << message(target.error());
  update::Observations seen;
  const auto outcome = c.run(update::download(*target, firmware_of(5000), seen));
  ASSERT_TRUE(outcome) << message(outcome.error());
  EXPECT_FALSE(outcome->proven);
}

TEST(ToIdle, FromEveryState) {
  const std::vector<std::pair<const char*, states::Make>> states{
      {"dfuIDLE", states::idle},
      {"dfuDNLOAD-SYNC", states::dnload_sync},
      {"dfuDNBUSY", states::dn_busy},
      {"dfuDNLOAD-IDLE", states::dnload_idle},
      {"dfuUPLOAD-IDLE", states::upload_idle},
      {"dfuERROR", states::error}};
  for (const char* spec : {"cubemx-skeleton,middleware=2.5.3", "cubemx-skeleton,middleware=2.11.3",
                           "st-f107-example"}) {
    for (const auto& [name, make] : states) {
      SCOPED_TRACE(testing::Message() << spec << " in " << name);
      Connection c(spec);
      dfu::Client client(0);
      static_cast<void>(c.run(make(client)));
      const auto done = c.run(client.to_idle());
      EXPECT_TRUE(done) << message(done.error());
      const auto state = c.run(client.get_state());
      ASSERT_TRUE(state);
      EXPECT_EQ(*state, proto::DfuState::DfuIdle);
    }
  }
}

}  // namespace
}  // namespace sureflash::scenarios
