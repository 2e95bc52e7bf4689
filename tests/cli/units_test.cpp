// Goal: what production relies on: no row twice, no line lost or torn, no unit twice. Method: the
// parts of the command by themselves; other processes are forks, full disks are file size limits.

#include <array>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <thread>
#include <unistd.h>

#include "fleet.hpp"
#include "locked_file.hpp"
#include "port_order.hpp"
#include "record.hpp"
#include "row_ledger.hpp"
#include "unit_screen.hpp"
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/ioctl.h>
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
                          "a\n\"x\"y\n", "a\n1\n1\n", "a\n\xE9t\xE9\n"}) {
    const auto parsed = parse_units(bytes(bad));
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().code, Errc::BadUnitData) << bad;
  }
  EXPECT_FALSE(parse_units(Bytes{'a', '\n', 0, '\n'}));
}

/// The well-formed sequences are those of RFC 3629, section 4.
TEST_F(Units, TextIsUtf8) {
  for (const char* good : {"\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                           "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "a\xC3\xA9z"}) {
    EXPECT_TRUE(parse_units(bytes(fmt::format("a\n{}\n", good)))) << testing::PrintToString(good);
  }
  for (const char* bad : {"\x80", "\xC1\xBF", "\xC2", "\xC2z", "\xE0\x9F\xBF", "\xED\xA0\x80",
                          "\xE2\x82", "\xE2\x82z", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
                          "\xF5\x80\x80\x80", "\xF0\x90\x80", "\xFF"}) {
    EXPECT_FALSE(parse_units(bytes(fmt::format("a\n{}\n", bad)))) << testing::PrintToString(bad);
    EXPECT_FALSE(parse_units(bytes(fmt::format("a\n{}", bad)))) << "at the end of the file";
  }
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

TEST_F(Units, AllRowsAreTriedBeforeTheFirstUnit) {
  const UnitTable t = table("serial,rev,id\nA,x,1\nB,x,2\nC,y,300\n");
  const auto checked = [&](std::vector<std::string_view> texts) -> std::string {
    std::vector<Patch> patches;
    for (const std::string_view text : texts) patches.push_back(*parse_patch(text));
    const auto done = check_units(t, patches);
    return done ? "" : message(done.error());
  };
  using testing::HasSubstr;
  EXPECT_EQ(checked({"0x100=serial:text4", "0x104=id:u16"}), "");
  EXPECT_THAT(checked({"0x100=id:u8"}), HasSubstr("line 4: id: \"300\" is no number of 8 bits"));
  EXPECT_THAT(checked({"0x100=colour"}),
              HasSubstr("no column \"colour\", but \"serial\", \"rev\", \"id\""));
  EXPECT_THAT(checked({"0x100=rev"}), HasSubstr("line 3: rev: \"x\" is in line 2 as well"));
  EXPECT_EQ(checked({"0x100=rev:repeats", "0x200=rev:text4:repeats"}), "");
  EXPECT_THAT(checked({"0x100=serial", "0x101=id:u16"}), HasSubstr("line 2: id at 0x00000101"))
      << "the zero behind the text counts";
  EXPECT_EQ(checked({"0x100=serial:text1", "0x101=id:u16", "0x0FE=id:u16"}), "");
  EXPECT_EQ(checked({"0xFFFFFFFE=id:u16"}), "");
  EXPECT_THAT(checked({"0xFFFFFFFF=id:u16"}), HasSubstr("no room"));
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
  EXPECT_EQ(theirs->take({"2-1", "U1", ""}), 1U)
      << "a row that is begun is nobody else's while its process lives, whatever the unit's id";
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

TEST_F(Units, WhoAppendsWaitsForTheOthers) {
  const int other = locked_file::open(path("log"));
  ASSERT_TRUE(locked_file::lock(other, AppendFile::kLock, locked_file::Wait::No));
  const pid_t child = ::fork();
  if (child == 0) {
    const auto file = AppendFile::open(path("log"));
    ::_exit((*file)->append("second", "header") ? 0 : 1);
  }
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(contents(path("log")), "");
  EXPECT_GT(::write(other, "header\nfirst\n", 13), 0);
  locked_file::unlock(other, AppendFile::kLock);
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(contents(path("log")), "header\nfirst\nsecond\n") << "one header";
  ::close(other);
}

TEST_F(Units, RecordsAsCsvCanBeReadBack) {
  const Json record = {{"port", "1-2"}, {"message", "a \"b\", c\nd"}, {"row", nullptr}, {"n", 5}};
  const UnitTable t = table(csv_header(record) + "\n" + csv_row(record) + "\n");
  EXPECT_THAT(t.columns, ElementsAre("port", "message", "row", "n"));
  EXPECT_THAT(t.rows.front().cells, ElementsAre("1-2", "a \"b\", c\nd", "", "5"));
}

TEST(PortOrderTest, AsPeopleCount) {
  std::vector<std::string> ports{"2-1", "1-10", "1-2.10", "1-2",   "1-2.9",
                                 "1-1", "10-1", "sim-2",  "sim-10"};
  std::ranges::sort(ports, PortOrder());
  EXPECT_THAT(ports, ElementsAre("1-1", "1-2", "1-2.9", "1-2.10", "1-10", "2-1", "10-1", "sim-2",
                                 "sim-10"));
  EXPECT_FALSE(PortOrder()("1-1", "1-1"));
  EXPECT_FALSE(PortOrder()("1-1.1", "1-1"));
}

/// A terminal of so many lines, to write to and to see what came.
class Terminal {
 public:
  explicit Terminal(unsigned short lines) : master_(::posix_openpt(O_RDWR | O_NOCTTY)) {
    ::grantpt(master_);
    ::unlockpt(master_);
    const winsize size{.ws_row = lines, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
    ::ioctl(master_, TIOCSWINSZ, &size);
    file_ = std::fopen(::ptsname(master_), "w");
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() {
    std::fclose(file_);
    ::close(master_);
  }

  std::FILE* file() { return file_; }
  /// What came, up to these words; the kernel hands it over piece by piece.
  std::string seen(std::string_view last) {
    constexpr int kPatienceMs = 5000;
    std::string text;
    pollfd ready{.fd = master_, .events = POLLIN, .revents = 0};
    while (!text.contains(last) && ::poll(&ready, 1, kPatienceMs) == 1) {
      std::array<char, 4096> piece{};
      const ssize_t got = ::read(master_, piece.data(), piece.size());
      if (got <= 0) break;
      text.append(piece.data(), static_cast<std::size_t>(got));
    }
    return text;
  }

 private:
  int master_;
  std::FILE* file_ = nullptr;
};

TEST(UnitScreenTest, TheTableFitsTheTerminal) {
  for (const auto& [units, lines, last] :
       {std::tuple(16, 10, "and 8 more"), {9, 10, "1-9 "}, {10, 10, "and 2 more"}}) {
    Terminal terminal(static_cast<unsigned short>(lines));
    Output output({.out = terminal.file(), .err = terminal.file(), .err_is_terminal = true}, false,
                  ColorMode::Never);
    UnitScreen screen(output, false);
    for (int i = 1; i <= units; ++i) {
      Unit unit;
      unit.name.port = fmt::format("1-{}", i);
      screen.begin(unit);
    }
    screen.refresh();
    const std::string table = terminal.seen("\x1b[?7h");
    EXPECT_EQ(std::ranges::count(table, '\n'), 9) << "and a line for the cursor";
    EXPECT_THAT(table, testing::HasSubstr("1-1 "));
    EXPECT_THAT(table, testing::HasSubstr(last));
    screen.close();
    EXPECT_THAT(terminal.seen("\x1b[J"), testing::HasSubstr("\x1b[9A"));
  }
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
