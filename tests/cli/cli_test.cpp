// Goal: what a person sees on the screen, word for word: results, plans, errors with cause and
// advice, exit codes, JSON, help. Method: the whole command in this process, in a folder with known
// files, against virtual devices in virtual time; compared with tests/golden/cli/NAME.txt.
// UPDATE_GOLDEN=1 writes them anew.

#include "cli_fixture.hpp"
#include <gmock/gmock.h>

namespace sureflash::cli {
namespace {

TEST_F(Cli, Help) {
  EXPECT_EQ(golden("help", {"--help"}).exit, 0);
}
TEST_F(Cli, HelpOfProgram) {
  EXPECT_EQ(golden("help-program", {"program", "--help"}).exit, 0);
}
TEST_F(Cli, SimList) {
  EXPECT_EQ(golden("sim-list", {"sim", "list"}).exit, 0);
}

TEST_F(Cli, Info) {
  EXPECT_EQ(golden("info", {"info", "-d", on("stm32f105")}).exit, 0);
}
TEST_F(Cli, InfoProtected) {
  EXPECT_EQ(golden("info-wrp", {"info", "-d", on("stm32f105,wrp=0-3")}).exit, 0);
  EXPECT_EQ(golden("info-rdp", {"info", "-d", on("stm32f105,rdp=1")}).exit, 0);
}
TEST_F(Cli, MapShowsWhatIsProtectedAndBlank) {
  EXPECT_EQ(golden("map", {"map", "-d", on("stm32f105,wrp=4-5,fill=app")}).exit, 0);
}
TEST_F(Cli, OptionsShow) {
  EXPECT_EQ(golden("options-show", {"options", "show", "-d", on("stm32f105,wrp=0-1")}).exit, 0);
}

TEST_F(Cli, Program) {
  EXPECT_EQ(golden("program", {"program", "app.bin", "--base", kBase, "--run", "-d",
                               on("stm32f105,poll=datasheet")})
                .exit,
            0);
}
TEST_F(Cli, ProgramJson) {
  EXPECT_EQ(golden("program-json", {"program", "app.bin", "--base", kBase, "--json", "-d",
                                    on("stm32f105,poll=datasheet")})
                .exit,
            0);
}
TEST_F(Cli, DryRunChangesNothing) {
  EXPECT_EQ(golden("program-dry-run", {"program", "app.bin", "--base", kBase, "--dry-run", "-d",
                                       on("stm32f105,state=chip")})
                .exit,
            0);
  EXPECT_EQ(command({"verify", "app.bin", "--base", kBase, "-d", on("stm32f105,state=chip")}).exit,
            9);
}

// The story, word for word.
TEST_F(Cli, StorySkeletonOld) {
  EXPECT_EQ(golden("story-old", {"program", "app-0800C000.bin", "--base", "0x0800C000", "-d",
                                 on("cubemx-skeleton,middleware=2.5.3")})
                .exit,
            8);
}
TEST_F(Cli, StorySkeletonNew) {
  EXPECT_EQ(golden("story-new", {"program", "app-0800C000.bin", "--base", "0x0800C000", "-d",
                                 on("cubemx-skeleton,middleware=2.11.3")})
                .exit,
            8);
}
TEST_F(Cli, StorySkeletonReadOnlyLayout) {
  EXPECT_EQ(golden("story-read-only-layout",
                   {"program", "app.bin", "--base", kBase, "-d", on("cubemx-skeleton")})
                .exit,
            6);
}
TEST_F(Cli, StorySkeletonWithoutLayout) {
  const std::string device = on("cubemx-skeleton,layout=media");
  EXPECT_EQ(golden("story-no-layout", {"program", "app.bin", "--base", kBase, "-d", device}).exit,
            8);
  EXPECT_EQ(golden("story-no-layout-chip",
                   {"program", "app.bin", "--base", kBase, "--chip", "stm32f105", "-d", device})
                .exit,
            8);
}

TEST_F(Cli, WriteProtected) {
  EXPECT_EQ(
      golden("program-wrp", {"program", "app.bin", "--base", kBase, "-d", on("stm32f105,wrp=0-3")})
          .exit,
      7);
}
TEST_F(Cli, ReadProtected) {
  EXPECT_EQ(
      golden("program-rdp", {"program", "app.bin", "--base", kBase, "-d", on("stm32f105,rdp=1")})
          .exit,
      7);
  EXPECT_EQ(golden("read-rdp", {"read", "out.bin", "-d", on("stm32f105,rdp=1")}).exit, 7);
}
TEST_F(Cli, LinkedForAnotherAddress) {
  EXPECT_EQ(golden("program-wrong-base",
                   {"program", "app-08008000.bin", "--base", kBase, "-d", on("stm32f105")})
                .exit,
            6);
}
TEST_F(Cli, LargerThanFlash) {
  EXPECT_EQ(golden("program-too-large",
                   {"program", "too-large.bin", "--base", kBase, "-d", on("stm32f105")})
                .exit,
            6);
}
TEST_F(Cli, ImplausibleVectors) {
  EXPECT_EQ(golden("program-no-stack",
                   {"program", "no-stack.bin", "--base", kBase, "-d", on("stm32f105")})
                .exit,
            6);
  EXPECT_EQ(golden("program-no-thumb",
                   {"program", "no-thumb.bin", "--base", kBase, "-d", on("stm32f105")})
                .exit,
            6);
}
TEST_F(Cli, FilesThatCannotBeRight) {
  EXPECT_EQ(golden("program-truncated", {"program", "truncated.hex", "-d", on("stm32f105")}).exit,
            6);
  EXPECT_EQ(golden("program-overlap", {"program", "overlap.hex", "-d", on("stm32f105")}).exit, 6);
  EXPECT_EQ(golden("program-empty", {"program", "empty.hex", "-d", on("stm32f105")}).exit, 6);
  EXPECT_EQ(golden("program-missing", {"program", "missing.hex", "-d", on("stm32f105")}).exit, 6);
  EXPECT_EQ(golden("program-needs-base", {"program", "app.bin", "-d", on("stm32f105")}).exit, 2);
}

TEST_F(Cli, ADeviceThatVanishesAndTheSameCommandAgain) {
  const std::string device = "stm32f105,state=chip,poll=datasheet";
  EXPECT_EQ(golden("program-vanish",
                   {"program", "app.bin", "--base", kBase, "-d", on(device + ",fault=vanish@70")})
                .exit,
            8);
  EXPECT_EQ(command({"program", "app.bin", "--base", kBase, "-d", on(device)}).exit, 0);
  EXPECT_EQ(command({"verify", "app.bin", "--base", kBase, "-d", on(device)}).exit, 0);
}

TEST_F(Cli, APowerCutAndTheSameCommandAgain) {
  const std::string device = "stm32f105,state=chip,poll=datasheet";
  EXPECT_EQ(golden("program-power-cut", {"program", "app.bin", "--base", kBase, "-d",
                                         on(device + ",fault=cut-during@1500")})
                .exit,
            8);
  EXPECT_EQ(command({"program", "app.bin", "--base", kBase, "-d", on(device)}).exit, 0);
}

TEST_F(Cli, TheExampleThatErasesEverything) {
  EXPECT_EQ(
      golden("program-erases-everything", {"program", "app-08008000.bin", "--base", "0x08008000",
                                           "-d", on("st-f107-example,fill=noise")})
          .exit,
      0);
}

TEST_F(Cli, ATraceThatCannotBeWrittenIsNoFailureButSaid) {
  const auto run = command({"info", "-d", "sim:stm32f105", "--trace", "/dev/full"});
  EXPECT_EQ(run.exit, 0);
  EXPECT_THAT(run.err, testing::HasSubstr("warning: /dev/full"));
  EXPECT_THAT(run.err, testing::HasSubstr("the trace ends there"));
  EXPECT_EQ(run.err.find("/dev/full"), run.err.rfind("/dev/full")) << "once";
}

TEST_F(Cli, Verify) {
  const std::string device = on("stm32f105,state=chip");
  EXPECT_EQ(golden("verify-differs", {"verify", "app.bin", "--base", kBase, "-d", device}).exit, 9);
  EXPECT_EQ(command({"program", "app.bin", "--base", kBase, "-d", device}).exit, 0);
  EXPECT_EQ(golden("verify-equal", {"verify", "app.bin", "--base", kBase, "-d", device}).exit, 0);
  EXPECT_EQ(
      golden("read", {"read", "back.bin", "--address", kBase, "--size", "5000", "-d", device}).exit,
      0);
  std::ifstream a("app.bin", std::ios::binary);
  std::ifstream b("back.bin", std::ios::binary);
  EXPECT_EQ(std::string((std::istreambuf_iterator<char>(a)), {}),
            std::string((std::istreambuf_iterator<char>(b)), {}));
}

TEST_F(Cli, Erase) {
  EXPECT_EQ(golden("erase-sectors", {"erase", "3", "5..6", "-d", on("stm32f105,fill=noise")}).exit,
            0);
  EXPECT_EQ(
      golden("erase-range", {"erase", "0x08001000..0x08001001", "-d", on("stm32f105,fill=noise")})
          .exit,
      0);
  EXPECT_EQ(golden("erase-all", {"erase", "--all", "--yes", "-d", on("stm32f105,fill=noise")}).exit,
            0);
  EXPECT_EQ(golden("erase-nothing", {"erase", "-d", on("stm32f105")}).exit, 2);
  EXPECT_EQ(golden("erase-outside", {"erase", "128", "-d", on("stm32f105")}).exit, 6);
}

TEST_F(Cli, Image) {
  EXPECT_EQ(golden("image-info", {"image", "info", "app.bin", "--base", kBase}).exit, 0);
  EXPECT_EQ(
      golden("image-convert", {"image", "convert", "app.bin", "app.hex", "--base", kBase}).exit, 0);
  EXPECT_EQ(golden("image-info-hex", {"image", "info", "app.hex", "--json"}).exit, 0);
  EXPECT_EQ(command({"image", "convert", "app.bin", "app.dfuse", "--base", kBase, "--usb-id",
                     "0483:df11"})
                .exit,
            0);
  // DFU 1.1, appendix B: bcdDevice, idProduct, idVendor at the start of the suffix.
  EXPECT_EQ(file_tail("app.dfuse", 16).substr(2, 4), "\x11\xDF\x83\x04");
  EXPECT_EQ(golden("image-convert-usb-id",
                   {"image", "convert", "app.bin", "app.dfuse", "--base", kBase, "--usb-id", "x"})
                .exit,
            2);
  EXPECT_EQ(golden("image-convert-unknown", {"image", "convert", "app.hex", "app.xyz"}).exit, 6);
}

TEST_F(Cli, UsageErrors) {
  EXPECT_EQ(golden("usage-none", {}).exit, 2);
  EXPECT_EQ(golden("usage-unknown", {"frobnicate"}).exit, 2);
  EXPECT_EQ(golden("usage-profile", {"info", "-d", "sim:stm32x"}).exit, 2);
  EXPECT_EQ(golden("usage-key", {"info", "-d", "sim:stm32f105,colour=red"}).exit, 2);
  EXPECT_EQ(golden("usage-chip", {"info", "--chip", "z80", "-d", "sim:stm32f105"}).exit, 2);
}

TEST_F(Cli, ManualAndCompletionNameEveryCommand) {
  const std::string manual = command({"man"}).out;
  for (const char* word :
       {".SS list", ".SS program", ".SS image convert", "\\-\\-dry\\-run", "EXIT STATUS"}) {
    EXPECT_NE(manual.find(word), std::string::npos) << word;
  }
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = command({"completion", shell}).out;
    for (const char* word : {"program", "convert", "dry-run", "device"}) {
      EXPECT_NE(script.find(word), std::string::npos) << shell << " " << word;
    }
  }
}

}  // namespace
}  // namespace sureflash::cli
