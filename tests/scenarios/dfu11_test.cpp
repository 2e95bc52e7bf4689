// Goal: plain DFU 1.1: from run-time to DFU mode, download, manifestation, upload; and the way back
// to dfuIDLE from every state a device can be found in. Method: a virtual device that keeps to the
// state table of DFU 1.1, A.1; DfuSe firmware of ST for theirs (ROMs: every_rom/state_test.cpp).

#include "scenario.hpp"

#include "sureflash/dfu/client.hpp"
#include "sureflash/update/dfu_mode.hpp"

namespace sureflash::scenarios {
namespace {

/// With a vector table, without which the device refuses it.
Bytes firmware_of(std::size_t size) {
  return make_program(0x08000000, size).segments().front().data;
}

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

/// Leaves the device in a state, by raw requests.
using MakeState = Task<> (*)(dfu::Client&);

Task<> dnload_sync(dfu::Client& c) {
  static const Bytes set_address{0x21, 0, 0, 0, 8};
  co_await c.dnload(0, set_address);
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

TEST(ToIdle, FromEveryState) {
  const std::vector<std::pair<const char*, MakeState>> states{{"dfuIDLE", idle},
                                                              {"dfuDNLOAD-SYNC", dnload_sync},
                                                              {"dfuDNBUSY", dn_busy},
                                                              {"dfuDNLOAD-IDLE", dnload_idle},
                                                              {"dfuUPLOAD-IDLE", upload_idle},
                                                              {"dfuERROR", error}};
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
