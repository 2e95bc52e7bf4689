// Goal: specs are understood or refused with what exists; faults do what they say; a chip kept in a
// file is powered on again; the same seed gives the same run. Method: examples, each key with a
// good and a bad value; whole sessions compared byte for byte.

#include "sureflash/sim/model/profiles.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <unistd.h>

#include "usb_host.hpp"

namespace sureflash::sim {
namespace {

constexpr std::uint32_t kBase = 0x08000000;

std::string refusal(std::string_view spec) {
  const auto device = make_device(spec);
  if (device) return "accepted";
  EXPECT_EQ(device.error().code, Errc::DeviceSpec) << spec;
  return device.error().detail;
}

TEST(Profiles, WhatIsListedCanBeMade) {
  for (const ProfileHelp& profile : profiles()) {
    EXPECT_TRUE(make_device(profile.name)) << profile.name;
    for (const auto keys : {profile.keys, common_keys()}) {
      for (const KeyHelp& key : keys) {
        EXPECT_FALSE(key.help.empty());
        // Every value of a closed set is accepted.
        std::string_view values = key.values;
        while (!values.empty()) {
          const std::size_t bar = values.find('|');
          const std::string one(values.substr(0, bar));
          if (std::ranges::none_of(one, [](char c) { return c >= 'A' && c <= 'Z'; })) {
            const std::string spec =
                std::string(profile.name) + "," + std::string(key.name) + "=" + one;
            EXPECT_TRUE(make_device(spec)) << spec;
          }
          if (bar == std::string_view::npos) break;
          values.remove_prefix(bar + 1);
        }
      }
    }
  }
}

TEST(Profiles, WhatIsWrongIsRefusedWithWhatExists) {
  EXPECT_NE(refusal("stm32f999").find("stm32f105 cubemx-skeleton st-f107-example dfu11"),
            std::string::npos);
  EXPECT_NE(refusal("stm32f105,colour=red").find("rom boot0"), std::string::npos);
  EXPECT_NE(refusal("stm32f105,rom=3.0").find("2.0|2.1|2.2"), std::string::npos);
  EXPECT_NE(refusal("dfu11,rom=2.0").find("runtime"), std::string::npos);
  EXPECT_NE(refusal("stm32f105,rom=2.0,rom=2.1").find("twice"), std::string::npos);
  for (const char* spec :
       {"", "stm32f105,rom", "stm32f105,seed=-1", "stm32f105,seed=x", "stm32f105,wrp=128",
        "stm32f105,wrp=5-3", "stm32f105,wrp=a", "stm32f105,flash=32", "stm32f105,poll=16777216",
        "stm32f105,poll=1x", "stm32f105,times=fast", "stm32f105,fault=", "stm32f105,fault=stall",
        "stm32f105,fault=stall@", "stm32f105,fault=stall@5-3", "stm32f105,fault=melt@5",
        "stm32f105,fault=stall@1++stall@2", "stm32f105,,rom=2.0"}) {
    EXPECT_NE(refusal(spec), "accepted") << spec;
  }
}

TEST(Profiles, ProtectedSectorsComeInPairs) {
  const auto device = make("stm32f105,wrp=0-3;8");
  for (std::size_t sector = 0; sector < 128; ++sector) {
    const bool expected = sector <= 3 || sector == 8 || sector == 9;
    EXPECT_EQ(device->chip().flash().is_protected(sector), expected) << sector;
  }
}

TEST(Profiles, TheClockIsPassedOn) {
  EXPECT_EQ(make("stm32f105")->clock(), ClockChoice::Virtual);
  EXPECT_EQ(make("stm32f105,clock=real")->clock(), ClockChoice::Real);
}

TEST(Profiles, TheUniqueIdComesFromTheSeed) {
  EXPECT_EQ(make("dfu11,seed=1")->chip().unique_id(), make("dfu11,seed=1")->chip().unique_id());
  EXPECT_NE(make("dfu11,seed=1")->chip().unique_id(), make("dfu11,seed=2")->chip().unique_id());
}

struct Faults : ::testing::Test {
  /// SET_ADDRESS and SET_CONFIGURATION are transfers 0 and 1.
  void open(std::string spec) {
    device = make(spec);
    ASSERT_TRUE(device);
    host = std::make_unique<Host>(*device);
    ASSERT_TRUE(host->enumerate());
  }
  std::unique_ptr<VirtualDevice> device;
  std::unique_ptr<Host> host;
};

TEST_F(Faults, Stall) {
  open("stm32f105,fault=stall@2");
  EXPECT_EQ(host->dnload(2, Bytes(4)).handshake, Handshake::Stall);
  EXPECT_EQ(host->poll(), std::pair(0, 2)) << "the device saw nothing";
}

TEST_F(Faults, TimeoutOfSeveral) {
  open("stm32f105,fault=timeout@2-3");
  const Duration before = host->usb().now();
  EXPECT_EQ(host->get_status().handshake, Handshake::Timeout);
  EXPECT_EQ(host->get_status().handshake, Handshake::Timeout);
  EXPECT_EQ(host->usb().now() - before, 10s);
  EXPECT_EQ(host->poll(), std::pair(0, 2));
}

TEST_F(Faults, ShortAndGarbage) {
  open("stm32f105,fault=short@2+garbage@3");
  EXPECT_EQ(host->get_status().actual, 3U);
  EXPECT_EQ(host->get_status().actual, 6U);
  const Bytes first = host->data;
  EXPECT_NE(first, (Bytes{0, 0, 0, 0, 2, 0}));
  open("stm32f105,fault=short@2+garbage@3");
  host->get_status();
  host->get_status();
  EXPECT_EQ(host->data, first) << "the same seed";
}

TEST_F(Faults, DisconnectComesBackVanishDoesNot) {
  open("stm32f105,fault=disconnect@2");
  const auto count = host->usb().attach_count();
  EXPECT_EQ(host->get_status().handshake, Handshake::Gone);
  EXPECT_FALSE(host->usb().attached());
  host->wait(999ms);
  EXPECT_FALSE(host->usb().attached());
  host->wait(1ms);
  EXPECT_TRUE(host->usb().attached());
  EXPECT_EQ(host->usb().attach_count(), count + 1);
  open("stm32f105,fault=vanish@2");
  EXPECT_EQ(host->get_status().handshake, Handshake::Gone);
  host->wait(1h);
  EXPECT_FALSE(host->usb().attached());
}

TEST_F(Faults, ResetNeedsANewEnumeration) {
  open("stm32f105,fault=reset@2");
  const auto count = host->usb().attach_count();
  EXPECT_EQ(host->get_status().handshake, Handshake::Gone);
  EXPECT_NE(host->usb().attach_count(), count);
  EXPECT_EQ(host->get_status().handshake, Handshake::Stall);
  ASSERT_TRUE(host->enumerate());
  EXPECT_EQ(host->poll(), std::pair(0, 2));
}

TEST_F(Faults, LyingStatusSaysOkAndTheDevicePlaysAlong) {
  open("stm32f105,rdp=1,fault=status-ok");
  EXPECT_EQ(host->erase(kBase), kDnloadIdle);
  EXPECT_EQ(host->dnload(2, Bytes(4)).handshake, Handshake::Ack);
  EXPECT_EQ(host->poll(), std::pair(0, 4));
}

TEST_F(Faults, LyingFlash) {
  open("stm32f105,fill=noise,fault=skip-erase@0+drop-write@1+flip-bit@3");
  const std::uint8_t before = device->chip().flash().bytes()[100];
  EXPECT_EQ(host->erase(kBase), kDnloadIdle);
  EXPECT_EQ(device->chip().flash().bytes()[100], before);
  EXPECT_EQ(host->erase(kBase), kDnloadIdle);
  EXPECT_EQ(host->command(2, Bytes(8, 0x11)), kDnloadIdle);
  const ByteView stored = device->chip().flash().bytes();
  EXPECT_EQ(load_le32(stored, 0), 0xFFFF1111U) << "the second half-word is missing";
  EXPECT_EQ(load_le16(stored, 4), 0x1111U);
  EXPECT_NE(load_le16(stored, 6), 0x1111U);
}

TEST_F(Faults, RandomOnesComeFromTheSeed) {
  bool different = false;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto plan = parse_faults("random", seed);
    const auto again = parse_faults("random", seed);
    const auto other = parse_faults("random", seed + 1);
    ASSERT_TRUE(plan && again && other);
    const std::size_t count = plan->transfers.size() + plan->flash.size();
    EXPECT_GE(count, 1U);
    EXPECT_LE(count, 3U);
    ASSERT_EQ(plan->transfers.size(), again->transfers.size());
    for (std::size_t i = 0; i < plan->transfers.size(); ++i) {
      EXPECT_EQ(plan->transfers[i].first, again->transfers[i].first);
      EXPECT_EQ(plan->transfers[i].kind, again->transfers[i].kind);
    }
    different |= plan->transfers.size() != other->transfers.size();
  }
  EXPECT_TRUE(different);
}

/// Every power cut in a session that erases and writes one page: the page holds what it held,
/// blank, or the new bytes, bit by bit; the next page is untouched; after power-on the same session
/// succeeds.
TEST_F(Faults, APowerCutAtAnyFlashOperationIsRecoverable) {
  const Bytes image(64, 0x5C);
  for (const char* kind : {"cut-before", "cut-during", "cut-after"}) {
    for (int n = 0; n < 1 + 32; ++n) {
      const std::string spec =
          "stm32f105,fill=noise,seed=3,fault=" + std::string(kind) + "@" + std::to_string(n);
      open(spec);
      const Bytes before(device->chip().flash().bytes().begin(),
                         device->chip().flash().bytes().end());
      host->erase(kBase);
      host->command(2, image);
      host->wait(1s);
      ASSERT_EQ(device->running(), Running::NoPower) << spec;
      const ByteView now = device->chip().flash().bytes();
      for (std::size_t i = 0; i < now.size(); ++i) {
        const int allowed_ones = i < 64 ? before[i] | 0xFF : i < 2048 ? 0xFF : before[i];
        const int required_ones = i < 64 ? before[i] & 0x5C : before[i];
        ASSERT_EQ(now[i] & ~allowed_ones, 0) << spec << " byte " << i;
        ASSERT_EQ(required_ones & ~now[i], 0) << spec << " byte " << i;
      }
      device->power_cycle();
      ASSERT_TRUE(host->enumerate());
      EXPECT_EQ(host->erase(kBase), kDnloadIdle);
      EXPECT_EQ(host->command(2, image), kDnloadIdle);
      EXPECT_TRUE(std::ranges::equal(device->chip().flash().bytes().first(64), image));
    }
  }
}

class WithFile : public ::testing::Test {
 protected:
  void SetUp() override {
    path = (std::filesystem::temp_directory_path() /
            ("sureflash-profile-" + std::to_string(::getpid()) + "-" +
             ::testing::UnitTest::GetInstance()->current_test_info()->name()))
               .string();
  }
  void TearDown() override {
    std::filesystem::remove(path);
    std::filesystem::remove(path + ".lock");
  }
  std::string spec(std::string_view more = "") const {
    return "stm32f105,state=" + path + std::string(more);
  }
  std::string path;
};

TEST_F(WithFile, AChipIsPoweredOnWhereItWasLeft) {
  {
    const auto device = make(spec(",seed=1,fill=noise"));
    Host host(*device);
    ASSERT_TRUE(host.enumerate());
    EXPECT_EQ(host.erase(kBase), kDnloadIdle);
    EXPECT_EQ(host.command(2, Bytes(4, 0x12)), kDnloadIdle);
    EXPECT_TRUE(device->save());
  }
  const auto device = make(spec(",seed=2"));
  EXPECT_EQ(device->chip().read_word(kBase), 0x12121212U);
  EXPECT_EQ(device->chip().flash().wear()[0], 1U);
  Host host(*device);
  ASSERT_TRUE(host.enumerate());
  EXPECT_EQ(host.poll(), std::pair(0, 2));
}

TEST_F(WithFile, APowerCutIsOverWhenTheChipIsOpenedAgain) {
  {
    const auto device = make(spec(",fill=noise,fault=cut-during@0"));
    Host host(*device);
    ASSERT_TRUE(host.enumerate());
    host.erase(kBase);
    host.wait(1s);
    EXPECT_EQ(device->running(), Running::NoPower);
  }
  const auto device = make(spec());
  Host host(*device);
  ASSERT_TRUE(host.enumerate());
  EXPECT_EQ(host.erase(kBase), kDnloadIdle);
}

TEST_F(WithFile, IsHeldByOneDeviceAtATime) {
  const auto device = make(spec());
  const auto second = make_device(spec());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::DeviceBusy);
}

TEST_F(WithFile, ThatIsDamagedIsRefusedAndKept) {
  { make(spec()); }
  const auto size = std::filesystem::file_size(path);
  std::filesystem::resize_file(path, size - 1);
  const auto device = make_device(spec());
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().code, Errc::Truncated);
  EXPECT_EQ(device.error().where.name, path);
  EXPECT_EQ(std::filesystem::file_size(path), size - 1);
  std::ofstream(path, std::ios::trunc) << "something else";
  EXPECT_EQ(make_device(spec()).error().code, Errc::FormatInvalid);
}

TEST_F(WithFile, ProtectionFromTheSpecAppliesToItToo) {
  { make(spec()); }
  EXPECT_TRUE(make(spec(",rdp=1"))->chip().options().read_protected);
  EXPECT_TRUE(make(spec(",wrp=4"))->chip().options().read_protected) << "it stays";
  const auto device = make(spec(",rdp=0"));
  EXPECT_FALSE(device->chip().options().read_protected);
  EXPECT_TRUE(device->chip().flash().is_protected(4));
}

/// A whole session with random faults, as text.
std::string session(std::uint64_t seed) {
  const auto device = make("stm32f105,fill=noise,fault=random,seed=" + std::to_string(seed));
  Host host(*device);
  std::string log;
  for (int i = 0; i < 60; ++i) {
    host.enumerate(1s);
    const auto erased = host.erase(kBase + static_cast<std::uint32_t>(i) * 2048);
    const auto written = host.command(static_cast<std::uint16_t>(2 + i), Bytes(2048, 0x31));
    log += std::to_string(erased.second) + " " + std::to_string(written.second) + " " +
           std::to_string(host.usb().now().count()) + "\n";
  }
  const Bytes state = encode_state(device->chip());
  return log + std::string(state.begin(), state.end());
}

TEST(Determinism, TheSameSeedGivesTheSameRun) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) EXPECT_EQ(session(seed), session(seed)) << seed;
  EXPECT_NE(session(1), session(2));
}

}  // namespace
}  // namespace sureflash::sim
