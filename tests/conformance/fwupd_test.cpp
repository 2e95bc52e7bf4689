// Goal: fwupd 2.0, unmodified, lists and programs the virtual STM32F105, as a tool and as a daemon
// with a cabinet; its known defect with an even number of alternate settings is seen. Method:
// fwupdtool, fwupd, fwupdmgr as Debian ships them through real libusb on a testbed, with folders of
// their own in place of the machine's; the flash of the chip is compared afterwards. The DfuSe file
// is made here from UM0391 (dfuse.md 3.2).
#include <regex>

#include "conformance_fixture.hpp"
#include <linux/netlink.h>
#include <sys/socket.h>

namespace sureflash::sim {
namespace {

using testing::HasSubstr;
using testing::Not;

/// CRC of DFU files: CRC-32 without the final inversion (DFU 1.1, appendix B).
std::uint32_t dfu_crc(const Bytes& bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xEDB88320 : 0);
  }
  return crc;
}

void append_text(Bytes& bytes, const std::string& text, std::size_t field) {
  bytes.insert(bytes.end(), text.begin(), text.end());
  bytes.insert(bytes.end(), field - text.size(), 0);
}

/// A DfuSe file with one image for alternate setting 0. Source: UM0391.
Bytes dfuse_file(const Bytes& image, std::uint32_t address) {
  const auto size = static_cast<std::uint32_t>(image.size());
  Bytes file;
  append_text(file, "DfuSe", 5);
  file.push_back(1);
  append_le32(file, 11 + 274 + 8 + size);
  file.push_back(1);
  append_text(file, "Target", 6);
  file.push_back(0);
  append_le32(file, 1);
  append_text(file, "test", 255);
  append_le32(file, 8 + size);
  append_le32(file, 1);
  append_le32(file, address);
  append_le32(file, size);
  file.insert(file.end(), image.begin(), image.end());
  append_le16(file, 0x2200);
  append_le16(file, 0xDF11);
  append_le16(file, 0x0483);
  append_le16(file, 0x011A);
  append_text(file, "UFD", 3);
  file.push_back(16);
  append_le32(file, dfu_crc(file));
  return file;
}

class Fwupd : public ConformanceFixture {
 protected:
  void SetUp() override {
    ConformanceFixture::SetUp();
    for (const char* folder : {"state", "cache", "etc/fwupd", "lock"}) {
      std::filesystem::create_directories(folder_ / folder);
    }
    write("etc/fwupd/fwupd.conf", "[fwupd]\nOnlyTrusted=false\n");
  }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }

  Bytes write_dfuse(const std::string& name, std::size_t size) {
    const Bytes image = write_firmware("raw.bin", size);
    const Bytes file = dfuse_file(image, 0x08000000);
    write(name, std::string(file.begin(), file.end()));
    return image;
  }

  /// Runs with fwupd's folders below the test's.
  Outcome run_fwupd(const std::string& command) {
    const std::string f = folder_.string();
    return run("env STATE_DIRECTORY=" + f + "/state CACHE_DIRECTORY=" + f +
               "/cache FWUPD_LOCKDIR=" + f + "/lock FWUPD_SYSCONFDIR=" + f + "/etc " + command);
  }

  std::string device_id() {
    const Outcome list = run_fwupd("fwupdtool get-devices --plugins dfu --json");
    std::smatch match;
    const std::regex id("\"DeviceId\" *: *\"([0-9a-f]{40})\"");
    return std::regex_search(list.output, match, id) ? match[1].str() : std::string();
  }

  Outcome install(const std::string& file) {
    return run_fwupd(
        "fwupdtool install-blob " + file + " " + device_id() +
        " --plugins dfu --force --allow-reinstall --no-device-prompt --no-reboot-check");
  }
};

TEST_F(Fwupd, ToolListsTheDevice) {
  plug("stm32f105,poll=0");
  const Outcome list = run_fwupd("fwupdtool get-devices --plugins dfu");
  EXPECT_EQ(list.status, 0) << list.output;
  EXPECT_THAT(list.output, HasSubstr("USB\\VID_0483&PID_DF11"));
}

TEST_F(Fwupd, ToolKnowsAGd32ByItsSerialNumber) {
  // plugins/dfu: Flags=gd32 reads "3CBJ" as bytes and the size from its third character.
  plug("gd32vf103,variant=1,poll=0");
  const Outcome list = run_fwupd("fwupdtool get-devices --plugins dfu --verbose");
  EXPECT_THAT(list.output, HasSubstr("GD32VF103"));
  EXPECT_THAT(list.output, HasSubstr("3CBJ"));
}

TEST_F(Fwupd, ToolInstallsAndReadsBack) {
  plug("stm32f105,poll=0,functional=each");
  const Bytes image = write_dfuse("fw.dfuse", 64 * 1024);
  const Outcome done = install("fw.dfuse");
  EXPECT_EQ(done.status, 0) << done.output;
  EXPECT_EQ(flash(0, image.size()), image);
}

TEST_F(Fwupd, ToolFailsWithAnEvenNumberOfAlternateSettings) {
  // The ROM as it is: two alternate settings, one functional descriptor after the last.
  // fwupd 2.0.20 takes the second interface descriptor for the functional descriptor of the first.
  // When this test fails, fwupd has been mended.
  plug("stm32f105,poll=0");
  const Bytes image = write_dfuse("fw.dfuse", 64 * 1024);
  const Outcome done = install("fw.dfuse");
  EXPECT_NE(done.status, 0);
  EXPECT_THAT(done.output, HasSubstr("failed to parse interface data"));
  EXPECT_NE(flash(0, image.size()), image);
}

TEST_F(Fwupd, ToolLosesHotPlugWithTheKernelsOwnNetlink) {
  // libusb before 1.0.27 takes the netlink port that fwupd wants (fwupd issue 8083, mended by pull
  // request 10422): installing cannot work outside a testbed, where these sockets are replaced.
  // When this test fails, Debian has mended it. No device is touched: the id is nobody's.
  const Descriptor netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT));
  if (!netlink) GTEST_SKIP() << "this machine has no netlink for us";
  plug("stm32f105,poll=0,functional=each");
  write_dfuse("fw.dfuse", 2048);
  const Outcome done =
      run_fwupd("env -u LD_PRELOAD -u UMOCKDEV_DIR fwupdtool install-blob fw.dfuse " +
                std::string(40, '0') + " --plugins dfu -v --no-reboot-check");
  EXPECT_NE(done.status, 0);
  EXPECT_THAT(done.output, HasSubstr("bind to udev socket failed: Address already in use"));
}

TEST_F(Fwupd, ToolDoesNotEraseTheLastSector) {
  // fwupd 2.0.20 sends no erase for the sector of the last chunk: it works on blank flash only, and
  // reading back finds it. When this test fails, fwupd has been mended.
  plug("stm32f105,poll=0,functional=each,fill=noise");
  const Bytes image = write_dfuse("fw.dfuse", 64 * 1024);
  const Outcome done = install("fw.dfuse");
  EXPECT_NE(done.status, 0);
  EXPECT_THAT(done.output, HasSubstr("@ 0xf800")) << "of 32 sectors of 2 KiB";
  constexpr std::size_t kAllButTheLast = 62 * 1024;
  EXPECT_EQ(flash(0, kAllButTheLast), Bytes(image.begin(), image.begin() + kAllButTheLast));
}

TEST_F(Fwupd, ToolReadsPastTheEndOfAnImageThatFillsTheFlash) {
  // fwupd 2.0.20 reads one block more than it wrote. When this test fails, fwupd has been mended.
  plug("stm32f105,poll=0,functional=each");
  const Bytes image = write_dfuse("fw.dfuse", 256 * 1024);
  const Outcome done = install("fw.dfuse");
  EXPECT_NE(done.status, 0);
  EXPECT_THAT(done.output, HasSubstr("cannot upload data"));
  EXPECT_EQ(flash(0, image.size()), image);
}

TEST_F(Fwupd, ToolFindsSilentWriteProtectionByReadingBack) {
  plug("stm32f105,poll=0,functional=each,wrp=0-3,fill=app");
  const Bytes before = flash(0, 8192);
  write_dfuse("fw.dfuse", 8192);
  const Outcome done = install("fw.dfuse");
  EXPECT_NE(done.status, 0);
  EXPECT_THAT(done.output, HasSubstr("verify failed"));
  EXPECT_EQ(flash(0, 8192), before);
}

TEST_F(Fwupd, DaemonInstallsACabinet) {
  plug("stm32f105,poll=0,functional=each");
  const Bytes image = write_dfuse("firmware.bin", 16 * 1024);
  const Outcome done = run_fwupd(
      "bash " SUREFLASH_SOURCE_DIR "/tests/conformance/fwupd_daemon.sh " + folder_.string());
  EXPECT_EQ(done.status, 0) << done.output;
  EXPECT_THAT(done.output, HasSubstr("Successfully installed firmware"));
  EXPECT_EQ(flash(0, image.size()), image);
}

}  // namespace
}  // namespace sureflash::sim
