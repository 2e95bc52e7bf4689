// Goal: what `sureflash sim run` shows of firmware, word for word: pins, UART, USB, the ROM,
// resets, faults with symbols; conditions and exit codes; files that are not for the chip. Method:
// the whole command in this process, with programs of the cross compiler, in virtual time; compared
// with tests/golden/cli/sim-run-*.txt (UPDATE_GOLDEN=1 writes them anew).

#include <fcntl.h>
#include <unistd.h>

#include "board/uart.hpp"
#include "screen.hpp"
#include <gmock/gmock.h>

#include "sureflash/sim/debug/gdb_server.hpp"

namespace sureflash::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class SimRun : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        fs::temp_directory_path() / fmt::format("sureflash-run-{}-{}", ::getpid(), test->name());
    fs::create_directories(folder_);
    old_ = fs::current_path();
    fs::current_path(folder_);
    for (const char* file :
         {"examples/vbus-dfu/vbus-dfu", "tests/board/talk1", "tests/board/talk2", "tests/board/dfu",
          "sim/debug/fault1", "sim/debug/fault2", "sim/debug/fault3", "sim/debug/fault4",
          "sim/debug/fault5", "sim/debug/fault11", "sim/firmware/cortex-m4",
          "sim/firmware/behind-loader"}) {
      const fs::path from = fs::path(SUREFLASH_BINARY_DIR) / (std::string(file) + ".elf");
      fs::copy_file(from, from.filename());
    }
  }
  void TearDown() override {
    fs::current_path(old_);
    fs::remove_all(folder_);
  }
  static Screen run(const std::string& name, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"sim", "run"});
    return golden("sim-run-" + name, arguments);
  }

 private:
  fs::path folder_, old_;
};

TEST_F(SimRun, Help) {
  EXPECT_EQ(run("help", {"--help"}).exit, 0);
}
TEST_F(SimRun, BlinksWithoutCable) {
  EXPECT_EQ(run("blink", {"vbus-dfu.elf", "--vbus", "0", "--until", "PC6=0"}).exit, 0);
}
TEST_F(SimRun, EntersTheRomWithCable) {
  EXPECT_EQ(run("rom", {"vbus-dfu.elf", "--until", "usb=configured"}).exit, 0);
}
TEST_F(SimRun, EntersTheRomWhenResetWithCable) {
  EXPECT_EQ(run("rom-later", {"vbus-dfu.elf", "--vbus", "0", "--at", "100ms:vbus=1", "--at",
                              "200ms:reset", "--until", "rom"})
                .exit,
            0);
}
TEST_F(SimRun, ChargerOnly) {
  EXPECT_EQ(run("charger", {"vbus-dfu.elf,hse=8M", "--charger", "--for", "3s"}).exit, 0);
}
TEST_F(SimRun, NotMet) {
  EXPECT_EQ(run("not-met", {"vbus-dfu.elf,vbus=0", "--until", "PC6=1", "--for", "100ms"}).exit, 11);
}
TEST_F(SimRun, ReachesASymbol) {
  EXPECT_EQ(run("symbol", {"vbus-dfu.elf,vbus=0", "--until", "symbol=main"}).exit, 0);
}

TEST_F(SimRun, Talks) {
  EXPECT_EQ(run("uart", {"talk1.elf", "--vbus", "0", "--until", "uart1:thanks", "--at",
                         "5ms:uart1=please\\n"})
                .exit,
            0);
}
TEST_F(SimRun, TalksIntoAFile) {
  EXPECT_EQ(run("uart-pin", {"talk1.elf", "--until", "PC13=1", "--uart", "1=said.txt"}).exit, 0);
  std::ifstream file("said.txt");
  const std::string said((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(said, "hello\r\nread") << "the rest has not left the pin yet";
}

TEST_F(SimRun, EnumeratesFirmwareWithUsbOfItsOwn) {
  EXPECT_EQ(run("usb", {"dfu.elf", "--strict", "--until", "usb=configured"}).exit, 0);
}
TEST_F(SimRun, FirmwareWithDfuOfItsOwnIsProgrammed) {
  std::string image(64 * 1024, '\0');
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<char>(i * 7 + i / 256);
  std::ofstream("data.bin", std::ios::binary) << image;
  const Screen screen =
      command({"program", "data.bin", "--data", "--yes", "-d", "board:dfu.elf,state=chip"});
  EXPECT_EQ(screen.exit, 0) << screen.err;
  EXPECT_THAT(screen.out, HasSubstr("read back and equal to the file"));
  EXPECT_EQ(screen.err.find("board:"), std::string::npos) << "it does nothing wrong";
}

TEST_F(SimRun, JumpsIntoNowhere) {
  EXPECT_EQ(run("nowhere", {"fault1.elf"}).exit, 12);
}
TEST_F(SimRun, WritesFlashWhileLocked) {
  EXPECT_EQ(run("locked-flash", {"fault2.elf"}).exit, 12);
}
TEST_F(SimRun, DividesByZero) {
  EXPECT_EQ(run("divide", {"fault3.elf"}).exit, 12);
  EXPECT_EQ(run("divide-json", {"fault3.elf", "--json"}).exit, 12);
}
TEST_F(SimRun, DividesByZeroInSilence) {
  EXPECT_EQ(run("divide-silent", {"fault4.elf", "--for", "10ms"}).exit, 0);
}
TEST_F(SimRun, StackGrowsIntoData) {
  EXPECT_EQ(run("stack", {"fault5.elf"}).exit, 12);
}
TEST_F(SimRun, LocksUp) {
  EXPECT_EQ(run("lockup", {"fault11.elf", "--go-on"}).exit, 12);
}
TEST_F(SimRun, NeverFeedsTheWatchdog) {
  EXPECT_EQ(run("watchdog", {"talk2.elf"}).exit, 12);
  EXPECT_EQ(command({"sim", "run", "talk2.elf", "--until", "reset"}).exit, 0) << "as expected";
}
TEST_F(SimRun, ExpectedFaultsAreNoFailure) {
  EXPECT_EQ(command({"sim", "run", "fault3.elf", "--until", "fault"}).exit, 0);
  EXPECT_EQ(command({"sim", "run", "fault3.elf", "--go-on", "--for", "10ms"}).exit, 0);
}

TEST_F(SimRun, StrictEndsWithMisuse) {
  const Screen screen = command({"sim", "run", "fault2.elf", "--strict", "--go-on"});
  EXPECT_EQ(screen.exit, 12);
  EXPECT_THAT(screen.err, HasSubstr("unlocked FPEC"));
}

TEST(UartPort, IsATerminalToConnectTo) {
  auto port = UartPort::open("1=pty", stdout);
  ASSERT_TRUE(port) << message(port.error());
  const int terminal = ::open(port->terminal().c_str(), O_RDWR | O_NOCTTY);
  ASSERT_GE(terminal, 0);
  for (const char c : std::string("hi\n")) port->write(static_cast<std::uint8_t>(c));
  // The system passes bytes on when it likes; the test's own limit ends a wait in vain.
  std::string got(3, '\0');
  for (std::size_t n = 0; n < got.size();) {
    const ssize_t more = ::read(terminal, &got[n], got.size() - n);
    ASSERT_GT(more, 0);
    n += static_cast<std::size_t>(more);
  }
  EXPECT_EQ(got, "hi\n");
  EXPECT_EQ(port->typed(), Bytes{}) << "does not wait";
  EXPECT_EQ(::write(terminal, "yes", 3), 3);
  Bytes typed;
  while (typed.size() < 3) {
    const Bytes more = port->typed();
    typed.insert(typed.end(), more.begin(), more.end());
  }
  EXPECT_EQ(typed, (Bytes{'y', 'e', 's'}));
  ::close(terminal);
}

TEST_F(SimRun, PortThatIsTaken) {
  class NoTarget final : public sim::debug::GdbTarget {
   public:
    sim::cpu::Core& core() override { std::abort(); }
    void reset() override {}
    AddressRange flash() const override { return {}; }
    std::uint32_t sector_size() const override { return 0; }
    AddressRange ram() const override { return {}; }
    bool erase_flash(AddressRange) override { return false; }
    bool write_flash(std::uint32_t, ByteView) override { return false; }
    std::string info() override { return {}; }
  } target;
  const auto other = sim::debug::GdbServer::create(target, 0);
  ASSERT_TRUE(other);
  const Screen screen =
      command({"sim", "run", "talk1.elf", "--gdb", std::to_string((*other)->tcp_port())});
  EXPECT_EQ(screen.exit, 5);
  EXPECT_THAT(screen.err, HasSubstr("another program has the port"));
}

TEST_F(SimRun, OtherCore) {
  EXPECT_EQ(run("other-core", {"cortex-m4.elf"}).exit, 6);
}
TEST_F(SimRun, NeedsALoader) {
  EXPECT_EQ(run("behind-loader", {"behind-loader.elf"}).exit, 6);
}
TEST_F(SimRun, Usage) {
  EXPECT_EQ(run("usage-until", {"talk1.elf", "--until", "PZ1=1"}).exit, 2);
  EXPECT_EQ(run("usage-at", {"talk1.elf", "--at", "soon:reset"}).exit, 2);
  EXPECT_EQ(run("usage-symbol", {"talk1.elf", "--until", "symbol=mian"}).exit, 2);
  EXPECT_EQ(command({"sim", "run", "talk1.elf", "--for", "10"}).exit, 2);
  EXPECT_EQ(command({"sim", "run", "talk1.elf", "--uart", "9=-"}).exit, 2);
  EXPECT_EQ(command({"sim", "run", "talk1.elf,colour=red"}).exit, 2);
  EXPECT_EQ(command({"sim", "run", "absent.elf"}).exit, 6);
}

TEST_F(SimRun, TheSameSeedGivesTheSameRun) {
  const std::vector<std::string> arguments = {"sim", "run", "vbus-dfu.elf,seed=5", "--for", "1s"};
  EXPECT_EQ(command(arguments).out, command(arguments).out);
}

}  // namespace
}  // namespace sureflash::cli
