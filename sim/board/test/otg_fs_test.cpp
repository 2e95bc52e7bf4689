// Goal: OTG_FS behaves as RM0008 chapter 28 says it must be programmed. Method: each procedure
// of 28.17 as register accesses on one side, the transactions of USB 2.0 chapter 8 on the other. In
// a correct procedure the core has nothing to report.
#include "otg_procedures.hpp"
#include <gmock/gmock.h>

namespace sureflash::sim {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const std::array<std::uint8_t, 8> kGetDevice{0x80, 6, 0, 1, 0, 0, 18, 0};
const std::array<std::uint8_t, 8> kSetAddress5{0x00, 5, 5, 0, 0, 0, 0, 0};

Bytes counted(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + 1);
  return bytes;
}

class OtgFsTest : public OtgProcedures {};

TEST_F(OtgFsTest, ResetValuesAreThoseOfTheManual) {
  EXPECT_EQ(otg.read(0x008), 0U);
  EXPECT_EQ(otg.read(0x00C) & ~0x40U, 0x00000A00U);
  EXPECT_EQ(otg.read(0x010) & 1U << 31, 1U << 31);  // AHBIDL
  EXPECT_EQ(otg.read(0x014), 0x04000020U);
  EXPECT_EQ(otg.read(0x024), 0x200U);
  EXPECT_EQ(otg.read(0x028), 0x02000200U);
  EXPECT_EQ(otg.read(0x03C), 0x00001000U);
  EXPECT_EQ(otg.read(0x800), 0x02200000U);
  EXPECT_EQ(otg.read(0x804), 0U);
  EXPECT_EQ(otg.read(0x808), 0x10U);
  EXPECT_EQ(otg.read(0x828), 0x17D7U);
  EXPECT_EQ(otg.read(0x82C), 0x5B8U);
  EXPECT_EQ(otg.read(0x900), 0x8000U);
  EXPECT_EQ(otg.read(0xB00), 0x8000U);
  EXPECT_EQ(otg.read(0x908), 0x80U);
}

TEST_F(OtgFsTest, CoreInitializationConnectsOnlyWithVbusAndClock) {
  initialize();
  EXPECT_FALSE(otg.pulled_up());
  EXPECT_EQ(otg.read(0x000) & 1U << 19, 0U);  // BSVLD
  otg.set_vbus(true);
  EXPECT_TRUE(otg.pulled_up());
  EXPECT_EQ(otg.read(0x000) & 1U << 19, 1U << 19);
  EXPECT_EQ(otg.read(0x014) & 1U << 30, 1U << 30);  // SRQINT: session
  otg.write(0x804, 1U << 1);                        // SDIS
  EXPECT_FALSE(otg.pulled_up());
  otg.write(0x804, 0);
  otg.set_usb_clock(false);
  EXPECT_FALSE(otg.pulled_up());
  otg.set_usb_clock(true);
  otg.set_vbus(false);
  EXPECT_FALSE(otg.pulled_up());
  EXPECT_EQ(otg.read(0x004), 1U << 2);            // GOTGINT: SEDET
  EXPECT_EQ(otg.read(0x014) & 1U << 2, 1U << 2);  // OTGINT
  EXPECT_TRUE(otg.irq());
  otg.write(0x004, 1U << 2);
  EXPECT_EQ(otg.read(0x014) & 1U << 2, 0U);
  EXPECT_THAT(reports, IsEmpty());
}

TEST_F(OtgFsTest, WithoutSensingTheSessionIsASwitch) {
  otg.set_usb_clock(true);
  otg.write(0x038, 1U << 16);
  EXPECT_TRUE(otg.pulled_up());
  EXPECT_THAT(reports, IsEmpty()) << "drivers turn sensing on later";
  otg.begin_bus_reset();
  EXPECT_THAT(reports.at(0), HasSubstr("VBUSBSEN is off"));
  OtgFs strict({}, {.session_without_sensing = false});
  strict.set_usb_clock(true);
  strict.write(0x038, 1U << 16 | 1U << 21);
  EXPECT_FALSE(strict.pulled_up());
  strict.set_vbus(true);
  EXPECT_FALSE(strict.pulled_up());
}

TEST_F(OtgFsTest, CoreResetNeedsTheUsbClock) {
  otg.write(0x010, 1U << 0);
  EXPECT_NE(otg.read(0x010) & 1U << 0, 0U);
  EXPECT_THAT(reports.at(0), HasSubstr("48 MHz"));
  otg.set_usb_clock(true);
  EXPECT_EQ(otg.read(0x010) & 1U << 0, 0U);
}

TEST_F(OtgFsTest, CoreResetKeepsWhatBelongsToTheTransceiver) {
  attach();
  otg.write(0x018, kAll);
  otg.write(0x010, 1U << 0);
  EXPECT_EQ(otg.read(0x018), 0U);
  EXPECT_EQ(otg.read(0x024), 0x200U);
  EXPECT_EQ(otg.read(0x038), 1U << 16 | 1U << 19);
  EXPECT_EQ(otg.read(0x800) & 3U, 3U);
}

TEST_F(OtgFsTest, BusResetAndEnumerationCompletion) {
  otg.set_vbus(true);
  initialize();
  otg.write(0x014, kAll);
  EXPECT_FALSE(otg.irq());
  EXPECT_EQ(otg.setup(0, kGetDevice), PacketReply::None) << "no bus reset yet";
  otg.begin_bus_reset();
  EXPECT_TRUE(otg.irq());
  EXPECT_EQ(otg.read(0x014) & 3U << 12, 1U << 12);
  EXPECT_EQ(otg.setup(0, kGetDevice), PacketReply::None) << "in reset";
  otg.write(0x014, 1U << 12);
  EXPECT_FALSE(otg.irq());
  otg.end_bus_reset();
  EXPECT_EQ(otg.read(0x014) & 3U << 12, 2U << 12);
  EXPECT_EQ(otg.read(0x808) >> 1 & 3, 3U);  // ENUMSPD: full speed
}

TEST_F(OtgFsTest, BusResetDeactivatesEndpointsAndAddress) {
  attach();
  activate_bulk();
  otg.write(0x800, 3 | 5U << 4);
  otg.begin_bus_reset();
  otg.end_bus_reset();
  EXPECT_EQ(otg.read(0x920) & 1U << 15, 0U);
  EXPECT_EQ(otg.read(0xB20) & 1U << 15, 0U);
  EXPECT_EQ(otg.read(0x900) & 1U << 15, 1U << 15);
  EXPECT_EQ(otg.read(0x800) & 0x7FU << 4, 0U);
  EXPECT_EQ(otg.setup(0, kGetDevice), PacketReply::Ack);
}

TEST_F(OtgFsTest, WhetherBusResetClearsTheAddressIsASwitch) {
  OtgFs keeps({}, {.reset_clears_address = false});
  keeps.set_usb_clock(true);
  keeps.set_vbus(true);
  keeps.write(0x038, 1U << 16 | 1U << 19);
  keeps.write(0x800, 3 | 5U << 4);
  keeps.begin_bus_reset();
  keeps.end_bus_reset();
  EXPECT_EQ(keeps.read(0x800) & 0x7FU << 4, 5U << 4);
  EXPECT_EQ(keeps.setup(0, kGetDevice), PacketReply::None);
  EXPECT_EQ(keeps.setup(5, kGetDevice), PacketReply::Ack);
}

TEST_F(OtgFsTest, SetupRaisesStupWhenItsEndIsPopped) {
  attach();
  otg.write(0xB00, 1U << 31 | 1U << 26);
  EXPECT_EQ(otg.setup(0, kGetDevice), PacketReply::Ack);
  EXPECT_EQ(otg.read(0xB10) >> 29 & 3, 2U);   // STUPCNT counts down
  EXPECT_NE(otg.read(0x900) & 1U << 17, 0U);  // NAKSTS, both directions
  EXPECT_NE(otg.read(0xB00) & 1U << 17, 0U);
  const Rx data = pop();
  EXPECT_EQ(data.status, 6U);
  EXPECT_EQ(data.count, 8U);
  EXPECT_EQ(data.data_pid, 0U);
  EXPECT_EQ(data.data, Bytes(kGetDevice.begin(), kGetDevice.end()));
  EXPECT_EQ(otg.read(0x014) & 1U << 4, 0U) << "the setup stage lasts until the next token";
  EXPECT_EQ(otg.in(0, 0).reply, PacketReply::Nak);
  EXPECT_TRUE(otg.irq());
  EXPECT_EQ(otg.read(0xB08) & 1U << 3, 0U);
  EXPECT_EQ(pop().status, 4U);
  EXPECT_EQ(otg.read(0xB08) & 1U << 3, 1U << 3);
  EXPECT_EQ(otg.read(0xB00) & 1U << 31, 0U) << "EPENA of control OUT";
  EXPECT_EQ(otg.read(0x818), 1U << 16);
  EXPECT_NE(otg.read(0x014) & 1U << 19, 0U);
  otg.write(0xB08, 1U << 3);
  EXPECT_FALSE(otg.irq());
  EXPECT_THAT(reports, IsEmpty());
}

TEST_F(OtgFsTest, ControlRead) {
  attach();
  setup(kGetDevice);
  const Bytes descriptor = counted(18);
  send(0, descriptor, 1);
  EXPECT_EQ(otg.read(0x910) & 0x7F, 0U) << "XFRSIZ counts what the CPU has loaded";
  EXPECT_EQ(otg.read(0x918) & 0xFFFF, 16U - 5U);
  const InPacket packet = otg.in(0, 0);
  EXPECT_EQ(packet.reply, PacketReply::Ack);
  EXPECT_TRUE(packet.data1) << "the data stage begins with DATA1";
  EXPECT_EQ(packet.data, descriptor);
  EXPECT_EQ(otg.read(0x908) & 1U, 1U);
  EXPECT_EQ(otg.read(0x900) & 1U << 31, 0U);
  EXPECT_EQ(otg.out(0, 0, true, {}), PacketReply::Nak) << "status stage not armed";
  receive(0, 64, 1);
  EXPECT_EQ(otg.out(0, 0, true, {}), PacketReply::Ack);
  const Rx out = pop();
  EXPECT_EQ(out.status, 2U);
  EXPECT_EQ(out.count, 0U);
  EXPECT_EQ(otg.read(0xB08) & 1U, 0U);
  EXPECT_EQ(pop().status, 3U);
  EXPECT_EQ(otg.read(0xB08) & 1U, 1U);
  EXPECT_EQ(otg.read(0xB00) & 1U << 31, 0U);
  EXPECT_THAT(reports, IsEmpty());
}

TEST_F(OtgFsTest, ControlWriteWithData) {
  attach();
  setup({0x21, 1, 2, 0, 0, 0, 70, 0});
  const Bytes data = counted(70);
  for (std::size_t done = 0; done < 70; done += 64) {
    const ByteView part = ByteView(data).subspan(done, std::min<std::size_t>(64, 70 - done));
    receive(0, 64, 1);
    EXPECT_EQ(otg.out(0, 0, done == 0, part), PacketReply::Ack);
    EXPECT_EQ(otg.out(0, 0, done != 0, part), PacketReply::Nak) << "complete, not yet popped";
    EXPECT_EQ(pop().data, Bytes(part.begin(), part.end()));
    EXPECT_EQ(pop().status, 3U);
  }
  send(0, {}, 1);
  const InPacket status = otg.in(0, 0);
  EXPECT_EQ(status.reply, PacketReply::Ack);
  EXPECT_TRUE(status.data1);
  EXPECT_THAT(status.data, IsEmpty());
  EXPECT_THAT(reports, IsEmpty());
}

TEST_F(OtgFsTest, SetAddressHoldsFromTheStatusStageOn) {
  attach();
  setup(kSetAddress5);
  otg.write(0x800, 3 | 5U << 4);
  send(0, {}, 1);
  EXPECT_EQ(otg.in(5, 0).reply, PacketReply::None);
  EXPECT_EQ(otg.in(0, 0).reply, PacketReply::Ack);
  EXPECT_EQ(otg.setup(0, kGetDevice), PacketReply::None);
  EXPECT_EQ(otg.setup(5, kGetDevice), PacketReply::Ack);
}

TEST_F(OtgFsTest, AnAddressWrittenAfterTheStatusStageHoldsAtOnce) {
  attach();
  setup(kSetAddress5);
  send(0, {}, 1);
  EXPECT_EQ(otg.in(0, 0).reply, PacketReply::Ack);
  otg.write(0x800, 3 | 5U << 4);
  EXPECT_EQ(otg.setup(5, kGetDevice), PacketReply::Ack);
}

TEST_F(OtgFsTest, StallOfEndpoint0LastsUntilTheNextSetup) {
  attach();
  setup(kGetDevice);
  otg.write(0x900, 1U << 21);
  otg.write(0xB00, 1U << 21);
  EXPECT_EQ(otg.in(0, 0).reply, PacketReply::Stall) << "before NAK";
  EXPECT_EQ(otg.out(0, 0, true, {}), PacketReply::Stall);
  otg.write(0x900, 0);
  EXPECT_EQ(otg.in(0, 0).reply, PacketReply::Stall) << "only a SETUP clears it";
  EXPECT_EQ(otg.setup(0, kGetDevice), PacketReply::Ack);
  EXPECT_EQ(otg.in(0, 0).reply, PacketReply::Nak);
}

TEST_F(OtgFsTest, BulkInSendsPacketAfterPacketAsTheFifoFills) {
  attach();
  activate_bulk();
  EXPECT_EQ(otg.in(0, 1).reply, PacketReply::Nak);
  const Bytes data = counted(150);
  otg.write(0x930, 3U << 19 | 150);
  otg.write(0x920, otg.read(0x920) | 1U << 31 | 1U << 26);
  load(1, ByteView(data).first(60));
  EXPECT_EQ(otg.in(0, 1).reply, PacketReply::Nak) << "packet not complete in the FIFO";
  load(1, ByteView(data).subspan(60));
  for (std::size_t done = 0; done < 150; done += 64) {
    const InPacket packet = otg.in(0, 1);
    EXPECT_EQ(packet.reply, PacketReply::Ack);
    EXPECT_EQ(packet.data1, done == 64);
    const std::size_t size = std::min<std::size_t>(64, 150 - done);
    EXPECT_EQ(packet.data, Bytes(data.begin() + done, data.begin() + done + size));
    EXPECT_EQ(otg.read(0x928) & 1U, done == 128 ? 1U : 0U);
  }
  EXPECT_EQ(otg.in(0, 1).reply, PacketReply::Nak);
  EXPECT_EQ(otg.read(0x928) & 1U << 4, 1U << 4) << "ITTXFE";
  EXPECT_THAT(reports, IsEmpty());
}

TEST_F(OtgFsTest, ALostHandshakeRepeatsThePacket) {
  attach();
  activate_bulk();
  send(1, counted(8), 1);
  const InPacket first = otg.in(0, 1, false);
  EXPECT_EQ(otg.read(0x928) & 1U, 0U);
  const InPacket second = otg.in(0, 1);
  EXPECT_EQ(first.data, second.data);
  EXPECT_EQ(first.data1, second.data1);
  EXPECT_EQ(otg.read(0x928) & 1U, 1U);
}

TEST_F(OtgFsTest, BulkOut) {
  attach();
  activate_bulk();
  otg.write(0xB20, otg.read(0xB20) | 1U << 26);
  EXPECT_EQ(otg.out(0, 1, false, counted(64)), PacketReply::Nak) << "nothing armed";
  receive(1, 128, 2);
  EXPECT_EQ(otg.out(0, 1, false, counted(64)), PacketReply::Ack);
  EXPECT_EQ(otg.out(0, 1, false, counted(64)), PacketReply::Ack) << "a repetition, thrown away";
  EXPECT_EQ(otg.out(0, 1, true, counted(10)), PacketReply::Ack);
  EXPECT_EQ(otg.read(0xB30) & 0x7FFFF, 128U - 74U);
  EXPECT_EQ(otg.out(0, 1, false, counted(1)), PacketReply::Nak) << "a short packet ends it";
  const Rx first = pop();
  EXPECT_EQ(first.endpoint, 1U);
  EXPECT_EQ(first.data_pid, 0U);
  EXPECT_EQ(first.data, counted(64));
  const Rx second = pop();
  EXPECT_EQ(second.data_pid, 2U);
  EXPECT_EQ(second.data, counted(10));
  EXPECT_EQ(pop().status, 3U);
  EXPECT_EQ(otg.read(0xB28) & 1U, 1U);
  EXPECT_EQ(otg.read(0xB20) & 1U << 31, 0U);
  EXPECT_THAT(reports, IsEmpty());
}

TEST_F(OtgFsTest, OutIsNakedWhileTheReceiveFifoHasNoRoom) {
  attach();
  activate_bulk();
  receive(1, 64 * 9, 9);
  unsigned taken = 0;
  while (taken < 9 && otg.out(0, 1, taken % 2 != 0, counted(64)) == PacketReply::Ack) ++taken;
  EXPECT_EQ(taken, 6U) << "17 words each, 128 less 10 for SETUP";
  EXPECT_EQ(otg.setup(0, kGetDevice), PacketReply::Ack) << "the reserve";
  pop();
  EXPECT_EQ(otg.out(0, 1, taken % 2 != 0, counted(64)), PacketReply::Ack);
  EXPECT_THAT(reports, IsEmpty());
}

TEST_F(OtgFsTest, StallAndClearHaltOfABulkEndpoint) {
  attach();
  activate_bulk();
  otg.write(0x920, otg.read(0x920) | 1U << 21);
  EXPECT_EQ(otg.in(0, 1).reply, PacketReply::Stall);
  send(1, counted(4), 1);  // read-modify-write keeps STALL
  EXPECT_EQ(otg.in(0, 1).reply, PacketReply::Stall);
  otg.write(0x920, (otg.read(0x920) & ~(1U << 21)) | 1U << 28);
  const InPacket packet = otg.in(0, 1);
  EXPECT_EQ(packet.reply, PacketReply::Ack);
  EXPECT_FALSE(packet.data1);
}

TEST_F(OtgFsTest, DisablingAnInEndpointAndFlushingItsFifo) {
  attach();
  activate_bulk();
  send(1, counted(20), 1);
  otg.write(0x920, otg.read(0x920) | 1U << 27);  // SNAK
  EXPECT_NE(otg.read(0x928) & 1U << 6, 0U);      // INEPNE
  EXPECT_EQ(otg.in(0, 1).reply, PacketReply::Nak);
  otg.write(0x920, otg.read(0x920) | 1U << 30 | 1U << 27);
  EXPECT_NE(otg.read(0x928) & 1U << 1, 0U);  // EPDISD
  EXPECT_EQ(otg.read(0x920) & 1U << 31, 0U);
  EXPECT_EQ(otg.read(0x938), 64U - 5U);
  otg.write(0x010, 1U << 6 | 1U << 5);
  EXPECT_EQ(otg.read(0x010) & 1U << 5, 0U);
  EXPECT_EQ(otg.read(0x938), 64U);
  otg.write(0x920, otg.read(0x920) | 1U << 28);
  send(1, counted(3), 1);
  EXPECT_EQ(otg.in(0, 1).data, counted(3));
  EXPECT_THAT(reports, IsEmpty());
}

TEST_F(OtgFsTest, DisablingAnOutEndpointUnderGlobalNak) {
  attach();
  activate_bulk();
  receive(1, 64, 1);
  otg.write(0x804, 1U << 9);  // SGONAK
  EXPECT_EQ(otg.read(0x014) & 1U << 7, 0U) << "not before its entry is popped";
  EXPECT_EQ(pop().status, 1U);
  EXPECT_NE(otg.read(0x014) & 1U << 7, 0U);
  EXPECT_NE(otg.read(0x804) & 1U << 3, 0U);
  EXPECT_EQ(otg.out(0, 1, false, counted(4)), PacketReply::Nak);
  otg.write(0xB20, otg.read(0xB20) | 1U << 30 | 1U << 27);
  EXPECT_NE(otg.read(0xB28) & 1U << 1, 0U);
  otg.write(0x804, 1U << 10);
  EXPECT_EQ(otg.read(0x014) & 1U << 7, 0U);
  EXPECT_THAT(reports, IsEmpty());
}

TEST_F(OtgFsTest, GlobalInNak) {
  attach();
  activate_bulk();
  send(1, counted(4), 1);
  otg.write(0x804, 1U << 7);
  EXPECT_NE(otg.read(0x014) & 1U << 6, 0U);
  EXPECT_EQ(otg.in(0, 1).reply, PacketReply::Nak);
  otg.write(0x804, 1U << 8);
  EXPECT_EQ(otg.in(0, 1).reply, PacketReply::Ack);
}

TEST_F(OtgFsTest, TransmitFifoEmptyInterruptFollowsItsLevelAndMask) {
  attach();
  activate_bulk();
  otg.write(0x104, 16U << 16 | 144);
  EXPECT_EQ(otg.read(0x818) & 2, 0U);
  otg.write(0x834, 1U << 1);
  EXPECT_EQ(otg.read(0x818) & 2, 2U);
  send(1, counted(4), 1);
  EXPECT_EQ(otg.read(0x818) & 2, 0U) << "TXFELVL: completely empty";
  otg.write(0x008, 1);
  EXPECT_EQ(otg.read(0x818) & 2, 2U) << "half empty";
}

TEST_F(OtgFsTest, SuspendResumeAndRemoteWakeup) {
  attach();
  otg.suspend();
  EXPECT_EQ(otg.read(0x014) & 3U << 10, 3U << 10);
  EXPECT_EQ(otg.read(0x808) & 1U, 1U);
  EXPECT_TRUE(otg.irq());
  EXPECT_EQ(otg.setup(0, kGetDevice), PacketReply::None);
  EXPECT_FALSE(otg.remote_wakeup());
  otg.write(0x804, 1);
  EXPECT_TRUE(otg.remote_wakeup());
  otg.resume();
  EXPECT_TRUE(otg.wakeup());
  EXPECT_NE(otg.read(0x014) & 1U << 31, 0U);
  EXPECT_EQ(otg.read(0x808) & 1U, 0U);
  otg.start_of_frame(0x123);
  EXPECT_FALSE(otg.wakeup());
  EXPECT_EQ(otg.read(0x808) >> 8 & 0x3FFF, 0x123U);
  EXPECT_NE(otg.read(0x014) & 1U << 3, 0U);
  EXPECT_EQ(otg.setup(0, kGetDevice), PacketReply::Ack);
}

TEST_F(OtgFsTest, EndpointsThatAreNotActiveDoNotAnswer) {
  attach();
  EXPECT_EQ(otg.in(0, 1).reply, PacketReply::None);
  EXPECT_EQ(otg.out(0, 2, false, {}), PacketReply::None);
  EXPECT_EQ(otg.in(0, 4).reply, PacketReply::None);
  EXPECT_EQ(otg.in(9, 0).reply, PacketReply::None);
}

TEST_F(OtgFsTest, SnapshotsRestoreTransfersUnderWay) {
  attach();
  activate_bulk();
  send(1, counted(100), 2);
  const OtgFs::State state = otg.state();
  EXPECT_EQ(otg.in(0, 1).data, [] {
    Bytes b = counted(100);
    b.resize(64);
    return b;
  }());
  otg.restore(state);
  EXPECT_EQ(otg.in(0, 1).data.size(), 64U);
  EXPECT_EQ(otg.in(0, 1).data.size(), 36U);
}

// --- Firmware bugs, in words -------------------------------------------------------------------

TEST_F(OtgFsTest, ReportsPopsOfAnEmptyFifo) {
  attach();
  EXPECT_EQ(otg.read(0x020), 0U);
  EXPECT_THAT(reports.at(0), HasSubstr("GRXSTSP read while the receive FIFO is empty"));
  EXPECT_EQ(otg.read(0x1000), 0U);
  EXPECT_THAT(reports.at(1), HasSubstr("beyond the data"));
}

TEST_F(OtgFsTest, ReportsDataLeftUnread) {
  attach();
  otg.setup(0, kGetDevice);
  otg.read(0x020);
  EXPECT_EQ(otg.read(0x020), 0x01000680U);
  EXPECT_THAT(reports.at(0), HasSubstr("unread"));
}

TEST_F(OtgFsTest, ReportsTransmitFifoOverflowAndStrayWrites) {
  attach();
  otg.write(0x1000, 1);
  EXPECT_THAT(reports.at(0), HasSubstr("not enabled"));
  otg.write(0x010, 0x10U << 6 | 1U << 5);
  otg.write(0x910, 1U << 19 | 64);
  otg.write(0x900, 1U << 31 | 1U << 26);
  reports.clear();
  load(0, counted(64));
  EXPECT_THAT(reports, IsEmpty());
  load(0, counted(4));
  EXPECT_THAT(reports.at(0), HasSubstr("overflows"));
  EXPECT_EQ(otg.in(0, 0).data, counted(64));
  EXPECT_EQ(otg.read(0x918), 16U);
}

TEST_F(OtgFsTest, ReportsATransferProgrammedOverAnother) {
  attach();
  activate_bulk();
  send(1, counted(4), 1);
  otg.write(0x930, 1U << 19 | 8);
  EXPECT_THAT(reports.at(0), HasSubstr("DIEPTSIZ1 written while a transfer is under way"));
}

TEST_F(OtgFsTest, ReportsOverlappingFifos) {
  attach();
  activate_bulk();
  otg.write(0x104, 64U << 16 | 130);
  send(1, {}, 1);
  EXPECT_THAT(reports.at(0), HasSubstr("FIFO of IN endpoint 1 overlaps the FIFO of IN endpoint 0"));
  reports.clear();
  otg.write(0x104, 64U << 16 | 300);
  otg.in(0, 1);
  send(1, {}, 1);
  EXPECT_THAT(reports.at(0), HasSubstr("ends at word 364 of 320"));
}

TEST_F(OtgFsTest, ReportsHostRegistersAndForeignEndpoints) {
  attach();
  EXPECT_EQ(otg.read(0x440), 0U);
  EXPECT_THAT(reports.at(0), HasSubstr("MMIS"));
  EXPECT_NE(otg.read(0x014) & 1U << 1, 0U);
  otg.write(0x980, 1);
  EXPECT_THAT(reports.at(1), HasSubstr("endpoint 4"));
  otg.write(0xB00, 1U << 31 | 1U << 26);
  otg.write(0xB00, 1U << 30);
  EXPECT_THAT(reports.at(2), HasSubstr("cannot be disabled"));
}

TEST_F(OtgFsTest, ReportsATransceiverThatIsOff) {
  otg.set_usb_clock(true);
  otg.write(0xB00, 1U << 31);
  EXPECT_THAT(reports.at(0), HasSubstr("transceiver is off"));
}

/// Drivers may enable an endpoint as soon as they have read the data, before they pop "complete" or
/// "setup done": libusb_stm32 for F105 does, and works on silicon.
TEST_F(OtgFsTest, EnablingBeforeTheEndIsPoppedIsNotUndone) {
  attach();
  activate_bulk();
  receive(1, 64, 1);
  ASSERT_EQ(otg.out(0, 1, false, counted(5)), PacketReply::Ack);
  EXPECT_EQ(otg.out(0, 1, true, counted(5)), PacketReply::Nak);
  EXPECT_EQ(pop().status, 2U);
  receive(1, 64, 1);
  EXPECT_EQ(pop().status, 3U);
  EXPECT_NE(otg.read(0xB28) & 1U, 0U) << "XFRC";
  EXPECT_NE(otg.read(0xB20) & 1U << 31, 0U);
  EXPECT_EQ(otg.out(0, 1, true, counted(5)), PacketReply::Ack);

  ASSERT_EQ(otg.setup(0, kGetDevice), PacketReply::Ack);
  while (pop().status != 6U) continue;
  otg.write(0xB00, 1U << 31 | 1U << 26);
  EXPECT_NE(otg.in(0, 0).reply, PacketReply::Ack);
  EXPECT_EQ(pop().status, 4U);
  EXPECT_NE(otg.read(0xB00) & 1U << 31, 0U);
}

}  // namespace
}  // namespace sureflash::sim
