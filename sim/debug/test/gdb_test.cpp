// Goal: an unmodified GDB attaches, loads, breaks at symbols and lines, steps, reads and changes
// memory and registers, watches variables and interrupts.
// Method: gdb-multiarch in batch mode over TCP against a core that runs a program of the cross
// compiler (sim/firmware/test/firmware/main.c); its screen is searched.

#include <array>
#include <cstdio>
#include <fstream>
#include <thread>
#include <unistd.h>

#include "board_target.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sureflash/base/error.hpp"
#include "sureflash/sim/debug/gdb_server.hpp"

namespace sureflash::sim::debug {
namespace {

using State = GdbSession::State;
using cpu::Stop;
using testing::ContainsRegex;
using testing::HasSubstr;

/// Runs what GDB wants until it is gone.
void serve(GdbServer& server, BoardTarget& target) {
  bool was_there = false;
  while (!was_there || server.connected()) {
    const State state = server.state();
    const bool runs = server.connected() && (state == State::Running || state == State::Stepping);
    server.poll(runs ? 0ms : 50ms);
    was_there = was_there || server.connected();
    if (!runs) continue;
    const Stop why = state == State::Stepping ? target.core().step()
                                              : target.core().run(target.core().now() + 10'000);
    if (why == Stop::Deadline) continue;
    server.halted(why == Stop::Watchpoint ? Halt::Watch
                  : why == Stop::Lockup   ? Halt::Lockup
                                          : Halt::Trap);
  }
}

class GdbProcess : public testing::Test {
 protected:
  /// The screen of GDB after these commands, the first of which are there always.
  std::string gdb(const std::string& commands) {
    auto server = GdbServer::create(target_, 0);
    EXPECT_TRUE(server) << message(server.error());
    const std::string script =
        testing::TempDir() + "/sureflash-" + std::to_string(::getpid()) + ".gdb";
    std::ofstream(script) << "set pagination off\nset confirm off\nset width 0\nfile " << elf_
                          << "\ntarget remote 127.0.0.1:" << (*server)->tcp_port() << "\n"
                          << commands;
    std::string screen;
    std::thread process([&] {
      const std::string command =
          "timeout 30 gdb-multiarch -nx -q -batch -x " + script + " 2>&1 </dev/null";
      std::FILE* pipe = ::popen(command.c_str(), "r");
      std::array<char, 512> line{};
      while (std::fgets(line.data(), line.size(), pipe) != nullptr) screen += line.data();
      ::pclose(pipe);
    });
    serve(**server, target_);
    process.join();
    state_ = (*server)->state();
    return screen;
  }

  const std::string elf_ = std::string(SUREFLASH_FIRMWARE_DIR) + "/plain.elf";
  BoardTarget target_;
  State state_ = State::Halted;
};

TEST_F(GdbProcess, LoadsBreaksAndSteps) {
  const std::string screen = gdb(R"(
load
compare-sections
monitor reset
info registers pc
break checksum
continue
backtrace
info registers
x/2xw 0x08000000
print seed
print seed = 5
stepi
next
print/x $msp
delete
monitor reset
tbreak main.c:18
continue
)");
  EXPECT_THAT(screen, HasSubstr("Loading section .vectors")) << screen;
  EXPECT_THAT(screen, ContainsRegex("Section .text.*: matched")) << screen;
  EXPECT_THAT(screen, Not(HasSubstr("MIS-MATCHED")));
  EXPECT_THAT(screen, HasSubstr("the chip was reset"));
  EXPECT_THAT(screen, ContainsRegex("pc +0x[0-9a-f]+ +0x[0-9a-f]+ <Reset_Handler>"));
  EXPECT_THAT(screen, ContainsRegex("Breakpoint 1, checksum \\(x=1\\) at .*main.c:"));
  EXPECT_THAT(screen, ContainsRegex("#1 .* main \\(\\) at"));
  EXPECT_THAT(screen, ContainsRegex("xpsr +0x[0-9a-f]+"));
  EXPECT_THAT(screen, ContainsRegex("primask +0x0"));
  EXPECT_THAT(screen, ContainsRegex("0x8000000.*:\t0x20010000\t0x080000"));
  EXPECT_THAT(screen, HasSubstr("$1 = 1\n"));
  EXPECT_THAT(screen, HasSubstr("$2 = 5\n"));
  EXPECT_THAT(screen, HasSubstr("$3 = 0x2000"));
  EXPECT_THAT(screen, ContainsRegex("Temporary breakpoint 2, .*main.c:1"));
}

TEST_F(GdbProcess, Watches) {
  const std::string screen = gdb(R"(
load
monitor reset
watch counter
continue
continue
delete
rwatch seed
continue
delete
awatch seed
continue
)");
  EXPECT_THAT(screen, HasSubstr("Hardware watchpoint 1: counter")) << screen;
  EXPECT_THAT(screen, ContainsRegex("Old value = 0\nNew value = 1"));
  EXPECT_THAT(screen, ContainsRegex("Old value = 1\nNew value = 2"));
  EXPECT_THAT(screen, ContainsRegex("Hardware read watchpoint 2: seed\n\nValue = "));
  EXPECT_THAT(screen, ContainsRegex("Hardware access \\(read/write\\) watchpoint 3: seed"));
}

TEST_F(GdbProcess, Interrupts) {
  const std::string screen = gdb(R"(
load
monitor reset
python import os, signal, threading
python threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
continue
backtrace
detach
)");
  EXPECT_THAT(screen, HasSubstr("Program received signal SIGINT")) << screen;
  EXPECT_THAT(screen, ContainsRegex("#0 .*(main|checksum)"));
  EXPECT_EQ(state_, State::Running) << "it goes on after detach";
}

TEST_F(GdbProcess, LocksUp) {
  // No handlers behind the two vectors: a fault reads a vector of 0xFFFFFFFF or code.
  const std::string screen = gdb(R"(
load
monitor reset
set var *(unsigned*)0xE000ED08 = 0x20000000
set var *(unsigned*)0x2000000c = 0
set $pc = 0xF0000000
continue
monitor info
kill
)");
  EXPECT_THAT(screen, HasSubstr("Program received signal SIGSEGV")) << screen;
  EXPECT_THAT(screen, HasSubstr("a test board"));
  EXPECT_EQ(state_, State::Killed);
}

}  // namespace
}  // namespace sureflash::sim::debug
