// Goal: what is recorded is what happened, can be read by people, read back, and replayed; damaged
// files are refused. Method: sessions with a small DFU device in this process; lines compared with
// text written by hand; every prefix and many mutations of a file are parsed.
#include <random>

#include <gmock/gmock.h>

#include "sureflash/sim/export_test/dfu_device.hpp"
#include "sureflash/transport/trace/explain.hpp"
#include "sureflash/transport/trace/recorder.hpp"
#include "sureflash/transport/virtual.hpp"

namespace sureflash::transport::trace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kSession =
    "sureflash-trace 1\n"
    "# sim:stm32f105\n"
    "0.000000100 control 80 06 0200 0000 36 5000ms -> ok 36 "
    "in=09022400010100c0320904000000fe0102040904000100fe01020509210bff0000081a01\n"
    "0.000200000 select 0 0 -> ok\n"
    "0.001000000 control 21 01 0000 0000 5 20000ms out=2100000008 -> ok 5\n"
    "0.002000000 control a1 03 0000 0000 6 20000ms -> ok 6 in=002800000400\n"
    "0.042000000 wait 40000000ns -> ok\n"
    "0.043000000 control 21 01 0003 0000 2048 20000ms out=crc32:5f1c2d3e -> ok 2048\n"
    "0.044000000 control a1 03 0000 0000 6 20000ms -> ok 6 in=030000000a00\n"
    "0.045000000 control 21 04 0000 0000 0 20000ms -> stall 0 os=-9\n"
    "0.046000000 control 21 01 0002 0000 0 20000ms -> ok 0\n"
    "0.050000000 reset -> disconnected 0\n";

std::string session() {
  std::string text(kSession);
  return text.substr(0, text.rfind(" 0\n")) + " os=-4\n0.060000000 await 20000ms -> timeout\n";
}

/// Sets the address, writes one block, reads it back.
Task<std::size_t> job() {
  Bytes status(6), back(64);
  const Bytes set_address{0x21, 0, 0, 0, 8};
  const Bytes data(64, 0x5A);
  for (const auto& [block, bytes] :
       {std::pair(std::uint16_t{0}, &set_address), {std::uint16_t{2}, &data}}) {
    co_await step(ControlTransfer{
        {0x21, 1, block, 0, static_cast<std::uint16_t>(bytes->size())}, *bytes, {}, 1s});
    for (int i = 0; i < 2; ++i) co_await step(ControlTransfer{{0xA1, 3, 0, 0, 6}, {}, status, 1s});
    co_await step(Wait{1ms});
  }
  co_await step(ControlTransfer{{0x21, 6, 0, 0, 0}, {}, {}, 1s});
  const Answer answer = co_await step(ControlTransfer{{0xA1, 2, 2, 0, 64}, {}, back, 1s});
  if (answer.io != Io::Ok || back != data) co_return fail(Errc::VerifyMismatch);
  co_return answer.actual;
}

std::string record(Firmware firmware) {
  sim::DfuDevice device;
  VirtualTransport inner(device, Clock::Virtual);
  EXPECT_TRUE(inner.open(1s));
  std::string text;
  Recorder recorder(inner,
                    Log([&](std::string_view line) { text += line; }, firmware, "test\ndevice"));
  EXPECT_TRUE(run(recorder, job()));
  return text;
}

Task<std::size_t> with_progress(Task<std::size_t> task) {
  co_await step(Progress{});
  co_return co_await std::move(task);
}

TEST(Trace, FileIsReadAndWrittenAlike) {
  const auto trace = parse(session());
  ASSERT_TRUE(trace) << message(trace.error());
  EXPECT_THAT(trace->comments, ElementsAre("sim:stm32f105"));
  std::string again = std::string(kHeader) + "# sim:stm32f105\n";
  for (const Entry& entry : trace->entries) again += format(entry);
  EXPECT_EQ(again, session());
}

TEST(Trace, ExplainsInTheWordsOfTheSpecification) {
  const auto trace = parse(session());
  ASSERT_TRUE(trace);
  Explainer explainer;
  std::vector<std::string> lines;
  for (const Entry& entry : trace->entries) lines.push_back(explainer.explain(entry));
  EXPECT_THAT(lines, ElementsAre("GET_DESCRIPTOR configuration 0",
                                 "SET_INTERFACE interface 0, alternate setting 0",
                                 "DFU_DNLOAD block 0: Set Address Pointer 0x08000000",
                                 "DFU_GETSTATUS -> dfuDNBUSY, poll after 40 ms", "wait 40 ms",
                                 "DFU_DNLOAD block 3: 2048 bytes at 0x08000800, crc32 0x5F1C2D3E",
                                 "DFU_GETSTATUS -> dfuERROR, errWRITE", "DFU_CLRSTATUS -> STALL",
                                 "DFU_DNLOAD of length 0: leave, start at 0x08000000",
                                 "bus reset -> device gone",
                                 "wait for the device to come back -> no answer in time"));
}

TEST(Trace, FirmwareIsLeftOutUnlessAskedFor) {
  const std::string without = record(Firmware::LeftOut);
  EXPECT_THAT(without, Not(HasSubstr("5a5a")));
  EXPECT_THAT(without, HasSubstr("out=crc32:"));
  EXPECT_THAT(without, HasSubstr("in=crc32:"));
  EXPECT_THAT(without, HasSubstr("out=2100000008")) << "a command is no firmware";
  EXPECT_THAT(without, HasSubstr("# test device\n"));
  EXPECT_THAT(record(Firmware::Included), HasSubstr("out=5a5a5a5a"));
}

TEST(Trace, AJobWritesTheSameDownAsATransport) {
  sim::DfuDevice device;
  VirtualTransport transport(device, Clock::Virtual);
  ASSERT_TRUE(transport.open(1s));
  std::string text;
  Log log([&](std::string_view line) { text += line; }, Firmware::LeftOut, "test\ndevice");
  const auto result = run(transport, recorded(with_progress(job()), std::move(log)));
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, 64U);
  EXPECT_EQ(text, record(Firmware::LeftOut));
}

TEST(Trace, AJobThatFailsIsRecordedToItsEnd) {
  sim::DfuDevice device;
  VirtualTransport transport(device, Clock::Virtual);
  ASSERT_TRUE(transport.open(1s));
  std::string text;
  const auto fails = [](Task<std::size_t> task) -> Task<> {
    co_await std::move(task);
    co_await fail(Errc::VerifyMismatch);
  };
  const auto result =
      run(transport, recorded(fails(job()), Log([&](std::string_view line) { text += line; },
                                                Firmware::LeftOut, "test device")));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::VerifyMismatch);
  EXPECT_EQ(text, record(Firmware::LeftOut));
}

/// The list that AN3156 gives ("Get command"), and one with a code that it does not know.
TEST(Trace, TheListOfCommandsIsWrittenDownAndExplained) {
  const auto traced = [](const Bytes& codes, std::size_t asked_for) {
    Bytes buffer = codes;
    buffer.resize(asked_for);
    const ControlTransfer upload{
        {0xA1, 2, 0, 0, static_cast<std::uint16_t>(asked_for)}, {}, buffer, 1s};
    return make_entry(upload, {.actual = codes.size()}, Firmware::LeftOut);
  };
  Explainer explainer;
  explainer.explain(parse(session())->entries[2]);  // Set Address Pointer: this is DfuSe
  EXPECT_EQ(explainer.explain(traced({0x00, 0x21, 0x41, 0x92}, 64)),
            "DFU_UPLOAD block 0: Get Commands -> Get Commands, Set Address Pointer, Erase, Read "
            "Unprotect");
  EXPECT_EQ(explainer.explain(traced({0x00, 0x63}, 64)),
            "DFU_UPLOAD block 0: Get Commands -> Get Commands, unknown command 0x63");
  // Nobody has so many commands: it may be the firmware.
  EXPECT_TRUE(traced(Bytes(17), 64).in.left_out);
  EXPECT_EQ(Explainer().explain(traced({1, 2, 3}, 64)), "DFU_UPLOAD block 0: 3 bytes")
      << "without DfuSe, block 0 is where the firmware begins";
}

TEST(Trace, RecordedSessionCanBeReplayed) {
  auto trace = parse(record(Firmware::Included));
  ASSERT_TRUE(trace) << message(trace.error());
  Replay replay(std::move(*trace));
  const auto result = run(replay, job());
  ASSERT_TRUE(result) << replay.deviation();
  EXPECT_EQ(*result, 64U);
  EXPECT_TRUE(replay.at_end());
}

TEST(Trace, ReplaySaysWhereBytesAreMissing) {
  auto trace = parse(record(Firmware::LeftOut));
  ASSERT_TRUE(trace);
  Replay replay(std::move(*trace));
  EXPECT_FALSE(run(replay, job()));
  EXPECT_EQ(replay.deviation(), "line 12: the bytes were left out of the trace");
}

TEST(Trace, ReplaySaysWhereTheSessionDiffers) {
  auto trace = parse(session());
  ASSERT_TRUE(trace);
  Replay replay(std::move(*trace));
  Bytes configuration(36);
  EXPECT_EQ(replay.perform(ControlTransfer{{0x80, 6, 0x0200, 0, 36}, {}, configuration, 1s}).io,
            Io::Ok);
  EXPECT_EQ(configuration[2], 36);
  EXPECT_EQ(replay.perform(SelectAltSetting{0, 1}).io, Io::Failed);
  EXPECT_EQ(replay.deviation(), "line 4: recorded select 0 0, asked select 0 1");
  EXPECT_EQ(replay.perform(SelectAltSetting{0, 0}).io, Io::Failed) << "nothing works from then on";
}

TEST(Trace, DifferentFirmwareIsADeviationThoughItsBytesWereLeftOut) {
  auto trace = parse(std::string(kHeader) +
                     "0.1 control 21 01 0002 0000 4 20ms out=crc32:00000000 -> ok 4\n");
  ASSERT_TRUE(trace);
  Replay replay(std::move(*trace));
  const Bytes data{1, 2, 3, 4};
  EXPECT_EQ(replay.perform(ControlTransfer{{0x21, 1, 2, 0, 4}, data, {}, 1s}).io, Io::Failed);
}

TEST(Trace, DamagedLinesAreNamed) {
  for (const char* line :
       {"control a1 03 0000 0000 6 20ms -> ok 0",                        // no time
        "0.1 control a1 03 0000 0000 6 20ms",                            // no answer
        "0.1 control a1 03 0000 0000 6 20ms -> fine 0",                  // no such answer
        "0.1 control a1 03 0000 0000 6 20ms -> ok 7 in=00000000000000",  // more than asked for
        "0.1 control a1 03 0000 0000 6 20ms -> ok 6 in=0000",            // bytes missing
        "0.1 control 21 01 0000 0000 5 20ms out=21 -> ok 5",             // bytes missing
        "0.1 control 21 01 0000 0000 70000 20ms out= -> ok 0",           // more than 16 bits
        "0.1 wait 99999999999999999999ns -> ok", "0.1 wait 40ms -> ok", "0.1 fly -> ok",
        "0.1234567890 reset -> ok", "0.1 reset -> ok more"}) {
    const auto trace = parse(std::string(kHeader) + "# first\n" + line + "\n");
    ASSERT_FALSE(trace) << line;
    EXPECT_EQ(trace.error().code, Errc::FormatInvalid);
    EXPECT_EQ(trace.error().where.name, "line 3");
  }
  EXPECT_EQ(parse("something else").error().code, Errc::FormatUnknown);
}

TEST(Trace, NoTextDoesHarm) {
  const std::string text = session();
  Explainer explainer;
  const auto use = [&](const std::string& damaged) {
    const auto trace = parse(damaged);
    if (!trace) return;
    for (const Entry& entry : trace->entries) {
      explainer.explain(entry);
      EXPECT_FALSE(format(entry).empty());
    }
  };
  for (std::size_t size = 0; size < text.size(); ++size) use(text.substr(0, size));
  constexpr unsigned kSeed = 4711;
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  for (int round = 0; round < 5000; ++round) {
    std::string damaged = text;
    for (int i = 0; i < 3; ++i) {
      damaged[kHeader.size() + random() % (text.size() - kHeader.size())] =
          "0123456789abcdef -=:.\nzx"[random() % 24];
    }
    use(damaged);
  }
}

}  // namespace
}  // namespace sureflash::transport::trace
