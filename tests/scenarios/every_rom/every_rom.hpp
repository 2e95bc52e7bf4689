#pragma once

#include <algorithm>
#include <cctype>

#include "../scenario.hpp"
#include <fmt/format.h>

#include "sureflash/proto/dfuse.hpp"

/// The programming path on the ROM of every line of chips, so that a fix for one that breaks
/// another cannot pass. A subject is a suite of its own:
///
///     class Waiting : public EveryRom {};
///     INSTANTIATE_TEST_SUITE_P(Rom, Waiting, testing::ValuesIn(every_rom()), test_name);
///     TEST_P(Waiting, AStrictDeviceIsNeverStalled) { … }
namespace sureflash::scenarios {

inline constexpr std::uint32_t kBase = 0x08000000;

/// Every line and clone, and what else runs ST's code or passes for it.
inline std::vector<std::string> every_rom() {
  std::vector<std::string> specs(sim::chip_profiles().begin(), sim::chip_profiles().end());
  for (const char* more :
       {"stm32f105,rom=2.0", "stm32f105,rom=2.1", "stm32f105,usb-id=28e9:0189",
        "stm32f105,usb-id=2e3c:df11", "stm32f405,usb-id=2e3c:df11", "stm32f405,rom-id=1",
        "stm32f405,clr-status=stalls", "gd32vf103,variant=1", "at32f415,unprotect=idle-resets",
        "stm32wb30,ob-read=0", "stm32wb30,ob-read=0,secure-read=refused",
        "stm32wb30,ob-read=0,secure-read=content",
        "stm32h723,layout=@Internal Flash  /0x08000000/16*128Kg"}) {
    specs.emplace_back(more);
  }
  return specs;
}

/// The line that a specification of a device begins with.
inline const stm32::Chip& line_of(std::string_view spec) {
  return *stm32::find_chip(spec.substr(0, spec.find(',')));
}

inline std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::ranges::replace_if(
      name, [](char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

class EveryRom : public testing::TestWithParam<std::string> {
 protected:
  std::string spec(std::string_view keys = "") const { return GetParam() + std::string(keys); }
  /// Runs on it say which chip it is, as `--chip` does: many ROMs do not.
  Bench named(std::string_view keys = "") const { return Bench(spec(keys), &data()); }

  const stm32::Chip& data() const { return data_; }
  AddressRange all() const { return data().flash(); }
  /// Without what belongs to somebody else: of an STM32WB the last 12 pages (SFSA 0xF4).
  AddressRange usable() const { return usable(all().size()); }
  /// That of a chip with so much flash.
  AddressRange usable(std::uint64_t size) const {
    AddressRange range = AddressRange::sized(kBase, size);
    if (has_stack()) range.end -= 12 * first_sector();
    return range;
  }
  bool is_clone() const { return data().usb_vendor != proto::kStVendorId; }
  bool has_stack() const { return data().has(proto::kWirelessStackOnTop); }
  /// Whether the host can know where the usable flash ends: SFSA is in the option bytes.
  bool shows_end() const { return !has_stack() || !is_told("ob-read=0"); }
  /// Whether the specification says so.
  bool is_told(std::string_view key) const { return GetParam().find(key) != std::string::npos; }
  std::vector<AddressRange> sectors() const { return data().flash_map().sectors(usable()); }
  std::uint64_t first_sector() const { return data().flash_map().runs()[0].sector_size; }
  /// What a write through this ROM is a multiple of.
  std::uint64_t unit() const { return std::max(data().program_unit, data().write_alignment); }
  /// Some sectors and a bit, at most the flash.
  std::size_t some_sectors() const {
    return std::min<std::size_t>(data().flash_size_max,
                                 std::max<std::size_t>(2 * first_sector() + 100, 5000));
  }

  /// One that leaves nothing of the flash to anybody else.
  image::Image whole_flash(std::uint64_t seed = 1) const {
    return make_program(kBase, usable().size(), seed);
  }
  /// A small program with something in the middle of the flash and at its end as well: other banks
  /// and sizes of sectors, and sectors that some ROMs have trouble with.
  image::Image spread_program(std::uint64_t seed = 1) const {
    image::Image image = make_program(kBase, 2600, seed);
    const auto add = [&](std::uint64_t at, std::size_t size) {
      EXPECT_TRUE(image.insert(static_cast<std::uint32_t>(at), noise(size, seed + size)));
    };
    add(sectors()[sectors().size() / 2].begin + 3, 50);
    add(usable().end - 60, 60);
    return image;
  }

  /// What is in flash after `image` was programmed over `before`: the image, blank in the rest of
  /// its sectors, and nothing else touched.
  Bytes expected(const image::Image& image, Bytes before) const {
    for (const image::Segment& s : image.segments()) {
      for (const AddressRange& sector : data().flash_map().sectors(s.range())) {
        std::fill_n(before.begin() + offset(sector.begin), sector.size(), data().erased_value);
      }
    }
    for (const image::Segment& s : image.segments()) {
      std::ranges::copy(s.data, before.begin() + offset(s.address));
    }
    return before;
  }
  /// What is in flash after everything was erased; somebody else's part stays.
  Bytes wiped(Bytes before) const {
    std::fill_n(before.begin(), usable(before.size()).size(), data().erased_value);
    return before;
  }
  /// Names the first difference instead of printing megabytes.
  static void expect_flash(Bench& bench, const Bytes& expected) {
    const ByteView actual = bench.chip().flash().bytes();
    const auto [there, wanted] = std::ranges::mismatch(actual, expected);
    EXPECT_TRUE(there == actual.end() && wanted == expected.end())
        << "differs first at " << std::hex << kBase + (there - actual.begin());
  }
  static std::ptrdiff_t offset(std::uint64_t address) {
    return static_cast<std::ptrdiff_t>(address - kBase);
  }
  /// Whether nothing is left that an erase could reach.
  bool is_blank(Bench& bench) const {
    const std::uint8_t erased = data().erased_value;
    const ByteView bytes = bench.chip().flash().bytes();
    return std::ranges::all_of(bytes.first(usable(bytes.size()).size()),
                               [=](std::uint8_t b) { return b == erased; });
  }

 private:
  const stm32::Chip& data_ = line_of(GetParam());
};

}  // namespace sureflash::scenarios
