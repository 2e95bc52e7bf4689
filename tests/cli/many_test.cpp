// Goal: many units in one run: each is programmed as if it were alone, a failing one stops nobody,
// and what became of each is on the screen, in the records and in the table of units. Method: the
// whole command in this process against virtual devices in virtual time; chips are kept in files
// and read back by other runs.

#include <map>
#include <set>
#include <sstream>

#include "cli_fixture.hpp"
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

namespace sureflash::cli {
namespace {

using testing::HasSubstr;
using Object = nlohmann::json;

constexpr int kUnits = 16;

std::string contents(const std::string& name) {
  std::ifstream stream(name, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::vector<Object> objects(const std::string& lines) {
  std::vector<Object> result;
  std::istringstream stream(lines);
  for (std::string line; std::getline(stream, line);) {
    result.push_back(Object::parse(line, nullptr, false));
    EXPECT_TRUE(result.back().is_object()) << line;
  }
  return result;
}

class Many : public Cli {
 protected:
  /// `program app.bin` on devices of these profiles.
  static std::vector<std::string> line(const std::vector<std::string>& profiles,
                                       std::vector<std::string> more = {}) {
    std::vector<std::string> words{"program", "app.bin", "--base", kBase};
    for (const std::string& profile : profiles) {
      words.emplace_back("-d");
      words.push_back(on(profile));
    }
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  /// Reads so many bytes of the chip in the file.
  static std::string flash(const std::string& profile, const std::string& address, int size) {
    EXPECT_EQ(command({"read", "out.bin", "--address", address, "--size", std::to_string(size),
                       "-d", on(profile)})
                  .exit,
              0);
    return contents("out.bin");
  }
  static void table(int rows) {
    std::ofstream file("units.csv");
    file << "serial,mac\n";
    for (int i = 1; i <= rows; ++i) file << fmt::format("SN{:04},{:012X}\n", i, i);
  }
  static std::vector<std::string> with_units() {
    return {"--units", "units.csv",         "--patch", "0x08001000=serial:text8",
            "--patch", "0x08001008=mac:hex"};
  }
};

TEST_F(Many, Screen) {
  EXPECT_EQ(golden("many", line({"stm32f105,seed=1", "stm32f105,seed=2,wrp=0-3", "stm32f105,seed=3",
                                 "cubemx-skeleton,layout=media"}))
                .exit,
            8)
      << "the failures have several exit codes";
}
TEST_F(Many, ScreenOfADryRun) {
  EXPECT_EQ(
      golden("many-dry-run", line({"stm32f105,seed=1,state=a", "stm32f105,seed=2,state=b,fill=app"},
                                  {"--dry-run", "--record", "r.jsonl"}))
          .exit,
      0);
  EXPECT_EQ(command({"verify", "app.bin", "--base", kBase, "-d", on("stm32f105,state=a")}).exit, 9);
  EXPECT_EQ(contents("r.jsonl"), "") << "nothing became of any unit";
}

TEST_F(Many, FaultsInSomeOfSixteen) {
  const std::map<int, std::string> faults{{2, "fault=vanish@70"},     {5, "wrp=0-3"},
                                          {6, "fault=reset@60"},      {9, "rdp=1"},
                                          {12, "fault=drop-write@4"}, {15, "fault=cut-during@900"}};
  std::vector<std::string> profiles;
  for (int i = 1; i <= kUnits; ++i) {
    profiles.push_back(fmt::format("stm32f105,seed={0},state=chip{0}", i));
    if (faults.contains(i)) profiles.back() += "," + faults.at(i);
  }
  const Screen screen = command(line(profiles, {"--record", "r.jsonl", "--record", "r.csv"}));
  EXPECT_EQ(screen.exit, 8) << screen.err;
  EXPECT_THAT(screen.out, HasSubstr("10 of 16 units done, 6 failed: "));

  const auto records = objects(contents("r.jsonl"));
  ASSERT_EQ(records.size(), kUnits);
  std::set<std::string> ports, uids;
  for (const Object& record : records) {
    const std::string port = record["port"];
    ports.insert(port);
    const int unit = std::stoi(port.substr(4));
    const bool done = record["result"] == "done";
    EXPECT_EQ(done, !faults.contains(unit)) << record;
    EXPECT_EQ(record["error"].is_null(), done);
    EXPECT_EQ(record["bytes_verified"] == 5000, done);
    const std::string profile = fmt::format("stm32f105,state=chip{}", unit);
    const int verified = command({"verify", "app.bin", "--base", kBase, "-d", on(profile)}).exit;
    EXPECT_EQ(verified == 0, done) << port;
    if (done) uids.insert(record["uid"].get<std::string>());
  }
  EXPECT_EQ(ports.size(), kUnits);
  EXPECT_EQ(uids.size(), kUnits - faults.size()) << "units are told apart by their chips";

  std::istringstream csv(contents("r.csv"));
  std::string header;
  std::getline(csv, header);
  EXPECT_THAT(header, testing::StartsWith("time,port,serial,uid,chip,"));
  int rows = 0;
  for (std::string row; std::getline(csv, row);) ++rows;
  EXPECT_EQ(rows, kUnits);

  // The same command finishes what the faults left.
  std::vector<std::string> mended;
  for (int i : {2, 6, 12, 15}) mended.push_back(fmt::format("stm32f105,state=chip{}", i));
  EXPECT_EQ(command(line(mended, {"--record", "r.csv"})).exit, 0);
  EXPECT_EQ(contents("r.csv").find("time,", 10), std::string::npos) << "one header only";
}

TEST_F(Many, JsonHasAnEventForEachUnitAndEndsWithTheResult) {
  const auto events =
      objects(command(line({"stm32f105,seed=1", "stm32f105,seed=2,rdp=1"}, {"--json"})).out);
  int units = 0;
  for (const Object& event : events) units += event["type"] == "unit" ? 1 : 0;
  EXPECT_EQ(units, 2);
  EXPECT_EQ(events.back()["type"], "result");
  EXPECT_EQ(events.back()["done"], 1);
  EXPECT_EQ(events.back()["failed"], 1);
  EXPECT_EQ(events.back()["ok"], false);
}

TEST_F(Many, ExitCodeOfFailuresThatAreAlike) {
  EXPECT_EQ(command(line({"stm32f105,rdp=1", "stm32f105,wrp=0-3", "stm32f105"})).exit, 7);
  EXPECT_EQ(command(line({"stm32f105,rdp=1", "stm32f105,fault=drop-write@4"})).exit, 8);
}

TEST_F(Many, DigestsAreThoseOfSha256sum) {
  ASSERT_EQ(command(line({"stm32f105"}, {"--record", "r.jsonl"})).exit, 0);
  const Object record = objects(contents("r.jsonl")).front();
  std::FILE* pipe = ::popen("sha256sum app.bin", "r");
  std::string sum(64, '\0');
  EXPECT_EQ(std::fread(sum.data(), 1, sum.size(), pipe), sum.size());
  ::pclose(pipe);
  EXPECT_EQ(record["file_sha256"], sum);
  EXPECT_EQ(record["image_sha256"], sum) << "nothing was patched";
}

TEST_F(Many, ARecordThatCannotBeKeptStopsTheLine) {
  const Screen full = command(line({"stm32f105"}, {"--record", "/dev/full"}));
  EXPECT_EQ(full.exit, 6);
  EXPECT_THAT(full.err, HasSubstr("No space left on device"));
  EXPECT_THAT(full.out, HasSubstr("done: ")) << "the unit itself is proven, and that is said";
  const Screen nowhere = command(line({"stm32f105"}, {"--record", "no/such/folder/r.csv"}));
  EXPECT_EQ(nowhere.exit, 6);
  EXPECT_THAT(nowhere.out, testing::Not(HasSubstr("done: "))) << "found out before any unit";
}

TEST_F(Many, EachUnitGetsARowAndTheNextRunGoesOn) {
  table(4);
  const auto unit = [](int i) { return fmt::format("stm32f105,seed={0}0,state=chip{0}", i); };
  EXPECT_EQ(command(line({unit(1), unit(2)}, with_units())).exit, 0);
  EXPECT_EQ(command(line({unit(3)}, with_units())).exit, 0);
  EXPECT_EQ(flash(unit(1), "0x08001000", 14), std::string("SN0001\0\0\0\0\0\0\0\1", 14));
  EXPECT_EQ(flash(unit(2), "0x08001000", 14), std::string("SN0002\0\0\0\0\0\0\0\2", 14));
  EXPECT_EQ(flash(unit(3), "0x08001000", 14), std::string("SN0003\0\0\0\0\0\0\0\3", 14));

  // A unit that was programmed before keeps its row.
  EXPECT_EQ(command(line({unit(2)}, with_units())).exit, 0);
  EXPECT_EQ(flash(unit(2), "0x08001000", 6), "SN0002");
  EXPECT_EQ(command(line({unit(4)}, with_units())).exit, 0);
  EXPECT_EQ(flash(unit(4), "0x08001000", 6), "SN0004");

  const Screen none = command(line({unit(5)}, with_units()));
  EXPECT_EQ(none.exit, 6);
  EXPECT_THAT(none.err, HasSubstr("4 of 4 rows are used"));
}

TEST_F(Many, ARowIsUsedOnlyWhenItsUnitIsProven) {
  table(2);
  const std::string unit = "stm32f105,seed=10,state=chip,poll=datasheet";
  for (const char* fault : {"vanish@80", "drop-write@4", "cut-during@2200", "flip-bit@30"}) {
    SCOPED_TRACE(fault);
    EXPECT_NE(command(line({unit + ",fault=" + fault}, with_units())).exit, 0);
  }
  EXPECT_EQ(command(line({"stm32f105,seed=20,state=other"}, with_units())).exit, 0);
  EXPECT_EQ(flash("stm32f105,state=other", "0x08001000", 6), "SN0001") << "the failures used none";
  EXPECT_EQ(command(line({unit}, with_units())).exit, 0);
  EXPECT_EQ(flash(unit, "0x08001000", 6), "SN0002");
}

TEST_F(Many, ADryRunUsesNoRow) {
  table(1);
  auto words = with_units();
  words.emplace_back("--dry-run");
  EXPECT_EQ(command(line({"stm32f105"}, words)).exit, 0);
  EXPECT_EQ(contents("units.csv.used"), "");
}

TEST_F(Many, MistakesInTheTableAreFoundBeforeAnyUnitIsTouched) {
  const auto refused = [&](const std::string& csv, const std::string& patch, int exit,
                           const std::string& why) {
    std::ofstream("units.csv") << csv;
    const Screen screen = command(line({"stm32f105"}, {"--units", "units.csv", "--patch", patch}));
    EXPECT_EQ(screen.exit, exit) << csv;
    EXPECT_THAT(screen.err, HasSubstr(why));
    EXPECT_THAT(screen.err, testing::Not(HasSubstr("begins")));
  };
  refused("serial\nA\nB\nA\n", "0x08001000=serial", 6, "line 4: the same as a row before");
  refused("serial\nA\nTOO LONG\n", "0x08001000=serial:text4", 6, "line 3: serial: \"TOO LONG\"");
  refused("id\n1\n300\n", "0x08001000=id:u8", 6, "is no number of 8 bits");
  refused("serial\nA\n", "0x08001000=colour", 2, "there is no column \"colour\"");
  refused("serial,n\nA,1\nA,2\n", "0x08001000=serial", 6, "\"A\" is in line 2 as well");
  refused("serial\nA\n", "serial", 2, "ADDRESS=COLUMN");
  refused("serial\nA\n", "0x08001000=serial:u24", 2, "is no type of a patch");
  refused("serial\n", "0x08001000=serial", 6, "no rows");
}

TEST_F(Many, PythonReadsTheRecordsAsTheyAreMeant) {
  // What a name may hold, and what would end a cell or a line.
  const std::string name = "a \"b\", c;d\r\n\t\xC3\xA9'.bin";
  fs::copy("app.bin", name);
  table(2);
  auto words = line({"stm32f105,seed=1", "stm32f105,seed=2,wrp=0-3", "stm32f405,seed=3"},
                    {"--record", "r.csv", "--record", "r.jsonl"});
  words[1] = name;
  for (const std::string& word : with_units()) words.push_back(word);
  EXPECT_EQ(command(words).exit, 7);
  EXPECT_EQ(command(words).exit, 8) << "no row is left for the third";
  std::FILE* pipe = ::popen(SUREFLASH_SOURCE_DIR "/tests/cli/same_records.py r.csv r.jsonl", "r");
  std::string text(65536, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), pipe));
  EXPECT_EQ(::pclose(pipe), 0);
  const Object records = Object::parse(text, nullptr, false);
  ASSERT_EQ(records.size(), 6U) << text;
  for (const Object& record : records) EXPECT_EQ(record["file"], name);
}

TEST_F(Many, EachUnitHasATraceOfItsOwn) {
  const auto words = line({"stm32f105,seed=1", "stm32f105,seed=2,fault=vanish@60"},
                          {"--trace", "./a.b/run.trace"});
  fs::create_directory("a.b");
  EXPECT_EQ(command(words).exit, 8);
  const Screen good = command({"trace", "show", "a.b/run-sim-1.trace"});
  EXPECT_EQ(good.exit, 0) << good.err;
  EXPECT_THAT(good.out, testing::StartsWith("# sim-1\n"));
  EXPECT_THAT(good.out, HasSubstr("Get Commands -> Get Commands, Set Address Pointer, Erase"));
  EXPECT_THAT(good.out, HasSubstr("2048 bytes at 0x08000800, crc32"));
  EXPECT_THAT(good.out, testing::Not(HasSubstr("device gone")));
  const Screen bad = command({"trace", "show", "a.b/run-sim-2.trace"});
  EXPECT_THAT(bad.out, HasSubstr("device gone")) << "to its end";

  // The next run overwrites nothing.
  const std::string before = contents("a.b/run-sim-1.trace");
  EXPECT_EQ(command(words).exit, 8);
  EXPECT_EQ(contents("a.b/run-sim-1.trace"), before);
  EXPECT_EQ(contents("a.b/run-sim-1_2.trace"), before) << "the same unit, once more";

  const Screen nowhere = command(line({"stm32f105"}, {"--record", "r", "--trace", "no/run.trace"}));
  EXPECT_EQ(nowhere.exit, 6);
  EXPECT_THAT(nowhere.err, HasSubstr("no/run-sim-1.trace"));
}

TEST_F(Many, SeveralDevicesAreForProgramOnly) {
  EXPECT_EQ(command({"info", "-d", on("stm32f105"), "-d", on("stm32f105")}).exit, 2);
  EXPECT_EQ(command(line({"stm32f105", "stm32f105"}, {"-d", "1-2"})).exit, 2) << "a real one";
  EXPECT_EQ(command(line({"stm32f105", "stm32f105,clock=real"})).exit, 2);
}

}  // namespace
}  // namespace sureflash::cli
