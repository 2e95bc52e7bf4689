// Goal: what production relies on: no row twice, no line lost or torn, no unit twice. Method: the
// parts of the command by themselves; other processes are forks, full disks are file size limits.

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <unistd.h>

#include "fleet.hpp"
#include "record.hpp"
#include "row_ledger.hpp"
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>

namespace sureflash::cli {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

Bytes bytes(std::string_view text) {
  return {text.begin(), text.end()};
}

UnitTable table(std::string_view text) {
  auto parsed = parse_units(bytes(text));
  EXPECT_TRUE(parsed) << message(parsed.error());
  return *parsed;
}

std::string contents(const fs::path& name) {
  std::ifstream stream(name, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

class Units : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/sf-units-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ / name; }
  std::unique_ptr<RowLedger> ledger(std::string_view csv = "serial\nA\nB\nC\n") const {
    auto opened = RowLedger::open(path("units.csv"), table(csv));
    EXPECT_TRUE(opened);
    return std::move(*opened);
  }
  /// Runs in a process that ends without any clean-up, as by SIGKILL.
  template <class Work>
  static void in_killed_process(const Work& work) {
    const pid_t child = ::fork();
    if (child == 0) {
      work();
      ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));
  }

  fs::path folder_;
};

TEST_F(Units, CsvAsSpreadsheetsWriteIt) {
  const UnitTable t =
      table("\xEF\xBB\xBFserial;\"the \"\"mac\"\"\";note\r\n1;2;\"a;b\r\nc\"\r\n\r\n3;4;\r\n");
  EXPECT_THAT(t.columns, ElementsAre("serial", "the \"mac\"", "note"));
  ASSERT_EQ(t.rows.size(), 2U);
  EXPECT_THAT(t.rows[0].cells, ElementsAre("1", "2", "a;b\r\nc"));
  EXPECT_THAT(t.rows[1].cells, ElementsAre("3", "4", ""));
  EXPECT_EQ(t.rows[1].line, 5U);
}

TEST_F(Units, CsvThatCannotBeRight) {
  for (const char* bad : {"", "a\n", "a,\n1,2\n", "a,a\n1,2\n", "a,b\n1\n", "a\n\"x\n", "a\nx\"y\n",
                          "a\n\"x\"y\n", "a\n1\n1\n"}) {
    EXPECT_FALSE(parse_units(bytes(bad))) << bad;
  }
  EXPECT_FALSE(parse_units(Bytes{'a', '\n', 0, '\n'}));
}

TEST_F(Units, WhatACellBecomes) {
  const auto encoded = [](std::string_view patch, std::string_view cell) -> Bytes {
    const auto parsed = parse_patch(patch);
    EXPECT_TRUE(parsed);
    return encode(*parsed, cell).value_or(Bytes{});
  };
  EXPECT_EQ(encoded("0=c", "AB"), (Bytes{'A', 'B', 0}));
  EXPECT_EQ(encoded("0=c:text4", "AB"), (Bytes{'A', 'B', 0, 0}));
  EXPECT_EQ(encoded("0=c:text2", "AB"), (Bytes{'A', 'B'}));
  EXPECT_EQ(encoded("0=c:text1", "AB"), Bytes{});
  EXPECT_EQ(encoded("0=c:hex", "0aFF"), (Bytes{0x0A, 0xFF}));
  EXPECT_EQ(encoded("0=c:hex", "0aF"), Bytes{});
  EXPECT_EQ(encoded("0=c:u8", "255"), Bytes{0xFF});
  EXPECT_EQ(encoded("0=c:u8", "256"), Bytes{});
  EXPECT_EQ(encoded("0=c:u16", "0x1234"), (Bytes{0x34, 0x12}));
  EXPECT_EQ(encoded("0=c:u32", "1"), (Bytes{1, 0, 0, 0}));
  EXPECT_EQ(encoded("0=c:u64", "0xFFFFFFFFFFFFFFFF"), Bytes(8, 0xFF));
  EXPECT_EQ(encoded("0=c:u32", "-1"), Bytes{});
  EXPECT_EQ(encoded("0=a:b:u8", "7"), Bytes{7}) << "a column may be called a:b";
  for (const char* bad : {"", "0", "x=c", "0x100000000=c", "0=", "0=c:", "0=c:text0", "0=c:u24"}) {
    EXPECT_FALSE(parse_patch(bad)) << bad;
  }
}

TEST_F(Units, PatchesGoOverWhatIsThere) {
  image::Image image;
  ASSERT_TRUE(image.insert(100, bytes("abcdefgh")));
  ASSERT_TRUE(image.insert(110, bytes("xyz")));
  const auto at = [&](std::uint32_t address, std::string_view text) {
    const auto result = overwritten(image, address, bytes(text));
    Bytes all(20, '.');
    result->read(AddressRange::sized(98, 20), all);
    return std::string(all.begin(), all.end());
  };
  EXPECT_EQ(at(102, "12"), "..ab12efgh..xyz.....");
  EXPECT_EQ(at(98, "12345"), "12345defgh..xyz.....");
  EXPECT_EQ(at(106, "123456"), "..abcdef123456z.....");
  EXPECT_EQ(at(115, "1"), "..abcdefgh..xyz..1..");
  EXPECT_FALSE(overwritten(image, 0xFFFF'FFFF, bytes("12")));
}

TEST_F(Units, RowsAreTakenInOrderAndOnce) {
  const auto rows = ledger();
  EXPECT_EQ(rows->take({"1-1", "U1", ""}), 0U);
  EXPECT_EQ(rows->take({"1-2", "U2", ""}), 1U) << "while the first is under way";
  ASSERT_TRUE(rows->use(1, {"1-2", "U2", ""}));
  ASSERT_TRUE(rows->give_back(0, {"1-1", "U1", ""}));
  EXPECT_EQ(rows->take({"1-3", "U3", ""}), 0U) << "its unit failed";
  ASSERT_TRUE(rows->use(0, {"1-3", "U3", ""}));
  EXPECT_EQ(rows->take({"1-2", "U2", ""}), 1U) << "a unit keeps its row";
  ASSERT_TRUE(rows->give_back(1, {"1-2", "U2", ""}));
  EXPECT_EQ(rows->take({"1-4", "", ""}), 2U) << "and nobody else gets it when it fails again";
  ASSERT_TRUE(rows->use(2, {"1-4", "", ""}));
  const auto none = rows->take({"1-5", "", ""});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::NoUnitData);
}

TEST_F(Units, RowsAreKnownByWhatTheySayAndNotByTheirPlace) {
  ASSERT_TRUE(ledger()->take({"1-1", "U1", ""}));
  const auto first = ledger();
  ASSERT_TRUE(first->use(*first->take({"1-1", "U1", ""}), {"1-1", "U1", ""}));
  EXPECT_EQ(ledger("serial\nC\nA\nB\n")->take({"1-2", "U2", ""}), 0U);
  EXPECT_EQ(ledger("serial\nA\nC\nB\n")->take({"1-3", "U3", ""}), 2U);
}

TEST_F(Units, TwoProcessesNeverTakeTheSameRow) {
  const auto mine = ledger();
  const auto theirs = ledger();
  EXPECT_EQ(mine->take({"1-1", "U1", ""}), 0U);
  EXPECT_EQ(theirs->take({"2-1", "U2", ""}), 1U);
  ASSERT_TRUE(mine->use(0, {"1-1", "U1", ""}));
  EXPECT_EQ(theirs->take({"2-2", "U3", ""}), 2U);
  EXPECT_FALSE(mine->take({"1-2", "U4", ""}));
  ASSERT_TRUE(theirs->give_back(2, {"2-2", "U3", ""}));
  EXPECT_EQ(mine->take({"1-2", "U4", ""}), 2U);
}

TEST_F(Units, ManyProcessesAtOnce) {
  constexpr int kProcesses = 8, kEach = 5;
  std::string csv = "serial\n";
  for (int i = 0; i < kProcesses * kEach; ++i) csv += fmt::format("S{}\n", i);
  std::vector<pid_t> children;
  for (int p = 0; p < kProcesses; ++p) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    const auto rows = ledger(csv);
    bool good = true;
    for (int i = 0; i < kEach; ++i) {
      const UnitName unit{"1-1", fmt::format("U{}.{}", p, i), ""};
      const auto row = rows->take(unit);
      good = good && row && rows->use(*row, unit);
    }
    ::_exit(good ? 0 : 1);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0) << "40 rows are enough for 8 processes with 5 units each";
  }
  EXPECT_FALSE(ledger(csv)->take({"1-1", "one more", ""}));
}

TEST_F(Units, ARowOfAProcessThatWasKilledWaitsForItsUnit) {
  in_killed_process([&] { static_cast<void>(ledger()->take({"1-1", "U1", ""})); });
  EXPECT_EQ(ledger()->take({"1-2", "U2", ""}), 1U) << "U1 may hold the data of row 0";
  EXPECT_EQ(ledger()->take({"1-1", "U1", ""}), 0U);
}

TEST_F(Units, ALineThatAPowerCutToreIsPassedOver) {
  ASSERT_TRUE(ledger()->take({"1-1", "U1", ""}));
  std::ofstream(path("units.csv.used"), std::ios::app) << R"({"row":"12)";
  const auto rows = ledger();
  EXPECT_EQ(rows->take({"1-2", "U2", ""}), 1U);
  EXPECT_EQ(ledger()->take({"1-1", "U1", ""}), 0U);
}

TEST_F(Units, ColumnsThatSayWhichUnitARowIsFor) {
  const auto rows = ledger("uid,port,serial\nU2,,A\n,1-9,B\nu3,1-3,C\n,,D\n");
  EXPECT_EQ(rows->take({"1-2", "U2", ""}), 0U);
  EXPECT_EQ(rows->take({"1-3", "U3", ""}), 2U) << "the case of hex digits does not matter";
  EXPECT_EQ(rows->take({"1-1", "U4", ""}), 3U) << "empty cells fit everything";
  EXPECT_FALSE(rows->take({"1-1", "U5", ""}));
  EXPECT_EQ(rows->take({"1-9", "U6", ""}), 1U);
}

TEST_F(Units, AFullDiskLeavesTheFileAsItWas) {
  const auto file = AppendFile::open(path("log"));
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->append("first", "header"));
  const std::string before = contents(path("log"));
  EXPECT_EQ(before, "header\nfirst\n");
  rlimit old{};
  ::getrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = before.size() + 10, .rlim_max = old.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const auto done = (*file)->append(std::string(1000, 'x'));
  ::setrlimit(RLIMIT_FSIZE, &old);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::FileUnwritable);
  EXPECT_EQ(contents(path("log")), before) << "ten bytes did fit";
  EXPECT_TRUE((*file)->append("second", "header"));
  EXPECT_EQ(contents(path("log")), before + "second\n");
}

TEST_F(Units, AnUnfinishedLineIsEndedFirst) {
  std::ofstream(path("log")) << "whole\nto";
  ASSERT_TRUE((*AppendFile::open(path("log")))->append("next", "header"));
  EXPECT_EQ(contents(path("log")), "whole\nto\nnext\n");
}

TEST_F(Units, RecordsAsCsvCanBeReadBack) {
  const Json record = {{"port", "1-2"}, {"message", "a \"b\", c\nd"}, {"row", nullptr}, {"n", 5}};
  const UnitTable t = table(csv_header(record) + "\n" + csv_row(record) + "\n");
  EXPECT_THAT(t.columns, ElementsAre("port", "message", "row", "n"));
  EXPECT_THAT(t.rows.front().cells, ElementsAre("1-2", "a \"b\", c\nd", "", "5"));
}

class ArrivalsTest : public testing::Test {
 protected:
  Arrivals::Changes look(std::vector<transport::OccupiedPort> now) {
    time_ += 200ms;
    return arrivals_.look(now, time_);
  }
  Arrivals arrivals_;
  Duration time_{};
};

TEST_F(ArrivalsTest, AUnitIsNewOnceUntilItIsUnplugged) {
  EXPECT_THAT(look({{"1-1", 5}}).arrived, ElementsAre("1-1"));
  arrivals_.begin("1-1");
  EXPECT_THAT(look({{"1-1", 5}, {"1-2", 6}}).arrived, ElementsAre("1-2"));
  EXPECT_THAT(look({{"1-1", 7}}).arrived, IsEmpty()) << "it detached by itself";
  arrivals_.end("1-1", false, time_);
  EXPECT_THAT(look({{"1-1", 7}}).arrived, IsEmpty());
  const auto gone = look({});
  EXPECT_THAT(gone.unplugged, ElementsAre("1-1"));
  EXPECT_THAT(look({}).unplugged, IsEmpty());
  EXPECT_THAT(look({{"1-1", 7}}).arrived, ElementsAre("1-1")) << "addresses come round again";
}

TEST_F(ArrivalsTest, AQuickSwapIsSeenByTheAddress) {
  look({{"1-1", 5}});
  arrivals_.begin("1-1");
  arrivals_.end("1-1", false, time_);
  look({{"1-1", 5}});
  EXPECT_THAT(look({{"1-1", 6}}).arrived, ElementsAre("1-1"));
}

TEST_F(ArrivalsTest, AStartedProgramIsNoNewUnit) {
  look({{"1-1", 5}});
  arrivals_.begin("1-1");
  arrivals_.end("1-1", true, time_);
  EXPECT_THAT(look({}).unplugged, IsEmpty());
  const auto back = look({{"1-1", 6}});
  EXPECT_THAT(back.arrived, IsEmpty());
  EXPECT_THAT(back.came_back, ElementsAre("1-1"));
  EXPECT_THAT(look({}).unplugged, ElementsAre("1-1"));
  EXPECT_THAT(look({{"1-1", 7}}).arrived, ElementsAre("1-1"));
}

TEST_F(ArrivalsTest, AProgramWithoutUsbThatWasStartedIsUnpluggedLater) {
  look({{"1-1", 5}});
  arrivals_.begin("1-1");
  arrivals_.end("1-1", true, time_);
  look({});
  time_ += 5s;
  EXPECT_THAT(look({{"1-1", 6}}).arrived, ElementsAre("1-1"));
}

}  // namespace
}  // namespace sureflash::cli
