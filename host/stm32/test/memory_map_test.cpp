// Goal: every layout string that a real device was seen to send is understood (dfuse.md 2.11, all
// 56 rows), and nothing else slips through. Method: the strings with the sectors they mean, written
// down run by run; then malformed ones.

#include "sureflash/stm32/memory_map.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace sureflash::stm32 {
namespace {

struct SeenRun {
  std::uint64_t begin;
  std::uint64_t count;
  std::uint64_t sector_size;
  char type;
};

struct Row {
  int number;
  std::string_view layout;
  std::string_view name;
  /// Empty: not a layout at all.
  std::vector<SeenRun> runs;
};

const std::vector<Row> kSeen = {
    // clang-format off
    {1, R"(@Internal Flash  /0x08000000/128*002Kg)", "Internal Flash", {{0x08000000, 128, 2048, 'g'}}},
    {2, R"(@Option Bytes  /0x1FFFF800/01*016 g)", "Option Bytes", {{0x1FFFF800, 1, 16, 'g'}}},
    {3, R"(@Option Bytes  /0x1FFFF800/01*016 e)", "Option Bytes", {{0x1FFFF800, 1, 16, 'e'}}},
    {4, R"(@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg)", "Internal Flash", {{0x08000000, 4, 16384, 'g'}, {0x08010000, 1, 65536, 'g'}, {0x08020000, 7, 131072, 'g'}}},
    {5, R"(@Option Bytes  /0x1FFFC000/01*016 g)", "Option Bytes", {{0x1FFFC000, 1, 16, 'g'}}},
    {6, R"(@OTP Memory /0x1FFF7800/01*512 g,01*016 g)", "OTP Memory", {{0x1FFF7800, 1, 512, 'g'}, {0x1FFF7A00, 1, 16, 'g'}}},
    {7, R"(@Device Feature/0xFFFF0000/01*004 g)", "Device Feature", {{0xFFFF0000, 1, 4, 'g'}}},
    {8, R"(@Device Feature/0xFFFF0000/01*004 e)", "Device Feature", {{0xFFFF0000, 1, 4, 'e'}}},
    {9, R"(@Internal Flash  /0x08000000/04*016Kg,01*064Kg,03*128Kg)", "Internal Flash", {{0x08000000, 4, 16384, 'g'}, {0x08010000, 1, 65536, 'g'}, {0x08020000, 3, 131072, 'g'}}},
    {10, R"(@Internal Flash  /0x08000000/04*016Kg,01*064Kg,011*128Kg)", "Internal Flash", {{0x08000000, 4, 16384, 'g'}, {0x08010000, 1, 65536, 'g'}, {0x08020000, 11, 131072, 'g'}}},
    {11, R"(@Internal Flash  /0x08000000/128*0002Kg)", "Internal Flash", {{0x08000000, 128, 2048, 'g'}}},
    {12, R"(@Internal Flash  /0x08000000/064*0002Kg)", "Internal Flash", {{0x08000000, 64, 2048, 'g'}}},
    {13, R"(@Internal Flash  /0x08000000/032*0001Kg)", "Internal Flash", {{0x08000000, 32, 1024, 'g'}}},
    {14, R"(@Internal Flash  /0x08000000/04*016Kg,01*64Kg,03*128Kg)", "Internal Flash", {{0x08000000, 4, 16384, 'g'}, {0x08010000, 1, 65536, 'g'}, {0x08020000, 3, 131072, 'g'}}},
    {15, R"(@Internal Flash  /0x08000000/04*032Kg,01*128Kg,03*256Kg)", "Internal Flash", {{0x08000000, 4, 32768, 'g'}, {0x08020000, 1, 131072, 'g'}, {0x08040000, 3, 262144, 'g'}}},
    {16, R"(@Internal Flash   /0x08000000/16*128Kg)", "Internal Flash", {{0x08000000, 16, 131072, 'g'}}},
    {17, R"(@Option Bytes   /0x5200201C/01*128 e)", "Option Bytes", {{0x5200201C, 1, 128, 'e'}}},
    {18, R"(@OTP Memory   /0x08FFF000/01*1024 e)", "OTP Memory", {{0x08FFF000, 1, 1024, 'e'}}},
    {19, R"(@Option Bytes   /0x5200201C/01*297 e)", "Option Bytes", {{0x5200201C, 1, 297, 'e'}}},
    {20, R"(@Internal Flash  /0x08000000/0256*0002Kg)", "Internal Flash", {{0x08000000, 256, 2048, 'g'}}},
    {21, R"(@Option Bytes  /0x1FFF7800/01*040 e)", "Option Bytes", {{0x1FFF7800, 1, 40, 'e'}}},
    {22, R"(@OTP Memory /0x1FFF7000/01*0001Ke)", "OTP Memory", {{0x1FFF7000, 1, 1024, 'e'}}},
    {23, R"(@Internal Flash  /0x08000000/512*0004Kg)", "Internal Flash", {{0x08000000, 512, 4096, 'g'}}},
    {24, R"(@Option Bytes  /0x1FF00000/01*040 e/0x1FF01000/01*040 e)", "Option Bytes", {{0x1FF00000, 1, 40, 'e'}, {0x1FF01000, 1, 40, 'e'}}},
    {25, R"(@Internal Flash  /0x08000000/1536*128g)", "Internal Flash", {{0x08000000, 1536, 128, 'g'}}},
    {26, R"(@DATA Memory /0x08080000/2*3Ke)", "DATA Memory", {{0x08080000, 2, 3072, 'e'}}},
    {27, R"(@DATA Memory /0x08080000/02*004Ke)", "DATA Memory", {{0x08080000, 2, 4096, 'e'}}},
    {28, R"(@Option Bytes  /0x1FF80000/01*032 e)", "Option Bytes", {{0x1FF80000, 1, 32, 'e'}}},
    {29, R"(@Internal Flash   /0x08000000/256*02Kg)", "Internal Flash", {{0x08000000, 256, 2048, 'g'}}},
    {30, R"(@Option Bytes   /0x1FFF7800/01*048 e/0x1FFFF800/01*048 e)", "Option Bytes", {{0x1FFF7800, 1, 48, 'e'}, {0x1FFFF800, 1, 48, 'e'}}},
    {31, R"(@OTP Memory   /0x1FFF7000/01*1024 e)", "OTP Memory", {{0x1FFF7000, 1, 1024, 'e'}}},
    {32, R"(@Internal Flash   /0x08000000/256*08Kg)", "Internal Flash", {{0x08000000, 256, 8192, 'g'}}},
    {33, R"(@Option Bytes   /0x40022040/01*64 e)", "Option Bytes", {{0x40022040, 1, 64, 'e'}}},
    {33, R"(@OTP Memory   /0x0BFA0000/01*512 e)", "OTP Memory", {{0x0BFA0000, 1, 512, 'e'}}},
    {34, R"(@Internal Flash   /0x08000000/03*016Ka,01*016Kg,01*064Kg,07*128Kg,04*016Kg,01*064Kg,07*128Kg)", "Internal Flash", {{0x08000000, 3, 16384, 'a'}, {0x0800C000, 1, 16384, 'g'}, {0x08010000, 1, 65536, 'g'}, {0x08020000, 7, 131072, 'g'}, {0x08100000, 4, 16384, 'g'}, {0x08110000, 1, 65536, 'g'}, {0x08120000, 7, 131072, 'g'}}},
    {35, R"(DFU MEDIA)", "", {}},
    {36, R"(@Internal Flash   /0x08000000/10*02Ka,118*02Kg)", "Internal Flash", {{0x08000000, 10, 2048, 'a'}, {0x08005000, 118, 2048, 'g'}}},
    {37, R"(@Internal Flash   /0x08000000/10*02Ka,502*02Kg)", "Internal Flash", {{0x08000000, 10, 2048, 'a'}, {0x08005000, 502, 2048, 'g'}}},
    {38, R"(@Internal Flash  /0x08000000/12*001Ka,116*001Kg)", "Internal Flash", {{0x08000000, 12, 1024, 'a'}, {0x08003000, 116, 1024, 'g'}}},
    {39, R"(@SPI Flash : M25P64/0x00000000/64*064Kg,64*064Kg)", "SPI Flash : M25P64", {{0x00000000, 64, 65536, 'g'}, {0x00400000, 64, 65536, 'g'}}},
    {39, R"(@SPI Flash : M25P64/0x00000000/128*64Kg)", "SPI Flash : M25P64", {{0x00000000, 128, 65536, 'g'}}},
    {40, R"(@Internal Flash  /0x08000000/20*001Ka,108*001Kg)", "Internal Flash", {{0x08000000, 20, 1024, 'a'}, {0x08005000, 108, 1024, 'g'}}},
    {40, R"(@SPI Flash : SST25x/0x00000000/512*04Kg)", "SPI Flash : SST25x", {{0x00000000, 512, 4096, 'g'}}},
    {41, R"(@Serial Flash   /0x00000000/256*004Kg)", "Serial Flash", {{0x00000000, 256, 4096, 'g'}}},
    {42, R"(@Internal Flash   /0x08000000/8*001Ka,56*001Kg)", "Internal Flash", {{0x08000000, 8, 1024, 'a'}, {0x08002000, 56, 1024, 'g'}}},
    {42, R"(@Internal Flash   /0x08000000/8*001Ka,120*001Kg)", "Internal Flash", {{0x08000000, 8, 1024, 'a'}, {0x08002000, 120, 1024, 'g'}}},
    {43, R"(@Internal Flash  /0x08000000/512*002Kg)", "Internal Flash", {{0x08000000, 512, 2048, 'g'}}},
    {44, R"(@Internal Flash  /0x08000000/ 128*1Kg)", "Internal Flash", {{0x08000000, 128, 1024, 'g'}}},
    {45, R"(@Option byte   /0x1FFFF800/01*512g)", "Option byte", {{0x1FFFF800, 1, 512, 'g'}}},
    {45, R"(@Option Byte   /0x1FFFF800/02*016 e)", "Option Byte", {{0x1FFFF800, 2, 16, 'e'}}},
    {46, R"(@Internal Flash   /0x08000000/08*04Ka,1000*04Kg)", "Internal Flash", {{0x08000000, 8, 4096, 'a'}, {0x08008000, 1000, 4096, 'g'}}},
    {47, R"(@Option byte   /0x1FFFC000/01*4096 g)", "Option byte", {{0x1FFFC000, 1, 4096, 'g'}}},
    {47, R"(@Option byte   /0x1FFFC000/01*512 g)", "Option byte", {{0x1FFFC000, 1, 512, 'g'}}},
    {48, R"(@Flash/0x90000000/08*004Kg,01*032Kg,63*064Kg/0x90430000/61*064Kg)", "Flash", {{0x90000000, 8, 4096, 'g'}, {0x90008000, 1, 32768, 'g'}, {0x90010000, 63, 65536, 'g'}, {0x90430000, 61, 65536, 'g'}}},
    {49, R"(@Flash/0x90030000/61*064Kg,64*064Kg)", "Flash", {{0x90030000, 61, 65536, 'g'}, {0x90400000, 64, 65536, 'g'}}},
    {49, R"(@SRAM/0x20000000/01*252Ke)", "SRAM", {{0x20000000, 1, 258048, 'e'}}},
    {50, R"(@Flash /0x90000000/64*4Kg/0x90040000/60*64Kg)", "Flash", {{0x90000000, 64, 4096, 'g'}, {0x90040000, 60, 65536, 'g'}}},
    {51, R"(@External Flash /0x90000000/998*128Kg,1*128Kg,4*128Kg,21*128Ka)", "External Flash", {{0x90000000, 998, 131072, 'g'}, {0x97CC0000, 1, 131072, 'g'}, {0x97CE0000, 4, 131072, 'g'}, {0x97D60000, 21, 131072, 'a'}}},
    {52, R"(@External Flash /0x90000000/1001*128Kg,3*128Kg,20*128Ka)", "External Flash", {{0x90000000, 1001, 131072, 'g'}, {0x97D20000, 3, 131072, 'g'}, {0x97D80000, 20, 131072, 'a'}}},
    {53, R"(@Internal Flash  /0x08000000/???*08Kg)", "", {}},
    {54, R"(@Internal Flash /0x08000000/64*08Kg)", "Internal Flash", {{0x08000000, 64, 8192, 'g'}}},
    {55, R"(@Internal Flash  /0x8000000/128*1Kg)", "Internal Flash", {{0x08000000, 128, 1024, 'g'}}},
    {56, R"(@Internal Flash /0x80020000/1016*16Kg)", "Internal Flash", {{0x80020000, 1016, 16384, 'g'}}},
    {56, R"(@Option bytes /0x00000000/01*512 g)", "Option bytes", {{0x00000000, 1, 512, 'g'}}},
    // clang-format on
};

Access access(char type) {
  switch (type) {
    case 'a':
      return {true, false, false};
    case 'b':
      return {false, true, false};
    case 'c':
      return {true, true, false};
    case 'd':
      return {false, false, true};
    case 'e':
      return {true, false, true};
    case 'f':
      return {false, true, true};
    default:
      return {true, true, true};
  }
}

TEST(Layout, EveryStringThatWasSeenIsUnderstood) {
  for (const Row& row : kSeen) {
    SCOPED_TRACE(testing::Message() << "no. " << row.number << " " << row.layout);
    const auto map = parse_layout(row.layout);
    ASSERT_EQ(map.has_value(), !row.runs.empty());
    if (!map) continue;
    EXPECT_EQ(map->name(), row.name);
    ASSERT_EQ(map->runs().size(), row.runs.size());
    for (std::size_t i = 0; i < row.runs.size(); ++i) {
      const SeenRun& expected = row.runs[i];
      const SectorRun& run = map->runs()[i];
      EXPECT_EQ(run.range,
                AddressRange::sized(expected.begin, expected.count * expected.sector_size));
      EXPECT_EQ(run.sector_size, expected.sector_size);
      EXPECT_EQ(run.count(), expected.count);
      EXPECT_EQ(run.access, access(expected.type));
    }
  }
}

TEST(Layout, AllRowsAreHere) {
  for (int number = 1; number <= 56; ++number) {
    EXPECT_TRUE(std::ranges::any_of(kSeen, [&](const Row& r) { return r.number == number; }))
        << "no. " << number;
  }
}

TEST(Layout, ToleratesBlanksAndNuls) {
  using namespace std::string_view_literals;
  const auto expected = parse_layout("@Internal Flash/0x08000000/128*2Kg");
  ASSERT_TRUE(expected);
  for (const auto same :
       {"@Internal Flash   /0x08000000/128*2Kg   "sv, "@Internal Flash /0x08000000/128*2Kg\0\0"sv,
        "@Internal Flash/0X8000000/0128*0002Kg"sv, " @Internal Flash / 0x08000000 / 128 * 2Kg"sv}) {
    EXPECT_EQ(parse_layout(same).value(), *expected) << same;
  }
  EXPECT_EQ(parse_layout("@F/0x0/2*4Bg").value(), parse_layout("@F/0x0/2*4 g").value());
  EXPECT_EQ(parse_layout("@F/0x0/2*4g").value(), parse_layout("@F/0x0/2*4 g").value());
}

TEST(Layout, RejectsWhatMeansNothing) {
  for (const auto bad : {"@",
                         "@Flash",
                         "@Flash/",
                         "@Flash/0x",
                         "@Flash/0x08000000",
                         "@Flash/0x08000000/",
                         "@Flash/0x08000000/0*2Kg",
                         "@Flash/0x08000000/2*0Kg",
                         "@Flash/0x08000000/2*2Kh",
                         "@Flash/0x08000000/2*2KG",
                         "@Flash/0x08000000/2*2K",
                         "@Flash/0x08000000/2*2Kg,",
                         "@Flash/0x08000000/2*2Kg;",
                         "@Flash/0x108000000/2*2Kg",
                         "@Flash/0xFFFFF000/2*4Kg",
                         "@Flash/0x08000000/10000*2Kg",
                         "@Flash/0x08000000/1*99999Kg",
                         "@Flash/8000000/2*2Kg",
                         "@Flash/0x0/1*2Kg/0x400/1*2Kg",
                         "@Flash/0x08000000/9999*9999Mg"}) {
    const auto map = parse_layout(bad);
    ASSERT_FALSE(map) << bad;
    EXPECT_EQ(map.error().code, Errc::BadLayout) << bad;
  }
  EXPECT_EQ(parse_layout("DFU MEDIA").error().code, Errc::NoLayout);
  EXPECT_EQ(parse_layout("").error().code, Errc::NoLayout);
}

TEST(Layout, AnEndAtTheTopOfTheAddressSpaceFits) {
  const auto map = parse_layout("@F/0xFFFF0000/64*1Kg");
  ASSERT_TRUE(map);
  EXPECT_EQ(map->bounds().end, 0x1'0000'0000U);
}

TEST(Layout, SaysWhereItWentWrong) {
  EXPECT_EQ(parse_layout("@F/0x08000000/2*2Kz").error().detail,
            "access letter a to g expected at character 19 of \"@F/0x08000000/2*2Kz\"");
}

TEST(MemoryMap, FindsSectorsOfARange) {
  const auto map = parse_layout("@F/0x08000000/04*016Kg,01*064Kg,07*128Kg");
  ASSERT_TRUE(map);
  // An inclusive end would pick one sector too many, or too few.
  EXPECT_EQ(map->sectors({0x08000000, 0x08004000}).size(), 1U);
  EXPECT_EQ(map->sectors({0x08000000, 0x08004001}).size(), 2U);
  EXPECT_EQ(map->sectors({0x08003FFF, 0x08004000}).size(), 1U);
  const auto sectors = map->sectors({0x0800FFFF, 0x08020001});
  ASSERT_EQ(sectors.size(), 3U);
  EXPECT_EQ(sectors[0], AddressRange::sized(0x0800C000, 16 * 1024));
  EXPECT_EQ(sectors[1], AddressRange::sized(0x08010000, 64 * 1024));
  EXPECT_EQ(sectors[2], AddressRange::sized(0x08020000, 128 * 1024));
}

TEST(MemoryMap, KnowsWhatIsMissing) {
  const auto map = parse_layout("@F/0x08000000/10*02Ka,118*02Kg");
  ASSERT_TRUE(map);
  EXPECT_EQ(map->first_without({0x08004000, 0x08006000}, &Access::writable), 0x08004000U);
  EXPECT_EQ(map->first_without({0x08005000, 0x08006000}, &Access::writable), std::nullopt);
  EXPECT_FALSE(map->contains({0x0803FFFF, 0x08040001}));
  EXPECT_TRUE(map->contains({0x08000000, 0x08040000}));
}

}  // namespace
}  // namespace sureflash::stm32
