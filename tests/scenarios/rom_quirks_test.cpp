// Goal: each quirk of a ROM that a careful host bears without being told is a real trap: the ROM
// with it defeats a client that follows the documents, the ROM without it does not, and sureflash
// succeeds on both; and every quirk there is has a test of its name. Method: NaiveClient is written
// from DFU 1.1 and AN3156; without= takes the quirk away from the virtual ROM.

#include "naive_client.hpp"
#include "scenario.hpp"

#include "sureflash/update/protection.hpp"

namespace sureflash::scenarios {
namespace {

constexpr std::uint32_t kBase = 0x08000000;

/// `job(client, device)` with the ROM as it is and without the quirk.
template <class Job>
void expect_trap(const std::string& spec, proto::ChipQuirk quirk, const Job& job) {
  const std::string name(proto::quirk_name(quirk));
  for (const bool with : {true, false}) {
    SCOPED_TRACE(with ? "with " + name : "without " + name);
    Bench bench(with ? spec : spec + ",without=" + name);
    NaiveClient client(bench.device().usb());
    EXPECT_EQ(job(client, bench), !with);
  }
}

/// sureflash does `job(bench)` on both.
template <class Job>
void expect_borne(const std::string& spec, proto::ChipQuirk quirk, const Job& job) {
  for (const std::string& keys : {std::string(), ",without=" + std::string(quirk_name(quirk))}) {
    SCOPED_TRACE(spec + keys);
    Bench bench(spec + keys);
    job(bench);
  }
}

void programs(Bench& bench, std::uint32_t base = kBase, std::size_t size = 5300) {
  const auto image = make_program(base, size);
  const auto outcome = bench.program(image);
  ASSERT_TRUE(outcome) << message(outcome.error());
  EXPECT_TRUE(outcome->proven);
  EXPECT_TRUE(bench.holds(image));
}

TEST(Quirk, MassEraseAnnouncedShort) {
  const char* spec = "stm32f405,fill=noise";
  expect_trap(spec, proto::kMassEraseAnnouncedShort,
              [](NaiveClient& client, Bench&) { return client.mass_erase(); });
  expect_borne(spec, proto::kMassEraseAnnouncedShort, [](Bench& bench) {
    const auto erased = bench.run<update::Outcome>(
        [&](const update::Target& target) -> Result<Task<update::Outcome>> {
          return update::erase_all(target, bench.seen);
        });
    ASSERT_TRUE(erased) << message(erased.error());
    EXPECT_TRUE(erased->proven);
  });
}

TEST(Quirk, StuckBusyHighSectors) {
  const char* spec = "stm32h743,fill=noise";
  constexpr std::uint32_t kSector8 = 0x08100000;
  expect_trap(spec, proto::kStuckBusyHighSectors,
              [](NaiveClient& client, Bench&) { return client.erase(kSector8); });
  expect_borne(spec, proto::kStuckBusyHighSectors, [](Bench& bench) { programs(bench, kSector8); });
}

TEST(Quirk, ClrStatusStalls) {
  const char* spec = "stm32c591,fill=noise";
  expect_trap(spec, proto::kClrStatusStalls,
              [](NaiveClient& client, Bench&) { return client.clr_status() && client.is_idle(); });
  expect_borne(spec, proto::kClrStatusStalls, [](Bench& bench) { programs(bench); });
}

TEST(Quirk, NoFunctionalDescriptor) {
  const char* spec = "stm32c591,fill=noise";
  expect_trap(spec, proto::kNoFunctionalDescriptor,
              [](NaiveClient& client, Bench&) { return client.transfer_size() == 1024; });
  expect_borne(spec, proto::kNoFunctionalDescriptor, [](Bench& bench) { programs(bench); });
}

TEST(Quirk, TransferSize1024DefeatsWhoAlwaysSends2048) {
  const char* spec = "stm32c591";
  expect_trap(spec, proto::kTransferSize1024,
              [](NaiveClient& client, Bench&) { return client.write(kBase, Bytes(2048, 0x5A)); });
  expect_borne(spec, proto::kTransferSize1024, [](Bench& bench) { programs(bench); });
}

TEST(Quirk, CorruptsOddLengths) {
  // Done or refused, as long as it is true. AN2606: an L4 wants multiples of 8; V9.1 of L43x takes
  // others and stores something else.
  const char* spec = "stm32l432";
  const Bytes data(300, 0x5A);
  expect_trap(spec, proto::kCorruptsOddLengths, [&](NaiveClient& client, Bench& bench) {
    const bool says_done = client.write(kBase, data);
    return !says_done || bench.flash(AddressRange::sized(kBase, data.size())) == data;
  });
  expect_borne(spec, proto::kCorruptsOddLengths,
               [](Bench& bench) { programs(bench, kBase, 2048 + 300); });
}

TEST(Quirk, StallsWhenPolledEarly) {
  for (const char* spec : {"stm32l432,fill=noise", "stm32l475,fill=noise"}) {
    expect_trap(spec, proto::kStallsWhenPolledEarly,
                [](NaiveClient& client, Bench&) { return client.erase(kBase); });
    expect_borne(spec, proto::kStallsWhenPolledEarly, [](Bench& bench) { programs(bench); });
  }
}

TEST(Quirk, LeavesAtDownload) {
  for (const char* spec : {"gd32vf103,fill=app", "gd32vf103,fill=app,leave=vanish"}) {
    const std::string with_answer =
        std::string(spec).substr(0, std::string_view("gd32vf103,fill=app").size());
    // Without the quirk leave=vanish is another story, that of ROMs that do not answer.
    expect_trap(with_answer, proto::kLeavesAtDownload, [](NaiveClient& client, Bench&) {
      return client.set_address(kBase) && client.leave();
    });
    expect_borne(spec, proto::kLeavesAtDownload, [](Bench& bench) {
      const auto started = bench.run<update::Started>(
          [](const update::Target& target) -> Result<Task<update::Started>> {
            return update::start_and_watch(target, kBase, 3s);
          });
      ASSERT_TRUE(started) << message(started.error());
      EXPECT_EQ(bench.device().application(), kBase);
    });
  }
}

TEST(Quirk, UnprotectAnswersIdle) {
  for (const char* spec : {"at32f415,rdp=1", "at32f415,rdp=1,unprotect=idle-resets"}) {
    if (std::string_view(spec).find("resets") == std::string_view::npos) {
      expect_trap(spec, proto::kUnprotectAnswersIdle,
                  [](NaiveClient& client, Bench&) { return client.read_unprotect(); });
    }
    Bench bench(spec);
    EXPECT_TRUE(bench.identified()->is_read_protected());
    const auto done = bench.run<update::AfterReset>(
        [](const update::Target& target) -> Result<Task<update::AfterReset>> {
          return update::remove_read_protection(target);
        });
    ASSERT_TRUE(done) << message(done.error());
    EXPECT_EQ(*done, update::AfterReset::Confirmed);
    EXPECT_FALSE(bench.chip().options().read_protected);
    programs(bench);
  }
}

/// "stuck-busy-high-sectors" -> "StuckBusyHighSectors".
std::string test_name(std::string_view quirk) {
  std::string name;
  bool upper = true;
  for (const char c : quirk) {
    if (c != '-') name += upper && c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c;
    upper = c == '-';
  }
  return name;
}

TEST(Quirks, EachHasATestOfItsName) {
  const testing::TestSuite* suite = nullptr;
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    if (std::string_view(all.GetTestSuite(i)->name()) == "Quirk") suite = all.GetTestSuite(i);
  }
  ASSERT_NE(suite, nullptr);
  int quirks = 0;
  for (unsigned bit = 0; bit < proto::kQuirkBits; ++bit) {
    const auto name = proto::quirk_name(static_cast<proto::ChipQuirk>(1U << bit));
    if (name.empty()) continue;
    ++quirks;
    bool tested = false;
    for (int i = 0; i < suite->total_test_count(); ++i) {
      tested = tested || suite->GetTestInfo(i)->name() == test_name(name);
    }
    EXPECT_TRUE(tested) << name << " has no test Quirk." << test_name(name);
    const bool used = std::ranges::any_of(
        stm32::chips(), [&](const auto& c) { return (c.quirks >> bit & 1) != 0; });
    EXPECT_TRUE(used) << name << ": no line has it";
  }
  EXPECT_GE(quirks, 19);
}

}  // namespace
}  // namespace sureflash::scenarios
