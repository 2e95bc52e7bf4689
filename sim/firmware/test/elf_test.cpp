// Goal: an ELF file that the chip cannot start is refused with what was seen and what to do; of one
// it can start, every address has the name and the line that binutils give it.
// Method: programs of the cross compiler, right and wrong in one way each (firmware/CMake flags),
// and byte patches of the right one; names and lines compared with arm-none-eabi-nm and GDB.

#include "sureflash/sim/firmware/elf.hpp"

#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sureflash/base/text.hpp"

namespace sureflash::sim::firmware {
namespace {

using testing::HasSubstr;

std::string path(const std::string& name) {
  return std::string(SUREFLASH_FIRMWARE_DIR) + "/" + name + ".elf";
}

Bytes contents(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string output_of(const std::string& command) {
  std::string text;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  std::array<char, 256> line{};
  while (std::fgets(line.data(), line.size(), pipe) != nullptr) text += line.data();
  EXPECT_EQ(::pclose(pipe), 0) << command;
  return text;
}

void refuses(const Result<Elf>& result, Errc code, std::string_view seen, std::string_view advice) {
  ASSERT_FALSE(result.has_value()) << "expected: " << seen;
  EXPECT_EQ(result.error().code, code) << message(result.error());
  EXPECT_THAT(result.error().detail, HasSubstr(std::string(seen)));
  EXPECT_THAT(result.error().detail, HasSubstr(std::string(advice)));
}

TEST(FirmwareElf, ReadsWhatTheLinkerWrote) {
  auto elf = Elf::open(path("plain"));
  ASSERT_TRUE(elf) << message(elf.error());
  EXPECT_EQ(elf->initial_stack(), 0x20010000U);
  EXPECT_EQ(elf->segments().front().address, 0x08000000U);
  EXPECT_EQ(elf->reset(), elf->address_of("Reset_Handler"));
  EXPECT_TRUE(elf->has_symbols());
  EXPECT_TRUE(elf->has_lines());
  // The very bytes that objcopy puts into a .bin.
  const std::string bin = path("plain") + ".bin";
  output_of(std::string(SUREFLASH_ARM_OBJCOPY) + " -O binary " + path("plain") + " " + bin);
  Bytes flat(contents(bin).size(), 0);
  for (const Segment& s : elf->segments()) {
    ASSERT_LE(s.address - 0x08000000 + s.bytes.size(), flat.size());
    std::ranges::copy(s.bytes, flat.begin() + (s.address - 0x08000000));
  }
  EXPECT_EQ(flat, contents(bin));
}

TEST(FirmwareElf, SymbolsAreThoseOfNm) {
  auto elf = Elf::open(path("plain"));
  ASSERT_TRUE(elf);
  std::istringstream nm(output_of(std::string(SUREFLASH_ARM_NM) + " -S " + path("plain")));
  int compared = 0;
  for (std::string line; std::getline(nm, line);) {
    std::uint32_t address = 0, size = 0;
    char type = 0, name[200] = {};
    if (line.size() < 18 || line[17] != ' ') continue;  // a label without size
    if (std::sscanf(line.c_str(), "%x %x %c %199s", &address, &size, &type, name) != 4) continue;
    if (std::string_view("tTdDbBrR").find(type) == std::string_view::npos) continue;
    if (type == 't' || type == 'T') address &= ~1U;
    EXPECT_EQ(elf->address_of(name), address) << line;
    const Place last = elf->place(address + size - 1);
    EXPECT_EQ(last.symbol, name) << line;
    EXPECT_EQ(last.offset, size - 1) << line;
    ++compared;
  }
  EXPECT_GE(compared, 6);
}

TEST(FirmwareElf, LinesAreThoseOfGdb) {
  auto elf = Elf::open(path("plain"));
  ASSERT_TRUE(elf);
  const std::string script = testing::TempDir() + "/lines-" + std::to_string(::getpid()) + ".gdb";
  std::vector<Place> places;
  {
    std::ofstream commands(script);
    for (const char* function : {"Reset_Handler", "main", "checksum"}) {
      const std::uint32_t begin = *elf->address_of(function);
      for (std::uint32_t at = begin; elf->place(at).symbol == function; at += 2) {
        commands << "info line *" << hex(at) << "\n";
        places.push_back(elf->place(at));
      }
    }
  }
  std::istringstream gdb(
      output_of("gdb-multiarch -nx -batch -x " + script + " " + path("plain") + " 2>&1"));
  std::size_t compared = 0;
  for (std::string line; std::getline(gdb, line);) {
    ASSERT_LT(compared, places.size());
    const Place& place = places[compared++];
    const std::string expected =
        "Line " + std::to_string(place.line) + " of \"" + place.file + "\"";
    EXPECT_THAT(line, testing::StartsWith(expected)) << compared;
  }
  EXPECT_EQ(compared, places.size());
  EXPECT_GE(compared, 10U);
}

TEST(FirmwareElf, TextOfPlaces) {
  EXPECT_EQ(text({.symbol = "main", .offset = 18, .file = "a.c", .line = 4}), "main+0x12 (a.c:4)");
  EXPECT_EQ(text({.symbol = "main", .offset = 0, .file = "", .line = 0}), "main");
  EXPECT_EQ(text(0x08000200, {}), "0x08000200");
}

TEST(FirmwareElf, CppNamesAreDemangled) {
  auto elf = Elf::open(std::string(SUREFLASH_BINARY_DIR) + "/examples/vbus-dfu/vbus-dfu.elf");
  ASSERT_TRUE(elf) << message(elf.error());
  const auto at = elf->address_of("_ZN14rom_bootloader24enter_when_cable_presentEv");
  ASSERT_TRUE(at);
  EXPECT_EQ(elf->place(*at).symbol, "rom_bootloader::enter_when_cable_present()");
}

TEST(FirmwareElf, StrippedFilesRunWithoutNames) {
  auto elf = Elf::open(path("stripped"));
  ASSERT_TRUE(elf) << message(elf.error());
  EXPECT_FALSE(elf->has_symbols());
  EXPECT_FALSE(elf->has_lines());
  EXPECT_EQ(text(elf->reset(), elf->place(elf->reset())), hex(elf->reset()));
}

TEST(FirmwareElf, WhereDataEnds) {
  auto elf = Elf::open(path("plain"));
  ASSERT_TRUE(elf);
  EXPECT_EQ(elf->data_end(), *elf->address_of("counter") + 4);
}

TEST(FirmwareElf, RefusesWrongPrograms) {
  refuses(Elf::open(path("cortex-m4")), Errc::NotForThisDevice, "ARMv7E-M", "-mcpu=cortex-m3");
  refuses(Elf::open(path("cortex-a9")), Errc::NotForThisDevice, "ARMv7-A or R", "-mcpu=cortex-m3");
  refuses(Elf::open(path("at-zero")), Errc::WrongBase, "0x00000000", "set FLASH to 0x08000000");
  refuses(Elf::open(path("in-ram")), Errc::WrongBase, "0x20000000", "AT>FLASH");
  refuses(Elf::open(path("behind-loader")), Errc::VectorTableImplausible,
          "the program begins at 0x08004000", "bootloader");
  refuses(Elf::open(path("no-vectors")), Errc::VectorTableImplausible, "outside RAM",
          "put the vector table first");
  refuses(Elf::open(path("stack-outside")), Errc::VectorTableImplausible, "0x20020000",
          "outside RAM (0x20000000..0x20010000)");
  refuses(Elf::open(path("no-thumb")), Errc::VectorTableImplausible, "lacks the Thumb bit",
          ".thumb_func");
  refuses(Elf::open(path("reset-elsewhere")), Errc::VectorTableImplausible, "0x08010000",
          "startup file");
  refuses(Elf::open(path("too-large")), Errc::OutsideMemory, "the program ends at", "larger chip");
  refuses(Elf::open(path("plain") + ".o"), Errc::FileUnreadable, "", "");
  refuses(Elf::open(path("object")), Errc::FormatInvalid, "not linked", "linker script");
}

TEST(FirmwareElf, RefusesWhatIsNoArmElf) {
  const Bytes good = contents(path("plain"));
  const auto patched = [&good](std::size_t at, std::uint8_t value) {
    Bytes bytes = good;
    bytes[at] = value;
    return Elf::parse(std::move(bytes));
  };
  refuses(Elf::parse({}), Errc::FormatInvalid, "not an ELF file", ".elf");
  refuses(patched(18, 0xF3), Errc::NotForThisDevice, "RISC-V", "-mcpu=cortex-m3");
  refuses(patched(18, 62), Errc::NotForThisDevice, "x86-64", "-mcpu=cortex-m3");
  refuses(patched(18, 222), Errc::NotForThisDevice, "machine 222", "-mcpu=cortex-m3");
  refuses(patched(4, 2), Errc::FormatInvalid, "64-bit", "-mcpu=cortex-m3");
  Bytes big = good;
  big[5] = 2;
  big[18] = 0;
  big[19] = 40;
  refuses(Elf::parse(std::move(big)), Errc::NotForThisDevice, "big-endian", "-mbig-endian");
  refuses(patched(16, 3), Errc::FormatInvalid, "shared", "-no-pie");
  refuses(Elf::parse(Bytes(good.begin(), good.begin() + 40)), Errc::Truncated, "cut short", "");
  // The host's own ELF files: this test.
  refuses(Elf::open("/proc/self/exe"), Errc::NotForThisDevice, "x86-64", "-mcpu=cortex-m3");
}

TEST(FirmwareElf, AnyCutIsAnErrorOrTheSameProgram) {
  const Bytes good = contents(path("plain"));
  const auto whole = Elf::parse(good);
  ASSERT_TRUE(whole);
  for (std::size_t size = 0; size < good.size(); size += 97) {
    const auto cut = Elf::parse(Bytes(good.begin(), good.begin() + static_cast<long>(size)));
    if (cut) {
      EXPECT_EQ(cut->reset(), whole->reset()) << size;
    } else {
      EXPECT_FALSE(cut.error().detail.empty()) << size;
    }
  }
}

}  // namespace
}  // namespace sureflash::sim::firmware
