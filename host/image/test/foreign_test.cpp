// Goal: programs nobody here wrote (srecord, GNU binutils, dfu-util) read what we write, and we
// read what they write. Method: each runs on files in a temporary directory; what comes out is
// compared byte for byte. A missing program is a failure: the programs are part of the build
// environment.

#include "binary_files.hpp"
#include <sys/wait.h>

#include "sureflash/image/image.hpp"

namespace sureflash::image {
namespace {

using namespace test;

constexpr unsigned kSeeds = 8;

class Foreign : public testing::Test {
 protected:
  /// Runs a shell command in the directory. Its output becomes part of a failure.
  void run(const std::string& command) {
    const std::string log = directory_ / "log";
    const int status =
        std::system(("cd '" + (directory_ / ".") + "' && (" + command + ") >log 2>&1").c_str());
    const Bytes output = read_file(log);
    output_.assign(output.begin(), output.end());
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << command << "\n" << output_;
  }
  void put(std::string_view file, const Bytes& data) { write_file(directory_ / file, data); }
  void put(std::string_view file, Format format, const Image& image,
           const WriteOptions& options = {}) {
    put(file, value(write(format, image, options)));
  }
  Image get(std::string_view file, Format format, const ReadOptions& options = {}) {
    return value(read(format, read_file(directory_ / file), options));
  }

  TemporaryDirectory directory_;
  /// Of the last command.
  std::string output_;
};

class ForeignSeeds : public Foreign, public testing::WithParamInterface<unsigned> {
 protected:
  Image image() const {
    std::mt19937 random(GetParam());
    return random_image(random);
  }
};
INSTANTIATE_TEST_SUITE_P(Seed, ForeignSeeds, testing::Range(0U, kSeeds));

TEST_P(ForeignSeeds, SrecCatReadsOurHexAndSRecords) {
  put("ours.hex", Format::IntelHex, image());
  put("ours.srec", Format::SRecord, image(), {.line_bytes = 32});
  run("srec_cmp ours.hex -intel ours.srec -motorola && "
      "srec_cat ours.hex -intel -o theirs.srec -motorola && "
      "srec_cat ours.srec -motorola -o theirs.hex -intel");
  EXPECT_EQ(segments(get("theirs.srec", Format::SRecord)), segments(image()));
  EXPECT_EQ(segments(get("theirs.hex", Format::IntelHex)), segments(image()));
}

TEST_P(ForeignSeeds, WeReadEveryDialectOfSrecCat) {
  put("ours.hex", Format::IntelHex, image());
  run("for n in 2 3 4; do srec_cat ours.hex -intel -o $n.srec -motorola -address-length=$n "
      "2>/dev/null || "
      "rm -f $n.srec; done; "
      "srec_cat ours.hex -intel -o crlf.hex -intel -line-length=60 "
      "-line-termination=carriage-return-line-feed && "
      "srec_cat ours.hex -intel -o cr.srec -motorola -line-termination=carriage-return && "
      "srec_cat ours.hex -intel -o open.srec -motorola -disable=exec-start-address && "
      "srec_cat ours.hex -intel -o headless.srec -motorola -disable=header -disable=data-count "
      "-execution-start-address=0x1234 && "
      "test -f 4.srec");
  EXPECT_EQ(segments(get("4.srec", Format::SRecord)), segments(image()));
  EXPECT_EQ(segments(get("crlf.hex", Format::IntelHex)), segments(image()));
  EXPECT_EQ(segments(get("cr.srec", Format::SRecord)), segments(image()));
  EXPECT_EQ(segments(get("open.srec", Format::SRecord)), segments(image()));
  EXPECT_EQ(segments(get("headless.srec", Format::SRecord)), segments(image()));
}

TEST_P(ForeignSeeds, ObjcopyReadsOurHexAndSRecords) {
  put("ours.hex", Format::IntelHex, image());
  put("ours.srec", Format::SRecord, image());
  put("ours.bin", Format::Binary, image(), {.fill = 0xFF});
  run("arm-none-eabi-objcopy -I ihex -O binary --gap-fill 0xFF ours.hex hex.bin && cmp hex.bin "
      "ours.bin && "
      "arm-none-eabi-objcopy -I srec -O binary --gap-fill 0xFF ours.srec srec.bin && cmp srec.bin "
      "ours.bin && "
      "arm-none-eabi-objcopy -I ihex -O ihex ours.hex theirs.hex && "
      "arm-none-eabi-objcopy -I ihex -O srec ours.hex theirs.srec");
  EXPECT_EQ(segments(get("theirs.hex", Format::IntelHex)), segments(image()));
  EXPECT_EQ(segments(get("theirs.srec", Format::SRecord)), segments(image()));
}

TEST_P(ForeignSeeds, DfuSuffixAcceptsOursAndWeAcceptIts) {
  const DfuIds ids{0x0483, 0xDF11, 0x0123};
  put("ours.dfu", Format::Dfu, image(), {.ids = ids});
  put("ours.dfuse", Format::DfuSe, image(), {.ids = ids});
  put("raw.bin", Format::Binary, image());
  run("dfu-suffix -c ours.dfu && dfu-suffix -c ours.dfuse && cp raw.bin theirs.dfu && "
      "dfu-suffix -v 0483 -p df11 -d 0123 -a theirs.dfu && cmp theirs.dfu ours.dfu");
  const auto base = static_cast<std::uint32_t>(image().bounds().begin);
  EXPECT_EQ(get("theirs.dfu", Format::Dfu, {.base = base}).ids, ids);
}

TEST_P(ForeignSeeds, DfusePackUnpacksOursByteForByte) {
  Image ours = image();
  ours.name = "Internal Flash";
  put("ours.dfu", Format::DfuSe, ours, {.ids = DfuIds{0x0483, 0xDF11, 0xFFFF}, .alt_setting = 2});
  run("dfuse-pack -d ours.dfu");
  EXPECT_NE(output_.find("usb: 0483:df11"), std::string::npos) << output_;
  EXPECT_NE(output_.find("alt setting: 2"), std::string::npos) << output_;
  EXPECT_NE(output_.find("Internal Flash"), std::string::npos) << output_;
  EXPECT_EQ(output_.find("CRC mismatch"), std::string::npos) << output_;
  for (std::size_t i = 0; i < ours.segments().size(); ++i) {
    EXPECT_EQ(read_file(directory_ / ("ours.dfu.target0.image" + std::to_string(i) + ".bin")),
              ours.segments()[i].data);
  }
}

TEST_F(Foreign, WeReadWhatDfusePackPacks) {
  put("a.bin", counting(1000));
  put("b.bin", counting(16, 7));
  run("dfuse-pack -b 0x08004000:a.bin -b 0x1FFFF800@1:b.bin -D 0x1209:0x0001 theirs.dfu");
  const Image image = get("theirs.dfu", Format::DfuSe);
  EXPECT_EQ(segments(image),
            (std::vector<Segment>{{0x0800'4000, counting(1000)}, {0x1FFF'F800, counting(16, 7)}}));
  EXPECT_EQ(image.alt_settings, (std::vector<std::uint8_t>{0, 1}));
  EXPECT_EQ(image.ids->idVendor, 0x1209);
  EXPECT_EQ(image.ids->idProduct, 0x0001);
  EXPECT_TRUE(image.warnings.empty()) << image.warnings[0];
}

/// Code, data that is copied to RAM at start, .bss, and option bytes, as a linker lays them out.
constexpr std::string_view kProgram = R"(
  .syntax unified
  .thumb
  .section .text
  .global _start
  .word 0x20010000, _start + 1
  .thumb_func
_start: b .
  .ascii "code"
  .data
  .ascii "initialised data"
  .bss
  .space 1000
  .section .options, "a"
  .hword 0x5AA5, 0x00FF
)";
constexpr std::string_view kScript = R"(
  MEMORY { FLASH : ORIGIN = 0x08000000, LENGTH = 256K
           RAM : ORIGIN = 0x20000000, LENGTH = 64K
           OPTIONS : ORIGIN = 0x1FFFF800, LENGTH = 16 }
  ENTRY(_start)
  SECTIONS { .text : { *(.text) } > FLASH
             .data : { *(.data) } > RAM AT> FLASH
             .bss (NOLOAD) : { *(.bss) } > RAM
             .options : { *(.options) } > OPTIONS }
)";

TEST_F(Foreign, LinkedProgramsAreReadAsObjcopyReadsThem) {
  put("program.s", bytes(kProgram));
  put("program.ld", bytes(kScript));
  run("arm-none-eabi-as -mcpu=cortex-m3 program.s -o program.o && "
      "arm-none-eabi-ld -n -T program.ld program.o -o program.elf && "
      "arm-none-eabi-objcopy -O ihex program.elf theirs.hex && "
      "arm-none-eabi-objcopy -O srec program.elf theirs.srec && "
      "arm-none-eabi-objcopy -O binary -j .text -j .data program.elf theirs.bin");
  const Image image = get("program.elf", Format::Elf);
  EXPECT_EQ(segments(image), segments(get("theirs.hex", Format::IntelHex)));
  EXPECT_EQ(segments(image), segments(get("theirs.srec", Format::SRecord)));
  ASSERT_EQ(image.segments().size(), 2U) << "flash and option bytes, nothing in RAM";
  EXPECT_EQ(image.segments()[0].data, read_file(directory_ / "theirs.bin"));
  EXPECT_EQ(image.segments()[1].address, 0x1FFF'F800U);
  EXPECT_EQ(image.entry, 0x0800'0009U);
  EXPECT_EQ(get("theirs.hex", Format::IntelHex).entry, image.entry);
  EXPECT_EQ(get("theirs.srec", Format::SRecord).entry, image.entry);
  EXPECT_TRUE(image.warnings.empty());
  run("arm-none-eabi-objcopy -S program.elf stripped.elf");
  EXPECT_EQ(segments(get("stripped.elf", Format::Elf)), segments(image));
}

TEST_F(Foreign, AnObjectFileIsNotAProgram) {
  put("program.s", bytes(kProgram));
  run("arm-none-eabi-as -mcpu=cortex-m3 program.s -o program.o");
  EXPECT_TRUE(fails(read(Format::Elf, read_file(directory_ / "program.o")), Errc::EmptyImage,
                    "object file"));
}

TEST_F(Foreign, HeadersSweptInByTheLinkerAreNoticed) {
  // Pages of 64 KiB and code at a start inside one: ld fills the page from the beginning of the
  // file.
  put("program.s", bytes(".syntax unified\n.thumb\n.global _start\n_start: b .\n"));
  run("arm-none-eabi-as -mcpu=cortex-m3 program.s -o program.o && "
      "arm-none-eabi-ld -z max-page-size=0x10000 -Ttext=0x08004000 program.o -o program.elf");
  const Image image = get("program.elf", Format::Elf);
  EXPECT_LT(image.bounds().begin, 0x0800'4000U);
  EXPECT_TRUE(warns(image, "begins with the headers of the ELF file"));
}

}  // namespace
}  // namespace sureflash::image
