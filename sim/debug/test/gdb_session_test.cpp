// Goal: the answers to GDB's packets are those that the protocol's description demands; whatever
// else comes is answered in order and without harm.
// Method: packets as in "Debugging with GDB", appendix E, against a core with a small program.

#include "board_target.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sureflash::sim::debug {
namespace {

using testing::HasSubstr;
using State = GdbSession::State;
using cpu::Stop;

constexpr std::uint32_t kStart = 0x08000100, kRam = 0x20000000;

class Gdb : public testing::Test {
 protected:
  Gdb() {
    // movs r0, #1; movs r1, #2; lsls r2, r1, #28; str r0, [r2]; ldr r3, [r2]; b .
    target.board.program({0x2001, 0x2102, 0x070A, 0x6010, 0x6813, 0xE7FE});
    feed("$QStartNoAckMode#b0+");
    session.output().clear();
  }
  void feed(std::string_view text) {
    session.feed({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  }
  /// The payload of the one answer; "" for none.
  std::string ask(std::string_view packet) {
    session.output().clear();
    feed(frame(packet));
    const std::string out = session.output();
    if (out.empty()) return "(nothing)";
    EXPECT_EQ(out, frame(out.substr(1, out.size() - 4)));
    return out.substr(1, out.size() - 4);
  }
  /// Does what the session wants of the core, as a server would.
  std::string run() {
    session.output().clear();
    while (session.state() == State::Running || session.state() == State::Stepping) {
      const bool steps = session.state() == State::Stepping;
      const Stop why = steps ? target.core().step() : target.core().run(target.core().now() + 3);
      if (why == Stop::Deadline) {
        if (target.core().now() > 10'000) feed("\x03");
        continue;
      }
      session.halted(why == Stop::Watchpoint ? Halt::Watch
                     : why == Stop::Lockup   ? Halt::Lockup
                                             : Halt::Trap);
    }
    const std::string out = session.output();
    return out.size() < 4 ? out : out.substr(1, out.size() - 4);
  }

  BoardTarget target;
  GdbSession session{target};
};

TEST(GdbPackets, ChecksumsOfTheManual) {
  // E.1 "Overview" and common captures: $OK#9a, $#00, $vCont?#49.
  EXPECT_EQ(frame("OK"), "$OK#9a");
  EXPECT_EQ(frame(""), "$#00");
  EXPECT_EQ(frame("vCont?"), "$vCont?#49");
  // "#, $, } and * are escaped: the byte 0x7d is transmitted as 0x7d 0x5d".
  EXPECT_EQ(escape("}"), "}]");
  EXPECT_EQ(escape("#$*"), "}\x03}\x04}\x0a");
}

TEST(GdbPackets, AcknowledgedUntilToldNotTo) {
  BoardTarget target;
  target.board.program({0xE7FE});
  GdbSession session(target);
  const auto feed = [&](std::string_view text) {
    session.output().clear();
    session.feed({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    return session.output();
  };
  EXPECT_EQ(feed("$qC#b4"), "+$QC1#c5");
  EXPECT_EQ(feed("$qC#b5"), "-") << "wrong checksum";
  EXPECT_EQ(feed("-"), "$QC1#c5") << "again";
  EXPECT_EQ(feed("$q"), "");
  EXPECT_EQ(feed("C#b"), "");
  EXPECT_EQ(feed("4"), "+$QC1#c5") << "in pieces";
  EXPECT_EQ(feed("$m0,$qC#b4"), "-+$QC1#c5") << "one cut off by the next";
  EXPECT_EQ(feed("$QStartNoAckMode#b0"), "+$OK#9a");
  EXPECT_EQ(feed("+$qC#b4"), "$QC1#c5");
  EXPECT_EQ(feed("$qC#b5"), "");
}

TEST(GdbPackets, TooLargeIsRefused) {
  PacketReader reader;
  const std::string large = frame(std::string(kPacketSizeMax + 1, 'a'));
  const auto got = reader.feed({reinterpret_cast<const std::uint8_t*>(large.data()), large.size()});
  ASSERT_EQ(got.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<BadPacket>(got[0]));
}

TEST_F(Gdb, UnknownPacketsAreEmpty) {
  EXPECT_EQ(ask("vMustReplyEmpty"), "");
  EXPECT_EQ(ask("qTStatus"), "");
  EXPECT_EQ(ask("b"), "");
  EXPECT_EQ(ask(""), "");
}

TEST_F(Gdb, SaysWhatItCanDo) {
  const std::string features = ask("qSupported:multiprocess+;swbreak+;hwbreak+");
  EXPECT_THAT(features, HasSubstr("PacketSize=4000"));
  EXPECT_THAT(features, HasSubstr("qXfer:features:read+"));
  EXPECT_THAT(features, HasSubstr("qXfer:memory-map:read+"));
}

TEST_F(Gdb, DocumentsComeInParts) {
  const std::string whole = ask("qXfer:features:read:target.xml:0,3fff");
  ASSERT_EQ(whole[0], 'l');
  EXPECT_THAT(whole, HasSubstr("org.gnu.gdb.arm.m-profile"));
  EXPECT_THAT(whole, HasSubstr("org.gnu.gdb.arm.m-system"));
  std::string joined;
  for (std::size_t at = 0;; at += 100) {
    char packet[64];
    std::snprintf(packet, sizeof packet, "qXfer:features:read:target.xml:%zx,64", at);
    const std::string part = ask(packet);
    joined += part.substr(1);
    if (part[0] == 'l') break;
    ASSERT_EQ(part[0], 'm');
    ASSERT_EQ(part.size(), 101U);
  }
  EXPECT_EQ(joined, whole.substr(1));
  EXPECT_EQ(ask("qXfer:features:read:other.xml:0,100"), "E00");
  EXPECT_EQ(ask("qXfer:auxv:read::0,100"), "");
  EXPECT_THAT(ask("qXfer:memory-map:read::0,3fff"),
              HasSubstr("<memory type=\"flash\" start=\"0x08000000\" length=\"0x40000\"><property "
                        "name=\"blocksize\">0x800</property></memory>"));
}

TEST_F(Gdb, Registers) {
  EXPECT_EQ(ask("p0"), "00000000");
  EXPECT_EQ(ask("pf"), "00010008") << "little-endian 0x08000100";
  EXPECT_EQ(ask("pd"), "00000120") << "0x20010000";
  EXPECT_EQ(ask("p19"), "00000001") << "xPSR: Thumb";
  EXPECT_EQ(ask("p1a"), "00000120") << "msp";
  EXPECT_EQ(ask("P3=78563412"), "OK");
  EXPECT_EQ(target.core().reg(3), 0x12345678U);
  EXPECT_EQ(ask("P1c=01"), "OK");
  EXPECT_TRUE(target.core().state().primask);
  EXPECT_EQ(ask("p1c"), "01");
  EXPECT_EQ(ask("P1b=00800020"), "OK");
  EXPECT_EQ(target.core().psp(), 0x20008000U);
  EXPECT_EQ(ask("P1f=02"), "OK") << "control: PSP";
  EXPECT_EQ(target.core().reg(13), 0x20008000U);
  EXPECT_EQ(target.core().msp(), 0x20010000U);
  const std::string all = ask("g");
  EXPECT_EQ(all.size(), 2U * (19 * 4 + 4));
  EXPECT_EQ(all.substr(24, 8), "78563412");
  std::string changed = all;
  changed.replace(0, 8, "efbeadde");
  EXPECT_EQ(ask("G" + changed), "OK");
  EXPECT_EQ(target.core().reg(0), 0xDEADBEEFU);
  EXPECT_EQ(ask("g"), changed);
  EXPECT_EQ(ask("p10"), "E16");
  EXPECT_EQ(ask("P0=12"), "E16");
  EXPECT_EQ(ask("P0"), "E16");
  EXPECT_EQ(ask("Gxx"), "E16");
}

TEST_F(Gdb, Memory) {
  EXPECT_EQ(ask("m8000100,4"), "01200221");
  EXPECT_EQ(ask("m0,4"), "00000120") << "the boot alias";
  EXPECT_EQ(ask("M20000000,4:01020304"), "OK");
  EXPECT_EQ(ask("m20000001,2"), "0203");
  EXPECT_EQ(ask(std::string("X20000000,3:a}\x03z")), "OK");
  EXPECT_EQ(ask("m20000000,4"), "61237a04");
  EXPECT_EQ(ask("X20000000,0:"), "OK");
  EXPECT_EQ(ask("m60000000,4"), "E0e");
  EXPECT_EQ(ask("M60000000,1:00"), "E0e");
  EXPECT_EQ(ask("m2000fffe,8"), "0000") << "as much as there is";
  EXPECT_EQ(ask("m20000000,ffffffff").size(), kPacketSizeMax) << "bounded";
  EXPECT_EQ(ask("m20000000"), "E16");
  EXPECT_EQ(ask("mfffffffffffffffff,1"), "E16");
  EXPECT_EQ(ask("M20000000,4:0102"), "E16");
}

TEST_F(Gdb, StepsAndContinues) {
  EXPECT_EQ(ask("?"), "T050d:00000120;0f:00010008;thread:1;");
  EXPECT_EQ(ask("s"), "(nothing)");
  EXPECT_EQ(run(), "T050d:00000120;0f:02010008;thread:1;");
  EXPECT_EQ(target.core().reg(0), 1U);
  EXPECT_EQ(ask("vCont?"), "vCont;c;C;s;S;r");
  EXPECT_EQ(ask("vCont;s:1;c"), "(nothing)");
  EXPECT_EQ(run(), "T050d:00000120;0f:04010008;thread:1;");
  EXPECT_EQ(ask("vCont;r8000104,800010a:1"), "(nothing)");
  EXPECT_EQ(run(), "T050d:00000120;0f:0a010008;thread:1;") << "out of the range at last";
  EXPECT_EQ(ask("vCont;c"), "(nothing)");
  EXPECT_EQ(run(), "T020d:00000120;0f:0a010008;thread:1;") << "Ctrl-C";
  EXPECT_EQ(ask("s8000100"), "(nothing)");
  EXPECT_EQ(run(), "T050d:00000120;0f:02010008;thread:1;") << "from another address";
  EXPECT_EQ(ask("vCont;x"), "E16");
}

TEST_F(Gdb, Breakpoints) {
  EXPECT_EQ(ask("Z0,8000106,2"), "OK");
  EXPECT_EQ(ask("Z1,8000104,2"), "OK");
  ask("c");
  EXPECT_EQ(run(), "T050d:00000120;0f:04010008;thread:1;");
  ask("c");
  EXPECT_EQ(run(), "T050d:00000120;0f:06010008;thread:1;");
  EXPECT_EQ(ask("z0,8000106,2"), "OK");
  EXPECT_EQ(ask("z1,8000104,2"), "OK");
  ask("c8000100");
  EXPECT_EQ(run().substr(0, 3), "T02");
  EXPECT_EQ(ask("Z5,0,2"), "");
  EXPECT_EQ(ask("Z0,0"), "E16");
}

TEST_F(Gdb, Watchpoints) {
  EXPECT_EQ(ask("Z2,20000000,4"), "OK");
  ask("c");
  EXPECT_THAT(run(), HasSubstr("T05watch:20000000;"));
  EXPECT_EQ(target.core().reg(15), kStart + 8) << "behind the store";
  EXPECT_EQ(ask("Z3,20000000,2"), "OK");
  EXPECT_EQ(ask("z2,20000000,4"), "OK");
  ask("c");
  EXPECT_THAT(run(), HasSubstr("T05rwatch:20000000;"));
  EXPECT_EQ(target.core().reg(15), kStart + 10);
  EXPECT_EQ(ask("z3,20000000,2"), "OK");
  EXPECT_EQ(ask("Z4,20000002,1"), "OK");
  ask("c8000100");
  EXPECT_THAT(run(), HasSubstr("T05awatch:20000002;")) << "part of the word";
}

TEST_F(Gdb, Load) {
  EXPECT_EQ(ask("vFlashErase:8000000,800"), "OK");
  EXPECT_EQ(ask("m8000100,4"), "ffffffff");
  EXPECT_EQ(ask("vFlashWrite:8000000:" + std::string("\x01\x02}\x03", 4)), "OK");
  EXPECT_EQ(ask("m8000000,4"), "ffffffff") << "not before Done";
  EXPECT_EQ(ask("vFlashDone"), "OK");
  EXPECT_EQ(ask("m8000000,4"), "010223ff");
  EXPECT_EQ(ask("vFlashWrite:803ffff:ab"), "E.memtype");
  EXPECT_EQ(ask("vFlashErase:7fff800,800"), "E0e");
}

TEST_F(Gdb, Monitor) {
  const auto monitor = [this](std::string_view command) {
    const auto text = from_hex(ask("qRcmd," + to_hex(command)));
    return std::string(text->begin(), text->end());
  };
  EXPECT_EQ(monitor("info"), "a test board\n");
  EXPECT_EQ(monitor("reset halt"), "the chip was reset\n");
  EXPECT_EQ(target.resets, 1);
  EXPECT_THAT(monitor("what"), HasSubstr("no such command: what\nmonitor reset"));
  EXPECT_EQ(ask("qRcmd,0g"), "E16");
}

TEST_F(Gdb, Leaves) {
  EXPECT_EQ(ask("D"), "OK");
  EXPECT_EQ(session.state(), State::Detached);
}

TEST_F(Gdb, Kills) {
  EXPECT_EQ(ask("k"), "(nothing)");
  EXPECT_EQ(session.state(), State::Killed);
}

TEST_F(Gdb, TakesItsBreakpointsWithIt) {
  {
    GdbSession other(target);
    const std::string packets = frame("Z0,8000104,2") + frame("Z2,20000000,4");
    other.feed({reinterpret_cast<const std::uint8_t*>(packets.data()), packets.size()});
  }
  EXPECT_EQ(target.core().run(1000), Stop::Deadline);
}

TEST_F(Gdb, HaltsWhenSpokenToWhileRunning) {
  ask("c");
  EXPECT_EQ(session.state(), State::Running);
  session.output().clear();
  feed(frame("qC"));
  EXPECT_THAT(session.output(), testing::StartsWith("$T02"));
  EXPECT_THAT(session.output(), testing::EndsWith("$QC1#c5"));
}

}  // namespace
}  // namespace sureflash::sim::debug
