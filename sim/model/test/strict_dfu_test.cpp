// Goal: every DFU request in every state does what DFU 1.1 (appendix A) says, for the book device
// and for the ROM with its documented deviations. Method: the table is written out here as text,
// independently of the model; each cell is tried on a real device that was forced into the state.

#include "sureflash/sim/model/strict_dfu.hpp"

#include <sstream>

#include "usb_host.hpp"

namespace sureflash::sim {
namespace {

// One row per state 0…10. Cells: the outcome of DETACH, DNLOAD with data, DNLOAD without, UPLOAD,
// GETSTATUS, CLRSTATUS, GETSTATE, ABORT. "N" = answered, state N after; "xN" = stalled, state N
// after (x10 with errSTALLEDPKT unless already in error); "-" = no answer.
constexpr const char* kBook[] = {
    // DETACH is the run-time device's business: 'd' marks cells tested there.
    "x0 x0 x0 x0 0 x0 0 x0",       "x0 x0 x0 x0 1 x0 1 x0",           "x10 3 x10 9 2 x10 2 2",
    "x10 x10 x10 x10 5 x10 3 x10", "x10 x10 x10 x10 x10 x10 x10 x10", "x10 3 6 x10 5 x10 5 2",
    "x10 x10 x10 x10 7 x10 6 x10", "x10 x10 x10 x10 x10 x10 x10 x10", "- - - - - - - -",
    "x10 x10 x10 9 9 x10 9 2",     "x10 x10 x10 x10 10 2 10 x10",
};

// The ROM: DETACH is ignored everywhere it answers at all (AN3156); a zero-length DNLOAD leaves
// from dfuIDLE too; with GETSTATUS not held a busy ROM answers it.
constexpr const char* kRom[] = {
    nullptr,  // a ROM is never in appIDLE or appDETACH
    nullptr,
    "2 3 6 9 2 x10 2 2",
    "3 x10 x10 x10 5 x10 3 x10",
    "4 x10 x10 x10 4 x10 x10 x10",
    "5 3 6 x10 5 x10 5 2",
    "6 x10 x10 x10 7 x10 6 x10",
    "7 x10 x10 x10 x10 x10 x10 x10",
    nullptr,  // nor in dfuMANIFEST-WAIT-RESET: it resets by itself
    "9 x10 x10 9 9 x10 9 2",
    "10 x10 x10 x10 10 2 10 x10",
};

Completion send(Host& host, int event) {
  switch (event) {
    case 0:
      return host.detach(1000);
    case 1:
      return host.dnload(2, Bytes(4, 0x55));
    case 2:
      return host.dnload(0, {});
    case 3:
      return host.upload(2, 64);
    case 4:
      return host.in(0xA1, 3, 0, 0, 6);
    case 5:
      return host.clr_status();
    case 6:
      return host.in(0xA1, 5, 0, 0, 1);
    default:
      return host.abort();
  }
}

std::string outcome(const Completion& done, const StrictDfu& dfu) {
  const std::string state = std::to_string(static_cast<int>(dfu.state()));
  switch (done.handshake) {
    case Handshake::Ack:
      return state;
    case Handshake::Stall:
      return "x" + state;
    case Handshake::Timeout:
      return "-";
    case Handshake::Gone:
      return "gone";
    case Handshake::Babble:
      return "babble";
  }
  return "?";
}

void try_table(std::string_view spec, std::span<const char* const> table) {
  for (int state = 0; state < 11; ++state) {
    if (table[static_cast<std::size_t>(state)] == nullptr) continue;
    std::istringstream cells(table[static_cast<std::size_t>(state)]);
    for (int event = 0; event < 8; ++event) {
      std::string expected;
      cells >> expected;
      const auto device = make(spec);
      Host host(*device);
      host.timeout = 100ms;
      ASSERT_TRUE(host.enumerate());
      auto& dfu = dynamic_cast<StrictDfu&>(device->loader());
      dfu.force_state(static_cast<proto::DfuState>(state));
      // A busy device must not finish by itself before the request comes: force the state last.
      const auto done = send(host, event);
      EXPECT_EQ(outcome(done, dfu), expected) << spec << " state " << state << " event " << event;
      if (expected == "x10" && state != 10) {
        EXPECT_EQ(dfu.status(), proto::DfuStatus::ErrStalledPkt);
      }
      if (done.handshake == Handshake::Ack && event == 4) {
        EXPECT_EQ(host.data[4], std::stoi(expected));
      }
      if (done.handshake == Handshake::Ack && event == 6) {
        EXPECT_EQ(host.data[0], state);
      }
    }
  }
}

TEST(StrictDfu, EveryRequestInEveryStateOfTheRomHeld) {
  // In dfuDNBUSY a holding ROM NAKs; once the work is over it is in dfuDNLOAD-SYNC. See
  // HeldGetStatus.
  std::vector<const char*> table(std::begin(kRom), std::end(kRom));
  table[4] = nullptr;
  try_table("stm32f105,held=1", table);
}

// The forced state dfuDNBUSY has no work behind it and is over at once, so the function is asked
// directly.
TEST(StrictDfu, TheTableItself) {
  for (int state = 0; state < 11; ++state) {
    std::istringstream cells(kBook[state]);
    for (int event = 0; event < 8; ++event) {
      std::string expected;
      cells >> expected;
      const DfuAction action =
          strict_action(static_cast<proto::DfuState>(state), static_cast<DfuEvent>(event));
      if (state == 0 && event == 0) {
        EXPECT_EQ(action, DfuAction::Detach);
      } else if (expected == "x10") {
        EXPECT_EQ(action, state == 10 ? DfuAction::Stall : DfuAction::StallToError);
      } else if (expected == "x0") {
        EXPECT_EQ(action, state == 1 ? DfuAction::StallToAppIdle : DfuAction::Stall);
      } else if (expected == "-") {
        EXPECT_EQ(action, DfuAction::Silent);
      } else {
        EXPECT_NE(action, DfuAction::Stall) << state << " " << event;
        EXPECT_NE(action, DfuAction::StallToError) << state << " " << event;
        EXPECT_NE(action, DfuAction::StallToAppIdle) << state << " " << event;
        EXPECT_NE(action, DfuAction::Silent) << state << " " << event;
      }
    }
  }
  EXPECT_EQ(strict_action(static_cast<proto::DfuState>(15), DfuEvent::GetStatus), DfuAction::Stall);
}

TEST(StrictDfu, EveryRequestInEveryStateOfTheBookDevice) {
  std::vector<const char*> table(std::begin(kBook), std::end(kBook));
  table[4] = table[7] = nullptr;  // busy states: next test, with real work
  // An application must be there or manifestation fails (errFIRMWARE).
  table[6] = "x10 x10 x10 x10 10 x10 6 x10";
  try_table("dfu11", table);
}

/// Brings a device into dfuDNBUSY with one block of work.
void make_busy(Host& host) {
  ASSERT_EQ(host.dnload(host.interface == 0 ? 2 : 0, Bytes(1024, 0x42)).handshake, Handshake::Ack);
  ASSERT_EQ(host.poll(), std::pair(0, 4));
}

TEST(StrictDfu, ABusyBookDeviceStallsEverythingAndFails) {
  for (int event = 0; event < 8; ++event) {
    const auto device = make("dfu11");
    Host host(*device);
    ASSERT_TRUE(host.enumerate());
    make_busy(host);
    EXPECT_GE(host.poll_ms, 27U);
    EXPECT_EQ(send(host, event).handshake, Handshake::Stall) << event;
    EXPECT_EQ(host.poll(), std::pair(15, 10)) << event;
  }
}

TEST(StrictDfu, ABusyRomThatDoesNotHoldAnswersGetStatusOnly) {
  for (int event = 0; event < 8; ++event) {
    const auto device = make("stm32f105,held=0");
    Host host(*device);
    ASSERT_TRUE(host.enumerate());
    make_busy(host);
    const auto done = send(host, event);
    std::istringstream cells(kRom[4]);
    std::string expected;
    for (int i = 0; i <= event; ++i) cells >> expected;
    EXPECT_EQ(outcome(done, dynamic_cast<StrictDfu&>(device->loader())), expected) << event;
  }
}

TEST(StrictDfu, AHoldingRomAnswersWhenTheWorkIsDone) {
  const auto device = make("stm32f105,held=1,poll=0");
  Host host(*device);
  ASSERT_TRUE(host.enumerate());
  make_busy(host);
  EXPECT_EQ(host.poll_ms, 0U);
  const Duration before = host.usb().now();
  EXPECT_EQ(host.poll(), kDnloadIdle);
  // 512 half-words of 52.5 µs, less the status stage of the first GETSTATUS.
  EXPECT_GE(host.usb().now() - before, 512 * 52'500ns);
  EXPECT_LT(host.usb().now() - before, 512 * 52'500ns + 1ms);
}

TEST(StrictDfu, AHostThatGivesUpTooEarlyGetsATimeout) {
  const auto device = make("stm32f105,held=1");
  Host host(*device);
  ASSERT_TRUE(host.enumerate());
  make_busy(host);
  host.timeout = 10ms;
  const Duration before = host.usb().now();
  EXPECT_EQ(host.get_status().handshake, Handshake::Timeout);
  EXPECT_EQ(host.usb().now() - before, 10ms);
  host.timeout = 5s;
  EXPECT_EQ(host.poll(), kDnloadIdle);
}

TEST(StrictDfu, ANotHoldingRomSaysBusyUntilItIsDone) {
  const auto device = make("stm32f105,held=0,poll=datasheet");
  Host host(*device);
  ASSERT_TRUE(host.enumerate());
  make_busy(host);
  EXPECT_EQ(host.poll_ms, 27U);  // 26.88 ms
  EXPECT_EQ(host.poll(), std::pair(0, 4));
  host.wait(std::chrono::milliseconds(host.poll_ms));
  EXPECT_EQ(host.poll(), kDnloadIdle);
}

TEST(StrictDfu, RequestsInTheWrongDirectionAndUnknownOnesStall) {
  const auto device = make("stm32f105");
  Host host(*device);
  ASSERT_TRUE(host.enumerate());
  for (std::uint8_t request = 0; request < 16; ++request) {
    const bool in_request = request == 2 || request == 3 || request == 5;
    const bool known = request <= 6;
    if (known && in_request) {
      EXPECT_EQ(host.out(0x21, request, 0, 0).handshake, Handshake::Stall) << int{request};
    } else {
      EXPECT_EQ(host.in(0xA1, request, 0, 0, 8).handshake, Handshake::Stall) << int{request};
    }
  }
  EXPECT_EQ(host.in(0xA1, 3, 0, 1, 6).handshake, Handshake::Stall) << "no interface 1";
  EXPECT_EQ(host.in(0xC1, 3, 0, 0, 6).handshake, Handshake::Stall) << "vendor request";
  EXPECT_EQ(host.poll(), std::pair(0, 2));
}

}  // namespace
}  // namespace sureflash::sim
