// Goal: what is true of our own core in process is true on the wire: the same jobs through real
// libusb. Method: identify, plan and program as the command does, with LibusbTransport on a testbed
// that this program serves itself (the preload library is loaded by starting anew, see
// preload.cpp); the chip is asked afterwards.
#include <random>

#include "conformance_fixture.hpp"

#include "sureflash/transport/libusb/async.hpp"
#include "sureflash/transport/libusb/transport.hpp"
#include "sureflash/transport/trace/recorder.hpp"
#include "sureflash/update/diagnose.hpp"
#include "sureflash/update/program.hpp"

namespace sureflash::sim {
namespace {

using transport::LibusbTransport;
using transport::Selector;

constexpr std::uint32_t kBase = 0x08000000;

image::Image make_program(std::uint32_t base, std::size_t size) {
  Bytes bytes(size);
  std::mt19937 random(1);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  store_le32(bytes, 0, 0x20010000);
  store_le32(bytes, 4, base + 9);
  image::Image image;
  EXPECT_TRUE(image.insert(base, bytes));
  return image;
}

class Sureflash : public ConformanceFixture {
 protected:
  void SetUp() override {
    ConformanceFixture::SetUp();
    ::setenv("UMOCKDEV_DIR", (folder_ / "t").c_str(), 1);
  }

  Result<update::Outcome> program(transport::Transport& transport, const image::Image& image) {
    TRY_ASSIGN(const update::Target target, transport::run(transport, update::identify({})));
    TRY_ASSIGN(const update::Plan plan, update::make_plan(target, image, {}));
    seen_ = {};
    return transport::run(transport, update::program(target, plan, seen_));
  }
  Result<update::Outcome> program(const image::Image& image) {
    TRY_ASSIGN(const auto transport, LibusbTransport::open({}));
    return program(*transport, image);
  }

  bool holds(const image::Image& image) {
    for (const image::Segment& segment : image.segments()) {
      if (flash(segment.address - kBase, segment.data.size()) != segment.data) return false;
    }
    return true;
  }

  update::Observations seen_;
};

TEST_F(Sureflash, ProgramsWithProof) {
  plug("stm32f105,poll=0,fill=noise");
  const auto image = make_program(kBase, 20'001);
  const auto outcome = program(image);
  ASSERT_TRUE(outcome) << message(outcome.error());
  EXPECT_TRUE(outcome->proven);
  EXPECT_TRUE(holds(image));
}

TEST_F(Sureflash, FindsSilentWriteProtection) {
  plug("stm32f105,poll=0,wrp=0-3,fill=app");
  const Bytes before = flash(0, 8192);
  const auto outcome = program(make_program(kBase, 8192));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::WriteProtected) << message(outcome.error());
  EXPECT_EQ(flash(0, 8192), before);
}

TEST_F(Sureflash, FindsThatTheSkeletonStoresNothing) {
  plug("cubemx-skeleton,layout=@Internal Flash   /0x08000000/128*002Kg,middleware=2.5.3");
  const auto outcome = program(make_program(0x08008000, 4096));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::DataNotStored) << message(outcome.error());
}

TEST_F(Sureflash, PulledPlugIsDisconnectedAndTheNextRunFinishes) {
  plug("stm32f105,poll=0,fault=vanish@100");
  const auto image = make_program(kBase, 20'000);
  const auto first = program(image);
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, Errc::Disconnected) << message(first.error());
  {
    const std::scoped_lock lock(loop_.mutex());
    testbed_->port("1-1").set_vbus(true);
  }
  EXPECT_TRUE(eventually([&] { return testbed_->device_number("1-1") == 3; }));
  const auto second = program(image);
  EXPECT_TRUE(second) << message(second.error());
  EXPECT_TRUE(holds(image));
}

TEST_F(Sureflash, RecordedSessionReplaysToTheSameEnd) {
  plug("stm32f105,poll=0");
  const auto image = make_program(kBase, 4096);
  std::string text;
  {
    auto inner = LibusbTransport::open({});
    ASSERT_TRUE(inner);
    transport::trace::Recorder recorder(
        **inner, transport::trace::Log([&](std::string_view line) { text += line; },
                                       transport::trace::Firmware::Included));
    ASSERT_TRUE(program(recorder, image));
  }
  auto trace = transport::trace::parse(text);
  ASSERT_TRUE(trace) << message(trace.error());
  transport::trace::Replay replay(std::move(*trace));
  const auto again = program(replay, image);
  EXPECT_TRUE(again) << replay.deviation();
  EXPECT_TRUE(replay.at_end());
}

}  // namespace
}  // namespace sureflash::sim
