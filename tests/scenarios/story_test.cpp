// Goal: the story this project starts from. The device accepts data and stores nothing; sureflash
// finds out after one page, and names the cause with its evidence. Method: the skeleton devices,
// both middleware generations, with every layout a user may have set.

#include <algorithm>

#include "scenario.hpp"

namespace sureflash::scenarios {
namespace {

constexpr std::uint32_t kBase = 0x08000000;
const char* const kF105Layout = "@Internal Flash  /0x08000000/128*002Kg";

struct Case {
  std::string spec;
  std::uint32_t base;
};

void expect_skeleton(const Case& c, const stm32::Chip* chip = nullptr) {
  SCOPED_TRACE(c.spec);
  Bench bench(c.spec);
  bench.identify.chip = chip;
  std::uint64_t written = 0;
  bench.observer.on_progress = [&](const Progress& p) {
    if (p.activity == Progress::Activity::Writing) written = p.done;
    return false;
  };
  const auto outcome = bench.program(make_program(c.base, 40'000));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::DataNotStored) << message(outcome.error());
  EXPECT_LE(written, 2048U) << "it must be found out after one page";
  EXPECT_LT(bench.took, 200ms);
  ASSERT_FALSE(bench.findings.empty());
  const update::Finding& f = bench.findings.front();
  EXPECT_EQ(f.id, "cubemx-skeleton");
  EXPECT_EQ(f.certainty, update::Certainty::Certain);
  const auto mentions = [&](std::string_view words) {
    return std::ranges::any_of(
        f.evidence, [&](const std::string& e) { return e.find(words) != std::string::npos; });
  };
  EXPECT_TRUE(mentions("the erase of")) << "which times";
  EXPECT_TRUE(mentions("the write of"));
  EXPECT_TRUE(mentions("needs at least"));
  EXPECT_TRUE(mentions("gives the same 64 bytes") || mentions("state 15")) << "which reads";
  EXPECT_EQ(f.what_to_do.size(), 3U);
}

TEST(Story, FoundOutAfterOnePage) {
  for (const char* middleware : {"2.5.3", "2.11.3"}) {
    const std::string spec = std::string("cubemx-skeleton,middleware=") + middleware;
    expect_skeleton({spec, 0x0800C000});
    expect_skeleton({spec + ",layout=" + kF105Layout, kBase});
    expect_skeleton({spec + ",layout=media", kBase}, stm32::find_chip("stm32f105"));
  }
}

TEST(Story, AReadOnlyTemplateLayoutIsRespectedAndStillExplained) {
  for (const char* middleware : {"2.5.3", "2.11.3"}) {
    Bench bench(std::string("cubemx-skeleton,middleware=") + middleware);
    transport::VirtualTransport transport(bench.device().usb(), transport::Clock::Virtual);
    ASSERT_TRUE(transport.open(5s));
    const auto target = transport::run(transport, update::identify());
    ASSERT_TRUE(target);
    const auto plan = update::make_plan(*target, make_program(kBase, 4000));
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code, Errc::NotWritable);
    const auto findings = transport::run(transport, update::diagnose(*target, plan.error(), {}));
    ASSERT_TRUE(findings);
    ASSERT_FALSE(findings->empty());
    EXPECT_EQ(findings->front().id, "cubemx-skeleton");
  }
}

TEST(Story, HealthyDevicesAreNotAccused) {
  for (const char* spec : {"stm32f105", "stm32f105,rom=2.0", "st-f107-example,fill=noise"}) {
    SCOPED_TRACE(spec);
    Bench bench(spec);
    transport::VirtualTransport transport(bench.device().usb(), transport::Clock::Virtual);
    ASSERT_TRUE(transport.open(5s));
    const auto target = transport::run(transport, update::identify());
    ASSERT_TRUE(target);
    for (const Errc code : {Errc::NotWritable, Errc::VerifyMismatch, Errc::Stalled}) {
      const auto findings = transport::run(transport, update::diagnose(*target, Error(code), {}));
      ASSERT_TRUE(findings);
      EXPECT_TRUE(findings->empty()) << findings->front().headline;
    }
  }
}

TEST(Story, TheSameCommandWorksOnceTheCauseIsGone) {
  // The way out: the ROM bootloader of the same chip.
  const auto image = make_program(kBase, 40'000);
  Bench rom("stm32f105,fill=app");
  const auto outcome = rom.program(image);
  ASSERT_TRUE(outcome) << message(outcome.error());
  EXPECT_TRUE(rom.holds(image));
}

}  // namespace
}  // namespace sureflash::scenarios
