// Goal: `sureflash` itself, the whole program through real libusb, does what its help says, for the
// scenarios that dfu-util_test.cpp has, and what two programs and a missing permission look like.
// Method: the binary of this build as a process of its own on a testbed; its output and exit code,
// the flash of the chip, and dfu-util as a second opinion.
#include <unistd.h>

#include "command_fixture.hpp"
#include <nlohmann/json.hpp>

namespace sureflash::sim {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Command : public CommandFixture {};

TEST_F(Command, ListsDevicesAsText) {
  plug_all({"stm32f105", "stm32f105,runtime=1"});
  const Outcome list = sureflash("list");
  EXPECT_EQ(list.status, 0) << list.output;
  EXPECT_THAT(
      list.output,
      HasSubstr("1-1       0483:df11  DFU mode  STM32 0x418 DFU Bootloader, serial STM32\n"));
  EXPECT_THAT(list.output, HasSubstr("1-2       0483:5740  run-time"));
}

TEST_F(Command, ListsDevicesAsJson) {
  plug_all({"stm32f105", "stm32f105,runtime=1"});
  const Outcome list = sureflash("list --json");
  EXPECT_EQ(list.status, 0) << list.output;
  const auto result = nlohmann::json::parse(list.output, nullptr, false);
  ASSERT_TRUE(result.is_object()) << list.output;
  EXPECT_EQ(result["command"], "list");
  ASSERT_EQ(result["devices"].size(), 2U);
  EXPECT_EQ(result["devices"][0]["port"], "1-1");
  EXPECT_EQ(result["devices"][0]["vendor_id"], 0x0483);
  EXPECT_EQ(result["devices"][0]["mode"], "dfu");
  EXPECT_EQ(result["devices"][1]["mode"], "run-time");
  EXPECT_EQ(result["devices"][1]["accessible"], true);
}

TEST_F(Command, NoDeviceIsExitCode3) {
  serve();
  EXPECT_EQ(sureflash("list").status, kNoDevice);
  const Outcome info = sureflash("info");
  EXPECT_EQ(info.status, kNoDevice);
  EXPECT_THAT(info.output, HasSubstr("error: no device found"));
}

TEST_F(Command, ChoosesByPortIdsAndSerialNumber) {
  // All STM32F105 in their ROM have the serial number "STM32".
  plug_all({"cubemx-skeleton,seed=1", "cubemx-skeleton,seed=2", "dfu11"});
  const Outcome several = sureflash("info");
  EXPECT_EQ(several.status, kSeveralDevices);
  EXPECT_THAT(several.output, HasSubstr("at ports 1-1, 1-2, 1-3"));
  const auto devices = nlohmann::json::parse(sureflash("list --json").output)["devices"];
  const std::string serial = devices[1]["serial"];
  ASSERT_NE(serial, devices[0]["serial"]);

  EXPECT_THAT(sureflash("info -d 1-2").output, HasSubstr("usb 1-2"));
  EXPECT_THAT(sureflash("info -d serial=" + serial).output, HasSubstr("usb 1-2"));
  EXPECT_THAT(sureflash("info -d 0483:df11,serial=" + serial).output, HasSubstr("usb 1-2"));
  const Outcome ids = sureflash("info -d 0483:df11");
  EXPECT_EQ(ids.status, kSeveralDevices);
  EXPECT_THAT(ids.output, HasSubstr("at ports 1-1, 1-2\n"));
  EXPECT_EQ(sureflash("info -d 1-7").status, kNoDevice);
  EXPECT_EQ(sureflash("info -d 1234:5678").status, kNoDevice);
}

TEST_F(Command, ProgramsVerifiesAndReadsTheWholeFlash) {
  plug("stm32f105,poll=0,fill=noise");
  const Bytes image = write_firmware("in.bin", 256 * 1024);
  const Outcome done = program();
  EXPECT_EQ(done.status, 0) << done.output;
  EXPECT_THAT(done.output, HasSubstr("read back and equal to the file"));
  EXPECT_EQ(flash(0, image.size()), image);

  EXPECT_EQ(sureflash("verify in.bin --base 0x08000000").status, 0);
  EXPECT_EQ(sureflash("read out.bin").status, 0);
  EXPECT_EQ(run("cmp in.bin out.bin").status, 0);
  EXPECT_EQ(run("dfu-util -a 0 -s 0x08000000:262144 -U theirs.bin").status, 0);
  EXPECT_EQ(run("cmp in.bin theirs.bin").status, 0) << "dfu-util reads the same";
}

TEST_F(Command, VerifyFindsOneOtherByte) {
  plug("stm32f105,poll=0");
  write_firmware("in.bin", 5000);
  ASSERT_EQ(program().status, 0);
  EXPECT_EQ(run("sh -c 'printf x | dd of=in.bin bs=1 seek=3000 conv=notrunc status=none'").status,
            0);
  const Outcome verify = sureflash("verify in.bin --base 0x08000000");
  EXPECT_EQ(verify.status, kMismatch) << verify.output;
  EXPECT_THAT(verify.output, HasSubstr("0x08000BB8"));
}

TEST_F(Command, TailThatIsNoWordIsPadded) {
  plug("stm32f105,poll=0");
  const Bytes image = write_firmware("in.bin", 2048 + 3);
  const Outcome done = program();
  EXPECT_EQ(done.status, 0) << done.output << "dfu-util fails here";
  EXPECT_EQ(flash(0, image.size()), image);
}

TEST_F(Command, ErasesSectorsAndEverything) {
  plug("stm32f105,poll=0,fill=noise");
  const Bytes before = flash(0, 8192);
  const Outcome range = sureflash("erase 1 --yes");
  EXPECT_EQ(range.status, 0) << range.output;
  EXPECT_EQ(flash(2048, 2048), Bytes(2048, 0xFF));
  EXPECT_EQ(flash(0, 2048), Bytes(before.begin(), before.begin() + 2048));
  EXPECT_EQ(flash(4096, 4096), Bytes(before.begin() + 4096, before.end()));
  const Outcome all = sureflash("erase --all --yes");
  EXPECT_EQ(all.status, 0) << all.output;
  EXPECT_TRUE(flash_is_blank());
}

TEST_F(Command, AddressOutsideTheMap) {
  plug("stm32f105,poll=0");
  write_firmware("in.bin", 2048);
  const Outcome done = sureflash("program in.bin --base 0x08040000 --data");
  EXPECT_EQ(done.status, kBadImage) << done.output;
  EXPECT_THAT(done.output, HasSubstr("0x08040000"));
  EXPECT_TRUE(flash_is_blank());
}

TEST_F(Command, AddressOutsideTheChip) {
  // 64 KiB of flash, but the layout string says 256 (dfuse.md 2.11): the size register knows.
  plug("stm32f105,flash=64,poll=0");
  write_firmware("in.bin", 2048);
  const Outcome done = sureflash("program in.bin --base 0x08020000 --data");
  EXPECT_EQ(done.status, kBadImage) << done.output;
  EXPECT_THAT(done.output, HasSubstr("the chip has 64 KiB of flash"));
  EXPECT_TRUE(flash_is_blank());
}

TEST_F(Command, ReadProtectedChip) {
  plug("stm32f105,rdp=1,poll=0,fill=app");
  const Bytes before = flash(0, 4096);
  write_firmware("in.bin", 2048);
  const Outcome done = program();
  EXPECT_EQ(done.status, kProtected) << done.output;
  EXPECT_THAT(done.output, HasSubstr("read-protection.md"));
  EXPECT_EQ(sureflash("read out.bin --size 2048").status, kProtected);
  EXPECT_EQ(flash(0, 4096), before);
}

TEST_F(Command, WriteProtectedSectors) {
  plug("stm32f105,wrp=0-3,poll=0,fill=app");
  const Bytes before = flash(0, 8192);
  write_firmware("in.bin", 8192);
  const Outcome done = program();
  EXPECT_EQ(done.status, kProtected) << done.output << "dfu-util says success here";
  EXPECT_THAT(done.output, HasSubstr("write-protection.md"));
  EXPECT_EQ(flash(0, 8192), before);
}

TEST_F(Command, SkeletonThatStoresNothing) {
  plug("cubemx-skeleton,layout=@Internal Flash   /0x08000000/128*002Kg");
  Bytes image = write_firmware("in.bin", 4096);
  const Outcome done = sureflash("program in.bin --base 0x08008000 --data");
  EXPECT_EQ(done.status, kDeviceFailure) << done.output << "dfu-util says success here";
  EXPECT_THAT(done.output, HasSubstr("does not store it"));
  EXPECT_THAT(done.output, HasSubstr("recovery/cubemx-skeleton.md"));
}

TEST_F(Command, PlainDfuDeviceWithoutDfuSe) {
  plug("dfu11");
  write_image("noise.bin", 4096);
  const Outcome refused = sureflash("program noise.bin");
  EXPECT_EQ(refused.status, kDeviceFailure) << "no program: dfu-util does not see errFIRMWARE";
  EXPECT_THAT(refused.output, HasSubstr("errFIRMWARE"));
  const Bytes image = write_firmware("in.bin", 4096);
  const Outcome done = sureflash("program in.bin");
  // Not manifestation tolerant: there is no way back to reading.
  EXPECT_EQ(done.status, kMismatch) << done.output;
  EXPECT_THAT(done.output, HasSubstr("written, but nothing is proven"));
  const Bytes all = flash(0, device_->chip().flash().bytes().size());
  EXPECT_NE(std::search(all.begin(), all.end(), image.begin(), image.end()), all.end());
}

TEST_F(Command, PlainDfuDeviceThatCanBeReadIsProven) {
  plug("dfu11,tolerant=1");
  write_firmware("in.bin", 4096);
  const Outcome done = sureflash("program in.bin");
  EXPECT_EQ(done.status, 0) << done.output;
  EXPECT_THAT(done.output, HasSubstr("read back and equal"));
}

TEST_F(Command, RunTimeDeviceIsDetachedByPortProgrammedAndStartedAgain) {
  plug("stm32f105,runtime=1,poll=0");
  const Bytes image = write_firmware("in.bin", 8192);
  const Outcome done = program("--run -d 1-1");
  EXPECT_EQ(done.status, 0) << done.output;
  EXPECT_THAT(done.output, HasSubstr("it was told to enter DFU mode"));
  EXPECT_THAT(done.output, HasSubstr("started the program at 0x08000000"));
  EXPECT_EQ(flash(0, image.size()), image);
  EXPECT_TRUE(eventually([&] { return testbed_->device_number("1-1") == 4; }))
      << "run time, DFU mode, run time again: three addresses";
  EXPECT_THAT(sureflash("list").output, HasSubstr("0483:5740  run-time"));
}

TEST_F(Command, DetachThatWaitsForABusReset) {
  plug("stm32f105,runtime=1,detach=reset,poll=0");
  const Outcome info = sureflash("verify in.bin --base 0x08000000 -d 0483:5740");
  EXPECT_EQ(info.status, kBadImage) << "a file that is not there is found out first";
  EXPECT_EQ(testbed_->device_number("1-1"), 2);
  const Outcome read = sureflash("read out.bin --size 2048 -d 0483:5740");
  EXPECT_EQ(read.status, 0) << read.output;
  EXPECT_THAT(sureflash("list").output, HasSubstr("0483:df11"));
}

TEST_F(Command, RunStartsTheApplication) {
  plug("stm32f105,poll=0,boot0=1");
  write_firmware("in.bin", 8192);
  ASSERT_EQ(program().status, 0);
  const Outcome started = sureflash("run");
  EXPECT_EQ(started.status, 0) << started.output;
  EXPECT_TRUE(eventually([&] { return device_->running() == Running::Application; }));
  EXPECT_EQ(device_->application(), kBase);
}

TEST_F(Command, MissingPermissionNamesTheNodeAndTheWayOut) {
  plug("stm32f105,poll=0");
  namespace fs = std::filesystem;
  // Nobody has to reach everything but the node. The preload library makes sockets in the testbed,
  // and connects before it looks whether open() succeeded.
  fs::permissions(folder_, fs::perms{0755});
  fs::permissions(folder_ / "t", fs::perms{0777});
  fs::permissions(folder_ / "t/ioctl/dev/bus/usb/001/002", fs::perms{0777});
  // Other users cannot even see that there is a node in a testbed; so here is one that they can.
  const fs::path node = folder_ / "t/dev/bus/usb/001/002";
  fs::remove(node);
  std::ofstream(node).close();
  fs::permissions(node, fs::perms::none);
  fs::copy_file(binary(), folder_ / "sureflash");
  constexpr unsigned kNobody = 65534;
  const std::string as_nobody =
      ::geteuid() == 0 ? "setpriv --clear-groups --reuid " + std::to_string(kNobody) + " " : "";
  const Outcome info = run(as_nobody + "./sureflash info");
  EXPECT_EQ(info.status, kPermission) << info.output;
  EXPECT_THAT(info.output, HasSubstr("/dev/bus/usb/001/002"));
  EXPECT_THAT(info.output, HasSubstr("sureflash setup"));
  const Outcome list = run(as_nobody + "./sureflash list");
  EXPECT_EQ(list.status, 0) << "it is there, after all";
  EXPECT_THAT(list.output, HasSubstr("no permission (`sureflash setup`)"));
}

TEST_F(Command, SetupWritesTheRuleItShows) {
  plug("stm32f105");
  const Outcome shown = sureflash("setup --dry-run");
  EXPECT_EQ(shown.status, 0);
  EXPECT_THAT(shown.output, HasSubstr("# /etc/udev/rules.d/70-sureflash.rules"));
  EXPECT_THAT(shown.output, HasSubstr("udevadm control --reload"));
  const Outcome written = sureflash("setup --folder .");
  EXPECT_EQ(written.status, 0) << written.output;
  std::ifstream file(folder_ / "70-sureflash.rules");
  const std::string rule{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(rule, AllOf(HasSubstr("fe01"), HasSubstr("df11"), HasSubstr("uaccess")));
  EXPECT_THAT(shown.output, HasSubstr(rule));
  EXPECT_THAT(sureflash("setup --folder .").output, HasSubstr("is there already"));
  // A rule that somebody has changed is written again.
  EXPECT_EQ(run("sh -c 'echo x >>70-sureflash.rules'").status, 0);
  EXPECT_THAT(sureflash("setup --folder .").output, HasSubstr("written"));
  EXPECT_NE(sureflash("setup --folder nowhere").status, 0);
}

TEST_F(Command, SecondProgramIsToldWhoHoldsTheDevice) {
  plug("stm32f105,poll=0");
  write_firmware("in.bin", 64 * 1024);
  // The first is stopped in the middle, with the device open.
  start("program in.bin --base 0x08000000 -d 1-1", [&](unsigned n) {
    if (n == 60) ::kill(child_, SIGSTOP);
  });
  ASSERT_TRUE(eventually([&] { return watched_->count() > 60; }));
  const Outcome second = sureflash("info -d 1-1");
  EXPECT_EQ(second.status, kPermission) << second.output;
  EXPECT_THAT(second.output, HasSubstr("used by sureflash (pid " + std::to_string(child_) + ")"));
  ::kill(child_, SIGCONT);
  const Outcome first = wait_for_end();
  EXPECT_EQ(first.status, 0) << first.output << "the second did no harm";
  EXPECT_EQ(sureflash("info -d 1-1").status, 0) << "free again";
}

}  // namespace
}  // namespace sureflash::sim
