// Goal: the CubeMX skeleton and ST's F107 example behave as their source does, in both generations.
// Method: raw transfers; expectations from usbd_dfu.c v2.5.3 and v2.11.3 (as summarised in dfuse.md
// 7) and from usbd_dfu_flash.c of the example.

#include "sureflash/sim/model/cube_dfu.hpp"

#include <algorithm>

#include "usb_host.hpp"

namespace sureflash::sim {
namespace {

constexpr std::uint32_t kBase = 0x08000000;

struct Cube : DeviceTest {};

TEST_F(Cube, SkeletonDescriptors) {
  open("cubemx-skeleton");
  host->in(0x80, 6, 0x0100, 0, 18);
  EXPECT_EQ(host->data, (Bytes{18, 1, 0x00, 0x02, 0, 0, 0, 64, 0x83, 0x04, 0x11, 0xDF, 0x00, 0x02,
                               1, 2, 3, 1}));
  host->in(0x80, 6, 0x0200, 0, 255);
  EXPECT_EQ(host->data, (Bytes{9, 2,    27,   0,   1, 1,    2,    0xC0, 50,  //
                               9, 4,    0,    0,   0, 0xFE, 1,    2,    6,   //
                               9, 0x21, 0x0B, 255, 0, 0x00, 0x04, 0x1A, 0x01}));
  EXPECT_EQ(host->string(1), "STMicroelectronics");
  EXPECT_EQ(host->string(2), "STM32 DownLoad Firmware Update");
  EXPECT_EQ(host->string(3).size(), 12U);
  EXPECT_EQ(host->string(6),
            "@Internal Flash   /0x08000000/"
            "03*016Ka,01*016Kg,01*064Kg,07*128Kg,04*016Kg,01*064Kg,07*128Kg");
  open("cubemx-skeleton,layout=media");
  EXPECT_EQ(host->string(6), "DFU MEDIA");
  open("cubemx-skeleton,layout=@X /0x08000000/1*2Ka;3*2Kg");
  EXPECT_EQ(host->string(6), "@X /0x08000000/1*2Ka,3*2Kg");
  EXPECT_EQ(host->out(0x01, 11, 1, 0).handshake, Handshake::Stall) << "one alternate setting";
}

TEST_F(Cube, SkeletonAcceptsEverythingAtOnceAndStoresNothing) {
  for (const char* spec : {"cubemx-skeleton", "cubemx-skeleton,middleware=2.11.3"}) {
    open(spec);
    const Bytes before = flash(kBase, 256 * 1024);
    const Duration start = host->usb().now();
    EXPECT_EQ(host->erase(kBase), kDnloadIdle);
    EXPECT_EQ(host->poll_ms, 0U);
    EXPECT_EQ(host->set_address(kBase), kDnloadIdle);
    EXPECT_EQ(host->command(2, Bytes(1024, 0x42)), kDnloadIdle);
    EXPECT_LT(host->usb().now() - start, 5ms) << "physics needs 57 ms";
    EXPECT_EQ(flash(kBase, 256 * 1024), before);
  }
}

TEST_F(Cube, OldSkeletonReadsTheVectorTableForEveryBlock) {
  open("cubemx-skeleton");
  const Bytes vectors = flash(kBase, 1024);
  EXPECT_EQ(load_le32(vectors), 0x20010000U);
  ASSERT_EQ(host->set_address(kBase), kDnloadIdle);
  host->abort();
  for (const std::uint16_t block : std::initializer_list<std::uint16_t>{2, 3, 100}) {
    EXPECT_EQ(host->upload(block, 1024).actual, 1024U);
    EXPECT_EQ(host->data, vectors) << block;
  }
}

TEST_F(Cube, NewSkeletonStallsTheReadAndIsInState15) {
  open("cubemx-skeleton,middleware=2.11.3");
  EXPECT_EQ(host->upload(2, 64).handshake, Handshake::Stall);
  EXPECT_EQ(host->poll(), std::pair(0, 15));
  EXPECT_EQ(host->abort().handshake, Handshake::Ack);
  EXPECT_EQ(host->poll(), std::pair(0, 15)) << "ABORT is ignored";
  host->clr_status();
  EXPECT_EQ(host->poll(), std::pair(14, 10));
  host->clr_status();
  EXPECT_EQ(host->poll(), std::pair(0, 2));
}

TEST_F(Cube, State15AfterUploadOfBlockOneInBoth) {
  for (const char* spec : {"cubemx-skeleton", "cubemx-skeleton,middleware=2.11.3"}) {
    open(spec);
    EXPECT_EQ(host->upload(1, 64).handshake, Handshake::Stall);
    EXPECT_EQ(host->poll(), std::pair(0, 15));
  }
}

TEST_F(Cube, ClrStatusIsAToggle) {
  open("cubemx-skeleton");
  host->clr_status();
  EXPECT_EQ(host->poll(), std::pair(14, 10));
  EXPECT_EQ(host->dnload(2, Bytes(4)).handshake, Handshake::Stall);
  EXPECT_EQ(host->poll(), std::pair(14, 10)) << "a stall changes no state";
  host->clr_status();
  EXPECT_EQ(host->poll(), std::pair(0, 2));
}

TEST_F(Cube, GetListsThreeCommandsAndStaysIdle) {
  open("cubemx-skeleton");
  EXPECT_EQ(host->upload(0, 64).actual, 3U);
  EXPECT_EQ(host->data, (Bytes{0x00, 0x21, 0x41}));
  EXPECT_EQ(host->poll(), std::pair(0, 2));
  host->upload(0, 3);
  EXPECT_EQ(host->poll(), std::pair(0, 9)) << "wLength of 3 or less";
}

TEST_F(Cube, MassEraseAsksForAStallInTheOldAndIsIgnoredInTheNew) {
  open("cubemx-skeleton");
  host->dnload(0, {0x41});
  EXPECT_EQ(host->get_status().handshake, Handshake::Stall) << "in the status stage";
  EXPECT_EQ(host->state, 4);
  EXPECT_EQ(host->poll(), kDnloadIdle) << "and then all is well";
  open("cubemx-skeleton,middleware=2.11.3");
  EXPECT_EQ(host->command(0, {0x41}), kDnloadIdle);
}

TEST_F(Cube, UnknownCommands) {
  const Bytes five{0x92, 0, 0, 0, 0};
  open("cubemx-skeleton");
  host->dnload(0, five);
  EXPECT_EQ(host->get_status().handshake, Handshake::Stall);
  EXPECT_EQ(host->poll(), kDnloadIdle);
  open("cubemx-skeleton,middleware=2.11.3");
  EXPECT_EQ(host->command(0, five), std::pair(0, 4));
  host->wait(1h);
  EXPECT_EQ(host->poll(), std::pair(0, 4)) << "for ever";
  host->clr_status();
  host->clr_status();
  EXPECT_EQ(host->command(0, {0x92}), kDnloadIdle) << "one byte: ignored";
  host->dnload(0, {0x92, 0});
  EXPECT_EQ(host->get_status().handshake, Handshake::Stall);
  EXPECT_EQ(host->poll(), kDnloadIdle);
}

TEST_F(Cube, TooLongABlockKillsTheOldAndHangsTheTransferInTheNew) {
  open("cubemx-skeleton");
  EXPECT_EQ(host->dnload(2, Bytes(1025)).handshake, Handshake::Timeout);
  EXPECT_EQ(host->get_status().handshake, Handshake::Timeout);
  EXPECT_EQ(host->in(0x80, 6, 0x0100, 0, 18).handshake, Handshake::Timeout);
  device->power_cycle();
  ASSERT_TRUE(host->enumerate());
  EXPECT_EQ(host->poll(), std::pair(0, 2));
  open("cubemx-skeleton,middleware=2.11.3");
  EXPECT_EQ(host->dnload(2, Bytes(1025)).handshake, Handshake::Timeout);
  EXPECT_EQ(host->poll(), std::pair(0, 4)) << "the block was cut to 1024";
  EXPECT_EQ(host->poll(), kDnloadIdle);
  host->abort();
  open("st-f107-example,middleware=2.11.3");
  EXPECT_EQ(host->upload(2, 2048).actual, 1024U) << "an upload is cut, too";
}

TEST_F(Cube, LeaveResetsAndTheSkeletonComesBack) {
  open("cubemx-skeleton");
  const auto count = host->usb().attach_count();
  ASSERT_EQ(host->dnload(0, {}).handshake, Handshake::Ack);
  EXPECT_EQ(host->poll(), std::pair(0, 7));
  EXPECT_EQ(host->poll_ms, 1U);
  host->wait(5ms);
  EXPECT_FALSE(host->usb().attached());
  ASSERT_TRUE(host->enumerate());
  EXPECT_EQ(host->usb().attach_count(), count + 1);
  EXPECT_EQ(host->poll(), std::pair(0, 2));
  open("cubemx-skeleton,leave=vanish");
  host->dnload(0, {});
  EXPECT_EQ(host->get_status().handshake, Handshake::Gone);
  EXPECT_TRUE(host->enumerate());
}

TEST_F(Cube, DetachReconnects) {
  open("cubemx-skeleton");
  const auto count = host->usb().attach_count();
  EXPECT_EQ(host->detach(1000).handshake, Handshake::Gone);
  ASSERT_TRUE(host->enumerate());
  EXPECT_EQ(host->usb().attach_count(), count + 1);
}

// Rows: states 2…10 and 15. Columns: DNLOAD with data, without, UPLOAD, GETSTATUS, CLRSTATUS,
// GETSTATE, ABORT. "N" = answered, then state N; "xN" = stalled. Written from the source, the same
// in both generations except for the result of UPLOAD. dfuDNBUSY and dfuMANIFEST cannot last beyond
// the transfer that enters them.
TEST_F(Cube, EveryRequestInEveryState) {
  struct Row {
    int state;
    const char* cells[7];
  };
  const Row rows[] = {
      {2, {"3", "6", "9", "2", "10", "2", "2"}},
      {3, {"x3", "x3", "x3", "5", "10", "3", "2"}},
      {5, {"3", "6", "x5", "5", "10", "5", "2"}},
      {8, {"x8", "x8", "x8", "8", "10", "8", "8"}},
      {9, {"x9", "x9", "9", "9", "10", "9", "2"}},
      {10, {"x10", "x10", "x10", "10", "2", "10", "10"}},
      {15, {"x15", "x15", "x15", "15", "10", "15", "15"}},
  };
  for (const CubeVersion version : {CubeVersion::V2_5_3, CubeVersion::V2_11_3}) {
    for (const Row& row : rows) {
      for (int event = 0; event < 7; ++event) {
        struct NoFirmware : Firmware {
          void system_reset(Duration) override {}
          void start_application(Duration, std::uint32_t) override {}
          void start_loader(Duration) override {}
          void reconnect(Duration) override {}
          void lose_power(Duration) override {}
        } firmware;
        Chip chip(stm32f105());
        TemplateMedia media;
        CubeDfu dfu({.version = version, .layout = ""}, chip, media, firmware);
        dfu.force_state(static_cast<std::uint8_t>(row.state));
        Bytes in(64);
        const Bytes data(4);
        const auto request = [&](std::uint8_t type, std::uint8_t code, std::uint16_t length) {
          const bool is_in = type == 0xA1;
          return dfu.class_request({{type, code, 2, 0, length},
                                    is_in ? ByteView{} : ByteView(data).first(length),
                                    is_in ? ByteSpan(in).first(length) : ByteSpan{},
                                    Duration{}});
        };
        const Reply reply = event == 0   ? request(0x21, 1, 4)
                            : event == 1 ? request(0x21, 1, 0)
                            : event == 2 ? request(0xA1, 2, 64)
                            : event == 3 ? request(0xA1, 3, 6)
                            : event == 4 ? request(0x21, 4, 0)
                            : event == 5 ? request(0xA1, 5, 1)
                                         : request(0x21, 6, 0);
        std::string expected = row.cells[event];
        const bool uploads = event == 2 && expected == "9";
        if (uploads && version == CubeVersion::V2_11_3) expected = "x15";
        const std::string got =
            (reply.handshake == Handshake::Stall ? "x" : "") + std::to_string(int{dfu.state()});
        EXPECT_EQ(got, expected) << "state " << row.state << " event " << event;
      }
    }
  }
}

TEST_F(Cube, ExampleErasesEverythingWhateverTheAddress) {
  open("st-f107-example,fill=noise");
  EXPECT_EQ(host->string(6), "@Internal Flash   /0x08000000/10*02Ka,118*02Kg");
  const Bytes loader = flash(kBase, 20 * 1024);
  const Duration before = host->usb().now();
  EXPECT_EQ(host->erase(0x08006000), kDnloadIdle);
  EXPECT_GE(host->usb().now() - before, 118 * 30ms);
  EXPECT_TRUE(blank(0x08005000, 118 * 2048));
  EXPECT_EQ(flash(kBase, 20 * 1024), loader);
}

TEST_F(Cube, ExampleHoldsTheGetStatusThatStartsTheErase) {
  open("st-f107-example");
  host->timeout = 1s;
  host->dnload(0, Host::with_address(0x41, 0x08005000));
  EXPECT_EQ(host->get_status().handshake, Handshake::Timeout) << "118 × 30 ms is longer";
  EXPECT_EQ(host->get_status().handshake, Handshake::Timeout);
  host->timeout = 5s;
  EXPECT_EQ(host->poll(), kDnloadIdle);
  EXPECT_EQ(host->command(2, Bytes(1024, 1)), kDnloadIdle);
  host->dnload(2, Bytes(4, 1));
  host->get_status();
  EXPECT_EQ(host->poll_ms, 50U) << "second byte always 0";
}

TEST_F(Cube, ExampleErasesWithSlowFlashJustInTime) {
  open("st-f107-example,times=max");
  host->dnload(0, Host::with_address(0x41, 0x08005000));
  EXPECT_EQ(host->get_status().handshake, Handshake::Ack) << "4.7 s of 5 s";
}

TEST_F(Cube, OldExampleMovesThePointerOnEraseTheNewKeepsIt) {
  for (const bool old : {true, false}) {
    open(old ? "st-f107-example" : "st-f107-example,middleware=2.11.3");
    ASSERT_EQ(host->set_address(0x08005000), kDnloadIdle);
    ASSERT_EQ(host->erase(0x08006000), kDnloadIdle);
    ASSERT_EQ(host->command(2, Bytes(4, 0x12)), kDnloadIdle);
    EXPECT_EQ(blank(0x08005000, 4), old);
    EXPECT_EQ(blank(0x08006000, 4), !old);
  }
}

TEST_F(Cube, ExampleWritesReadsAndCountsBlocksByTransferSize) {
  open("st-f107-example");
  ASSERT_EQ(host->set_address(0x08005000), kDnloadIdle);
  ASSERT_EQ(host->command(2, Bytes(1024, 0x12)), kDnloadIdle);
  ASSERT_EQ(host->command(3, Bytes(100, 0x34)), kDnloadIdle);
  EXPECT_EQ(flash(0x08005000, 1024), Bytes(1024, 0x12));
  EXPECT_EQ(flash(0x08005400, 100), Bytes(100, 0x34));
  host->abort();
  EXPECT_EQ(host->upload(3, 100).actual, 100U);
  EXPECT_EQ(host->data, Bytes(100, 0x34));
}

TEST_F(Cube, ExampleRoundsUpToWordsWithWhatIsLeftInTheBuffer) {
  open("st-f107-example");
  ASSERT_EQ(host->set_address(0x08005000), kDnloadIdle);
  ASSERT_EQ(host->command(2, Bytes(8, 0xAA)), kDnloadIdle);
  ASSERT_EQ(host->set_address(0x08005100), kDnloadIdle);
  ASSERT_EQ(host->command(2, Bytes(5, 0xBB)), kDnloadIdle);
  EXPECT_EQ(flash(0x08005100, 8), (Bytes{0xBB, 0xBB, 0xBB, 0xBB, 0xBB, 0xAA, 0xAA, 0xAA}));
}

TEST_F(Cube, ExampleOnProgrammedFlashStaysBusyInTheOldAndFailsInTheNew) {
  open("st-f107-example,fill=noise");
  EXPECT_EQ(host->command(2, Bytes(4, 0x12)), std::pair(0, 4));
  host->wait(1min);
  EXPECT_EQ(host->poll(), std::pair(0, 4));
  open("st-f107-example,fill=noise,middleware=2.11.3");
  EXPECT_EQ(host->command(2, Bytes(4, 0x12)), kErrVendor);
  host->clr_status();
  EXPECT_EQ(host->poll(), std::pair(0, 2));
}

TEST_F(Cube, ExampleTakesAFaultOnAddressesThatAreNoMemory) {
  open("st-f107-example");
  ASSERT_EQ(host->set_address(0x30000000), kDnloadIdle);
  host->abort();
  EXPECT_EQ(host->upload(2, 4).handshake, Handshake::Timeout);
  EXPECT_EQ(host->get_status().handshake, Handshake::Timeout);
}

TEST_F(Cube, ExampleStartsTheApplicationByItsStackWordAlone) {
  open("st-f107-example");
  ASSERT_EQ(host->set_address(0x08005000), kDnloadIdle);
  ASSERT_EQ(host->command(2, Bytes{0, 0, 1, 0x20, 0xFF, 0xFF, 0xFF, 0xFF}), kDnloadIdle);
  host->dnload(0, {});
  host->poll();
  host->wait(1s);
  EXPECT_EQ(device->running(), Running::Application);
  open("st-f107-example");
  host->dnload(0, {});
  host->poll();
  host->wait(5ms);
  EXPECT_FALSE(host->usb().attached());
  EXPECT_TRUE(host->enumerate()) << "no application: DFU again";
}

TEST_F(Cube, ExampleLosesPowerInTheMiddleOfItsErase) {
  open("st-f107-example,fill=noise,fault=cut-during@60");
  host->dnload(0, Host::with_address(0x41, 0x08005000));
  EXPECT_EQ(host->get_status().handshake, Handshake::Gone);
  EXPECT_EQ(device->running(), Running::NoPower);
  EXPECT_TRUE(blank(0x08005000, 60 * 2048));
  EXPECT_FALSE(blank(0x08005000 + 61 * 2048, 2048));
}

}  // namespace
}  // namespace sureflash::sim
