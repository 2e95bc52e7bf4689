// Goal: a production line through real libusb: many devices in one process and one thread, units
// that come and go, Ctrl-C. Method: the binary of this build as a process of its own on a testbed;
// the flash of each chip; records and the table of units.
#include <set>
#include <sstream>
#include <thread>

#include "command_fixture.hpp"
#include <nlohmann/json.hpp>

namespace sureflash::sim {
namespace {

using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::json;

class ProductionLine : public CommandFixture {
 protected:
  static std::string command(const std::string& more) {
    return "program in.bin --base 0x08000000 " + more;
  }
  std::string log() {
    std::ifstream stream(folder_ / "log");
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  /// Waits for words on the screen of the command that runs.
  bool says(const std::string& words) {
    return eventually([&] { return log().find(words) != std::string::npos; });
  }
  std::vector<Json> records() {
    std::vector<Json> result;
    std::ifstream stream(folder_ / "r.jsonl");
    for (std::string line; std::getline(stream, line);) {
      result.push_back(Json::parse(line, nullptr, false));
      EXPECT_TRUE(result.back().is_object()) << line;
    }
    return result;
  }
  bool holds(std::size_t unit, const Bytes& image, std::size_t at = 0) {
    const std::scoped_lock lock(loop_.mutex());
    const ByteView bytes = more_[unit]->chip().flash().bytes().subspan(at, image.size());
    return std::ranges::equal(bytes, image);
  }
  void set_vbus(const std::string& port, bool on) {
    {
      const std::scoped_lock lock(loop_.mutex());
      testbed_->port(port).set_vbus(on);
      loop_.wake();
    }
    EXPECT_TRUE(eventually([&] { return (testbed_->device_number(port) != 0) == on; }));
  }
  void interrupt() { ::kill(child_, SIGINT); }
};

TEST_F(ProductionLine, SixteenAtOnceWithFaultsInSome) {
  std::vector<std::string> specs;
  const std::set<std::size_t> bad{1, 4, 7, 14};
  for (std::size_t i = 0; i < 16; ++i) {
    specs.push_back("stm32f105,poll=0,fill=noise,seed=" + std::to_string(i + 1));
  }
  specs[1] += ",wrp=0-3";
  specs[4] += ",fault=vanish@60";
  specs[7] += ",rdp=1";
  specs[14] += ",fault=drop-write@4";
  plug_all(specs);
  const Bytes image = write_firmware("in.bin", 16 * 1024);
  const Outcome done = sureflash(command("--all --record r.jsonl --record r.csv"));
  EXPECT_EQ(done.status, kDeviceFailure) << done.output;
  EXPECT_THAT(done.output, HasSubstr("12 of 16 units done, 4 failed: "));
  std::set<std::string> uids;
  for (const Json& record : records()) {
    const std::string port = record["port"];
    const std::size_t unit = std::stoul(port.substr(2)) - 1;
    EXPECT_EQ(record["result"] == "done", !bad.contains(unit)) << record;
    uids.insert(record["uid"].get<std::string>());
  }
  EXPECT_EQ(records().size(), 16U);
  EXPECT_GE(uids.size(), 14U)
      << "where the chip lets itself be read, it is known by its own number";
  for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(holds(i, image), !bad.contains(i)) << i;
}

TEST_F(ProductionLine, OnlyTheDevicesThatAreMeant) {
  plug_all({"stm32f105,poll=0", "dfu11", "stm32f105,poll=0", "stm32f105,poll=0",
            "stm32f105,poll=0,usb-id=2e3c:df11"});
  const Bytes image = write_firmware("in.bin", 4096);
  const Outcome two = sureflash(command("-d 1-1 -d 1-3"));
  EXPECT_EQ(two.status, 0) << two.output;
  EXPECT_TRUE(holds(0, image));
  EXPECT_TRUE(holds(2, image));
  EXPECT_FALSE(holds(3, image));
  const Outcome all = sureflash(command("--all -d 0483:df11"));
  EXPECT_EQ(all.status, 0) << all.output << "dfu11 has another VID:PID, a clone another VID";
  EXPECT_THAT(all.output, HasSubstr("3 of 3 units done"));
  EXPECT_TRUE(holds(3, image));
  EXPECT_EQ(sureflash(command("-d 1-1 -d 1-1")).status, 2);
  EXPECT_EQ(sureflash(command("-d 1-1 -d 1-9")).status, kNoDevice);
  EXPECT_EQ(sureflash(command("--all -d 1-9")).status, kNoDevice);
}

TEST_F(ProductionLine, RunTimeDevicesAreToldToEnterDfuModeAndStartedAgain) {
  plug_all({"stm32f105,runtime=1,poll=0", "stm32f105,runtime=1,poll=0"});
  const Bytes image = write_firmware("in.bin", 4096);
  const Outcome done = sureflash(command("--all --run"));
  EXPECT_EQ(done.status, 0) << done.output;
  EXPECT_TRUE(holds(0, image));
  EXPECT_TRUE(holds(1, image));
  EXPECT_TRUE(eventually([&] { return more_[1]->running() == Running::Application; }));
}

TEST_F(ProductionLine, WatchProgramsWhatIsPluggedInUntilCtrlC) {
  plug_all({"stm32f105,poll=0,seed=1", "stm32f105,poll=0,seed=2"});
  set_vbus("1-1", false);
  set_vbus("1-2", false);
  const Bytes image = write_firmware("in.bin", 8192);
  std::ofstream(folder_ / "units.csv") << "serial\nSN01\nSN02\nSN03\n";
  start(
      command("--watch --record r.jsonl --units units.csv --patch 0x08001000=serial:text8 "
              "--trace run.trace"));
  ASSERT_TRUE(says("plug in a unit"));
  set_vbus("1-2", true);
  ASSERT_TRUE(says("1-2       done:")) << log();
  EXPECT_THAT(log(), HasSubstr("unplug it"));
  set_vbus("1-1", true);
  ASSERT_TRUE(says("1-1       done:")) << log();
  set_vbus("1-2", false);
  ASSERT_TRUE(says("1-2       unplugged")) << log();
  EXPECT_EQ(records().size(), 2U) << "no unit twice";
  std::this_thread::sleep_for(500ms);  // two more looks at the ports
  // The same unit again: it keeps its row.
  set_vbus("1-2", true);
  ASSERT_TRUE(eventually([&] { return records().size() == 3; })) << log();
  interrupt();
  const Outcome end = wait_for_end();
  EXPECT_EQ(end.status, 0) << end.output << "this is how a line ends";
  EXPECT_THAT(end.output, HasSubstr("3 of 3 units done"));
  const std::string unplugged = "1-2       unplugged";
  EXPECT_EQ(end.output.find(unplugged), end.output.rfind(unplugged)) << "said once";
  EXPECT_TRUE(holds(1, {'S', 'N', '0', '1'}, 0x1000));
  EXPECT_TRUE(holds(0, {'S', 'N', '0', '2'}, 0x1000));
  EXPECT_EQ(records()[0]["uid"], records()[2]["uid"]);
  EXPECT_EQ(records()[2]["row"], 2);
  for (const char* trace : {"run-1-2.trace", "run-1-1.trace", "run-1-2_2.trace"}) {
    const Outcome shown = sureflash(std::string("trace show ") + trace);
    EXPECT_EQ(shown.status, 0) << shown.output;
    EXPECT_THAT(shown.output, HasSubstr("Get Commands -> Get Commands, Set Address Pointer"));
  }
}

TEST_F(ProductionLine, WatchGoesOnAfterAUnitWasPulledOut) {
  plug_all({"stm32f105,poll=0,seed=1,fault=vanish@90", "stm32f105,poll=0,seed=2"});
  set_vbus("1-2", false);
  const Bytes image = write_firmware("in.bin", 8192);
  start(command("--watch"));
  ASSERT_TRUE(says("1-1       failed:")) << log();
  EXPECT_THAT(log(), HasSubstr("put it aside"));
  set_vbus("1-2", true);
  ASSERT_TRUE(says("1-2       done:")) << log();
  EXPECT_TRUE(holds(1, image));
  interrupt();
  const Outcome end = wait_for_end();
  EXPECT_EQ(end.status, kDeviceFailure) << end.output;
  EXPECT_THAT(end.output, HasSubstr("1 of 2 units done, 1 failed: 1-1"));
}

TEST_F(ProductionLine, AStartedProgramIsNoNewUnit) {
  plug_all({"stm32f105,runtime=1,poll=0"});
  write_firmware("in.bin", 4096);
  start(command("--watch --run --record r.jsonl"));
  ASSERT_TRUE(says("came back after its start")) << log();
  interrupt();
  EXPECT_EQ(wait_for_end().status, 0);
  EXPECT_EQ(records().size(), 1U);
}

TEST_F(ProductionLine, CtrlCStopsAllAtASafePointAndTheSameCommandFinishes) {
  plug_all({"stm32f105,poll=0,seed=1", "stm32f105,poll=0,seed=2", "stm32f105,poll=0,seed=3"});
  const Bytes image = write_firmware("in.bin", 128 * 1024);
  std::ofstream(folder_ / "units.csv") << "serial\nSN01\nSN02\nSN03\n";
  const std::string line =
      command("--all --record r.jsonl --units units.csv --patch 0x08001000=serial:text8");
  start(line);
  // Some blocks of the first unit are written.
  ASSERT_TRUE(eventually([&] { return more_[0]->chip().operations().count() > 5000; }));
  interrupt();
  const Outcome stopped = wait_for_end();
  EXPECT_EQ(stopped.status, kInterrupted) << stopped.output;
  EXPECT_THAT(stopped.output, HasSubstr("the device is in dfuIDLE"));
  EXPECT_THAT(stopped.output, HasSubstr("stopping at a safe point"));
  EXPECT_THAT(stopped.output, HasSubstr("0 of 3 units done, 3 interrupted: 1-1, 1-2, 1-3"));
  for (const Json& record : records()) EXPECT_EQ(record["result"], "interrupted");
  const Outcome again = sureflash(line);
  EXPECT_EQ(again.status, 0) << again.output;
  std::set<int> rows;
  for (const Json& record : records()) {
    if (record["result"] == "done") rows.insert(record["row"].get<int>());
  }
  EXPECT_EQ(rows, (std::set<int>{2, 3, 4})) << "the stopped run used no row";
}

TEST_F(ProductionLine, ARunThatIsKilledUsesNoRowTwice) {
  plug_all({"stm32f105,poll=0,seed=1", "stm32f105,poll=0,seed=2"});
  write_firmware("in.bin", 128 * 1024);
  std::ofstream(folder_ / "units.csv") << "serial\nSN01\nSN02\n";
  const std::string patch = "--units units.csv --patch 0x08001000=serial:text8 ";
  start(command(patch + "-d 1-1 --record r.jsonl"));
  ASSERT_TRUE(eventually([&] { return more_[0]->chip().operations().count() > 5000; }));
  ::kill(child_, SIGKILL);
  wait_for_end();
  const Outcome other = sureflash(command(patch + "-d 1-2 --record r.jsonl"));
  EXPECT_EQ(other.status, 0) << other.output;
  EXPECT_TRUE(holds(1, {'S', 'N', '0', '2'}, 0x1000)) << "SN01 may be in the first unit";
  const Outcome first = sureflash(command(patch + "-d 1-1 --record r.jsonl"));
  EXPECT_EQ(first.status, 0) << first.output;
  EXPECT_TRUE(holds(0, {'S', 'N', '0', '1'}, 0x1000));
}

TEST_F(ProductionLine, TwoProcessesShareATableAndARecord) {
  plug_all({"stm32f105,poll=0,seed=1", "stm32f105,poll=0,seed=2"});
  write_firmware("in.bin", 64 * 1024);
  std::ofstream(folder_ / "units.csv") << "serial\nSN01\nSN02\n";
  const std::string patch = "--units units.csv --patch 0x08001000=serial:text8 --record r.jsonl ";
  start(command(patch + "-d 1-1"));
  ASSERT_TRUE(eventually([&] { return more_[0]->chip().operations().count() > 100; }));
  const Outcome second = sureflash(command(patch + "-d 1-2"));
  EXPECT_EQ(second.status, 0) << second.output;
  EXPECT_EQ(wait_for_end().status, 0);
  EXPECT_TRUE(holds(0, {'S', 'N', '0', '1'}, 0x1000));
  EXPECT_TRUE(holds(1, {'S', 'N', '0', '2'}, 0x1000));
  EXPECT_EQ(records().size(), 2U);
}

}  // namespace
}  // namespace sureflash::sim
