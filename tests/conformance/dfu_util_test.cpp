// Goal: dfu-util 0.11, unmodified, and the virtual STM32F105 understand each other: what the manual
// of the one and AN3156 promise happens, refusals included. Method: dfu-util as Debian ships it
// through real libusb on a testbed; afterwards its output and exit status, and the flash of the
// chip, are compared.
#include "conformance_fixture.hpp"

namespace sureflash::sim {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Exit status of dfu-util for an I/O error, sysexits.h.
constexpr int kIoError = 74;

class DfuUtil : public ConformanceFixture {};

TEST_F(DfuUtil, ListsBothAlternateSettingsOfTheRom) {
  plug("stm32f105");
  const Outcome list = run("dfu-util -l");
  EXPECT_EQ(list.status, 0);
  EXPECT_THAT(list.output, HasSubstr("alt=0, name=\"@Internal Flash  /0x08000000/128*002Kg\""));
  EXPECT_THAT(list.output, HasSubstr("alt=1, name=\"@Option Bytes  /0x1FFFF800/01*016 e\""));
  EXPECT_THAT(list.output, HasSubstr("Found DFU: [0483:df11]"));
}

TEST_F(DfuUtil, DownloadsAndUploadsTheWholeFlash) {
  plug("stm32f105,poll=0");
  const Bytes image = write_image("in.bin", 256 * 1024);
  const Outcome down = run("dfu-util -a 0 -s 0x08000000 -D in.bin");
  EXPECT_EQ(down.status, 0) << down.output;
  EXPECT_EQ(flash(0, image.size()), image);
  const Outcome up = run("dfu-util -a 0 -s 0x08000000:262144 -U out.bin");
  EXPECT_EQ(up.status, 0) << up.output;
  EXPECT_EQ(run("cmp in.bin out.bin").status, 0);
}

TEST_F(DfuUtil, PollTimesOfTheRomAreKept) {
  plug("stm32f105", Pace::Real);
  const Bytes image = write_image("in.bin", 4096);
  const Duration began = monotonic_clock();
  const Outcome down = run("dfu-util -a 0 -s 0x08000000 -D in.bin");
  EXPECT_EQ(down.status, 0) << down.output;
  EXPECT_EQ(flash(0, image.size()), image);
  // Two erases of 20 ms and two blocks of 1024 half-words of 52.5 us at least: data sheet, typical.
  EXPECT_GE(monotonic_clock() - began, 2 * 20ms + 2 * 53ms);
}

TEST_F(DfuUtil, UnalignedTailIsRefusedAsSiliconDoes) {
  plug("stm32f105,poll=0");
  write_image("in.bin", 2048 + 3);
  const Outcome down = run("dfu-util -a 0 -s 0x08000000 -D in.bin");
  EXPECT_NE(down.status, 0)
      << "lengths are multiples of 4 (AN2606 table 7), and dfu-util does not pad";
}

TEST_F(DfuUtil, LeaveStartsTheApplication) {
  plug("stm32f105,poll=0,boot0=1");
  write_firmware("in.bin", 8192);
  const Outcome down = run("dfu-util -a 0 -s 0x08000000:leave -D in.bin");
  EXPECT_EQ(down.status, 0) << down.output;
  EXPECT_TRUE(eventually([&] { return device_->running() == Running::Application; }));
  EXPECT_EQ(device_->application(), 0x08000000U);
}

TEST_F(DfuUtil, RunTimeDeviceIsDetachedProgrammedAndStartedAgain) {
  plug("stm32f105,runtime=1,poll=0");
  const std::string ids = "-d 0483:5740,0483:df11 ";
  EXPECT_THAT(run("dfu-util -l").output, HasSubstr("Found Runtime: [0483:5740]"));
  const Bytes image = write_firmware("in.bin", 8192);
  const Outcome down = run("dfu-util " + ids + "-E 2 -a 0 -s 0x08000000:leave -D in.bin");
  EXPECT_EQ(down.status, 0) << down.output;
  EXPECT_EQ(flash(0, image.size()), image);
  EXPECT_TRUE(eventually([&] { return testbed_->device_number("1-1") == 4; }))
      << "run time, DFU mode, run time again: three addresses";
  EXPECT_THAT(run("dfu-util -l").output, HasSubstr("Found Runtime: [0483:5740]"));
}

TEST_F(DfuUtil, DetachThatWaitsForABusReset) {
  plug("stm32f105,runtime=1,detach=reset,poll=0");
  const Outcome detach = run("dfu-util -d 0483:5740 -e");
  EXPECT_EQ(detach.status, 0) << detach.output;
  EXPECT_TRUE(eventually([&] { return testbed_->device_number("1-1") == 3; }));
  EXPECT_THAT(run("dfu-util -l").output, HasSubstr("Found DFU: [0483:df11]"));
}

TEST_F(DfuUtil, MassErase) {
  plug("stm32f105,poll=0,fill=noise");
  EXPECT_FALSE(flash_is_blank());
  write_image("in.bin", 2048);
  const Outcome erase = run("dfu-util -a 0 -s 0x08000000:mass-erase:force -D in.bin");
  EXPECT_EQ(erase.status, 0) << erase.output;
  const Bytes rest = flash(2048, 254 * 1024);
  EXPECT_TRUE(
      std::all_of(rest.begin(), rest.end(), [](std::uint8_t byte) { return byte == 0xFF; }));
}

TEST_F(DfuUtil, AddressOutsideTheMap) {
  plug("stm32f105,poll=0");
  write_image("in.bin", 2048);
  const Outcome down = run("dfu-util -a 0 -s 0x08040000 -D in.bin");
  EXPECT_NE(down.status, 0);
  EXPECT_THAT(down.output, HasSubstr("not writeable"));
  EXPECT_TRUE(flash_is_blank());
}

TEST_F(DfuUtil, AddressOutsideTheChipIsRefusedByTheDevice) {
  // 64 KiB of flash, but the layout string says 256 (dfuse.md 2.11): the ROM has to refuse.
  plug("stm32f105,flash=64,poll=0");
  write_image("in.bin", 2048);
  const Outcome down = run("dfu-util -a 0 -s 0x08020000 -D in.bin");
  EXPECT_EQ(down.status, kIoError) << down.output;
  EXPECT_TRUE(flash_is_blank());
}

TEST_F(DfuUtil, ReadProtectedChipRefusesUploadAndDownload) {
  plug("stm32f105,rdp=1,poll=0,fill=app");
  const Bytes before = flash(0, 4096);
  write_image("in.bin", 2048);
  const Outcome up = run("dfu-util -a 0 -s 0x08000000:2048 -U out.bin");
  EXPECT_NE(up.status, 0) << up.output;
  const Outcome down = run("dfu-util -a 0 -s 0x08000000 -D in.bin");
  EXPECT_NE(down.status, 0) << down.output;
  EXPECT_EQ(flash(0, 4096), before);
}

TEST_F(DfuUtil, UnprotectErasesAndResets) {
  plug("stm32f105,rdp=1,poll=0,fill=noise");
  const Outcome unprotect = run("dfu-util -a 0 -s 0x08000000:unprotect:force -D /dev/null");
  EXPECT_TRUE(eventually([&] { return testbed_->device_number("1-1") == 3; })) << unprotect.output;
  EXPECT_TRUE(flash_is_blank());
}

TEST_F(DfuUtil, WriteProtectionIsSilent) {
  plug("stm32f105,wrp=0-3,poll=0,fill=app");
  const Bytes before = flash(0, 8192);
  write_image("in.bin", 8192);
  const Outcome down = run("dfu-util -a 0 -s 0x08000000 -D in.bin");
  EXPECT_EQ(down.status, 0) << "AN3156: no error is reported, so dfu-util believes in success";
  EXPECT_THAT(down.output, HasSubstr("File downloaded successfully"));
  EXPECT_EQ(flash(0, 8192), before);
}

class DfuUtilAndClone : public DfuUtil, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Clones, DfuUtilAndClone,
                         testing::Values("gd32vf103", "gd32vf103,variant=1", "at32f415", "at32f405",
                                         "at32f403a"));

TEST_P(DfuUtilAndClone, ProgramsIt) {
  plug(std::string(GetParam()) + ",poll=0,fill=noise");
  const Bytes image = write_image("in.bin", 9 * 1024);
  const Outcome down = run("dfu-util -a 0 -s 0x08000000 -D in.bin");
  EXPECT_EQ(down.status, 0) << down.output;
  EXPECT_EQ(flash(0, image.size()), image);
  const Outcome up = run("dfu-util -a 0 -s 0x08000000:9216 -U out.bin");
  EXPECT_EQ(up.status, 0) << up.output;
  EXPECT_EQ(run("cmp in.bin out.bin").status, 0);
}

TEST_F(DfuUtil, KnowsTheSerialAndTheLayoutOfAGd32) {
  // Its quirks (src/quirks.c): QUIRK_UTF8_SERIAL and QUIRK_DFUSE_LAYOUT.
  plug("gd32vf103,flash=64,poll=0,fill=noise");
  EXPECT_THAT(run("dfu-util -l").output, HasSubstr("serial=\"3C8J\""));
  const Bytes image = write_image("in.bin", 9 * 1024);
  const Outcome down = run("dfu-util -a 0 -s 0x08000000 -D in.bin");
  EXPECT_THAT(down.output, HasSubstr("page size 1024, count 64"));
  EXPECT_EQ(flash(0, image.size()), image);
  write_image("big.bin", 65 * 1024);
  EXPECT_NE(run("dfu-util -a 0 -s 0x08000000 -D big.bin").status, 0);
}

TEST_F(DfuUtil, BelievesAGd32ThatPassesForAnStm32AndSpoilsIt) {
  // Without its quirks it erases in steps of 2 KiB what has pages of 1 KiB.
  plug("gd32vf103,usb-id=0483:df11,poll=0,fill=noise");
  const Bytes image = write_image("in.bin", 9 * 1024);
  const Outcome down = run("dfu-util -a 0 -s 0x08000000 -D in.bin");
  EXPECT_EQ(down.status, 0) << down.output;
  EXPECT_NE(flash(0, image.size()), image);
}

TEST_F(DfuUtil, LeavesAGd32WithoutAStatus) {
  plug("gd32vf103,poll=0");
  write_firmware("in.bin", 8192);
  const Outcome down = run("dfu-util -a 0 -s 0x08000000:leave -D in.bin");
  EXPECT_THAT(down.output, HasSubstr("File downloaded successfully"));
  EXPECT_TRUE(eventually([&] { return device_->running() == Running::Application; }));
}

TEST_F(DfuUtil, UnprotectOfAnAt32EndsInAWrongState) {
  // As its log has it: the protection is gone, and dfu-util calls it a failure.
  plug("at32f415,rdp=1,poll=0,fill=noise");
  const Outcome unprotect = run("dfu-util -a 0 -s 0x08000000:unprotect:force -D /dev/null");
  EXPECT_NE(unprotect.status, 0);
  EXPECT_THAT(unprotect.output, HasSubstr("Wrong state after command \"READ_UNPROTECT\""));
  EXPECT_TRUE(eventually([&] { return flash_is_blank(); }));
}

TEST_F(DfuUtil, RefusesTheFirstSectorsOfAnAt32F437ByItsLetter) {
  plug("at32f437,poll=0");
  write_image("in.bin", 4096);
  EXPECT_THAT(run("dfu-util -a 0 -s 0x08000000 -D in.bin").output, HasSubstr("not writeable"));
  const Outcome above = run("dfu-util -a 0 -s 0x08008000 -D in.bin");
  EXPECT_EQ(above.status, 0) << above.output;
}

TEST_F(DfuUtil, SaysDoneOfWhatTheWirelessStackDoesNotLetIn) {
  plug("stm32wb55,sfsa=192,poll=0,fill=noise");
  const Bytes before = flash(0xC0000, 8192);
  write_image("in.bin", 8192);
  const Outcome down = run("dfu-util -a 0 -s 0x080C0000 -D in.bin");
  EXPECT_EQ(down.status, 0) << down.output;
  EXPECT_THAT(down.output, HasSubstr("File downloaded successfully"));
  EXPECT_EQ(flash(0xC0000, 8192), before);
}

TEST_F(DfuUtil, WritesDataEepromWithoutErasing) {
  plug("stm32l072,poll=0");
  const Bytes image = write_image("in.bin", 3072);
  const Outcome down = run("dfu-util -a 2 -s 0x08080000 -D in.bin");
  EXPECT_EQ(down.status, 0) << down.output;
  Bytes stored(image.size());
  const std::scoped_lock lock(loop_.mutex());
  ASSERT_TRUE(device_->chip().read(0x08080000, stored));
  EXPECT_EQ(stored, image);
}

TEST_F(DfuUtil, WorksAtHighSpeed) {
  plug("stm32u595,poll=0,fill=noise");
  const Bytes image = write_image("in.bin", 32 * 1024);
  const Outcome down = run("dfu-util -a 0 -s 0x08000000 -D in.bin");
  EXPECT_EQ(down.status, 0) << down.output;
  EXPECT_EQ(flash(0, image.size()), image);
}

TEST_F(DfuUtil, CubeMxSkeletonStoresNothingAndSaysOk) {
  plug("cubemx-skeleton,layout=@Internal Flash   /0x08000000/128*002Kg");
  const Bytes before = flash(0x8000, 4096);
  write_image("in.bin", 4096);
  const Outcome down = run("dfu-util -a 0 -s 0x08008000 -D in.bin");
  EXPECT_EQ(down.status, 0) << down.output;
  EXPECT_EQ(flash(0x8000, 4096), before);
}

TEST_F(DfuUtil, PlainDfuDeviceWithoutDfuSe) {
  plug("dfu11");
  const Bytes image = write_image("in.bin", 4096);
  const Outcome list = run("dfu-util -l");
  EXPECT_THAT(list.output, HasSubstr("Found DFU"));
  const Outcome down = run("dfu-util -D in.bin");
  EXPECT_EQ(down.status, 0) << down.output;
  const Bytes all = flash(0, device_->chip().flash().bytes().size());
  EXPECT_NE(std::search(all.begin(), all.end(), image.begin(), image.end()), all.end());
}

TEST_F(DfuUtil, UnpluggedInTheMiddle) {
  plug("stm32f105,poll=0,fault=vanish@60");
  write_image("in.bin", 64 * 1024);
  const Outcome down = run("dfu-util -a 0 -s 0x08000000 -D in.bin");
  EXPECT_NE(down.status, 0) << down.output;
  EXPECT_TRUE(eventually([&] { return testbed_->device_number("1-1") == 0; }));
}

TEST_F(DfuUtil, OptionBytesAreUploaded) {
  plug("stm32f105,poll=0");
  const Outcome up = run("dfu-util -a 1 -s 0x1FFFF800:16 -U out.bin");
  EXPECT_EQ(up.status, 0) << up.output;
  const Outcome dump = run("od -An -tx1 out.bin");
  EXPECT_THAT(dump.output, HasSubstr("a5 5a ff 00")) << "RDP key with complement, PM0075 table 2";
}

}  // namespace
}  // namespace sureflash::sim
