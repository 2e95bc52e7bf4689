// Goal: a session begins well wherever the device was left: in any state of DFU that another
// program left behind, or in an application that knows how to get into the ROM. Method: raw
// requests on the virtual ROM of every line; the device says in which state it is.

#include "every_rom.hpp"

#include "sureflash/dfu/client.hpp"
#include "sureflash/update/dfu_mode.hpp"

namespace sureflash::scenarios {
namespace {

struct Connection {
  explicit Connection(const std::string& spec)
      : device(sim::make_device(spec).value()),
        transport(device->usb(), transport::Clock::Virtual) {
    EXPECT_TRUE(transport.open(20s));
  }
  template <class T>
  Result<T> run(Task<T> task) {
    return transport::run(transport, std::move(task));
  }
  std::unique_ptr<sim::VirtualDevice> device;
  transport::VirtualTransport transport;
};

/// Leaves the device in a state, by raw requests.
using MakeState = Task<> (*)(dfu::Client&);

Task<> dnload_sync(dfu::Client& c) {
  static const Bytes set_address{0x21, 0, 0, 0, 8};
  co_await c.dnload(0, set_address);
}
Task<> erasing(dfu::Client& c) {
  static const Bytes erase{0x41, 0, 0, 0, 8};
  co_await c.dnload(0, erase);
  co_await c.get_status();
}
Task<> dn_busy(dfu::Client& c) {
  co_await dnload_sync(c);
  co_await c.get_status();
}
Task<> dnload_idle(dfu::Client& c) {
  co_await dn_busy(c);
  co_await step(Wait{1s});
  co_await c.get_status();
}
Task<> upload_idle(dfu::Client& c) {
  Bytes b(64);
  co_await c.upload(2, b);
}
Task<> error(dfu::Client& c) {
  static const Bytes nonsense{0x77, 1, 2, 3, 4};
  static_cast<void>(co_await caught(c.dnload(0, nonsense)));
  static_cast<void>(co_await caught(c.get_status()));
  co_await step(Wait{1s});
  static_cast<void>(co_await caught(c.get_status()));
}
Task<> idle(dfu::Client&) {
  co_return;
}

class FoundInAnyState : public EveryRom {};
INSTANTIATE_TEST_SUITE_P(Rom, FoundInAnyState, testing::ValuesIn(every_rom()), test_name);

TEST_P(FoundInAnyState, ItIsBroughtToIdleAndProgrammed) {
  const std::vector<std::pair<const char*, MakeState>> states{{"dfuIDLE", idle},
                                                              {"dfuDNLOAD-SYNC", dnload_sync},
                                                              {"dfuDNBUSY", dn_busy},
                                                              {"dfuDNBUSY, erasing", erasing},
                                                              {"dfuDNLOAD-IDLE", dnload_idle},
                                                              {"dfuUPLOAD-IDLE", upload_idle},
                                                              {"dfuERROR", error}};
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
