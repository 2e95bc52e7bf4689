// Goal: what cannot or must not be done is refused; whatever can be known before flash is touched
// is known by then, and nothing that fails later is called done. Method: images and devices with
// one thing wrong, on the virtual ROM of every line; the chip counts its operations.

#include "every_rom.hpp"

namespace sureflash::scenarios {
namespace {

class Refusal : public EveryRom {
 protected:
  /// Refused before anything is changed, with one of `codes`.
  static void expect(Bench bench, const image::Image& image, std::initializer_list<Errc> codes) {
    const auto outcome = bench.program(image);
    ASSERT_FALSE(outcome);
    EXPECT_NE(std::ranges::find(codes, outcome.error().code), codes.end())
        << message(outcome.error());
    EXPECT_EQ(bench.chip().operations().count(), 0U);
  }
  /// The chip named by the user, and found out by itself.
  void expect_both(std::string_view keys, const image::Image& image,
                   std::initializer_list<Errc> codes) const {
    expect(named(keys), image, codes);
    expect(Bench(spec(keys)), image, codes);
  }
  /// Where a core starts without a vector table, no image can be told from a good one by it.
  void expect_bad_vectors(const image::Image& image, Errc code) const {
    if (data().starts_by_vector_table) {
      expect_both("", image, {code});
      return;
    }
    for (const bool by_name : {false, true}) {
      Bench bench = by_name ? named() : Bench(spec());
      const auto outcome = bench.program(image);
      ASSERT_TRUE(outcome) << message(outcome.error());
      EXPECT_TRUE(bench.holds(image));
    }
  }
  static image::Image with_vectors(std::uint64_t stack, std::uint32_t reset) {
    Bytes bytes = make_program(kBase, 1000).segments().front().data;
    store_le32(bytes, 0, static_cast<std::uint32_t>(stack));
    store_le32(bytes, 4, reset);
    image::Image image;
    EXPECT_TRUE(image.insert(kBase, bytes));
    return image;
  }
};
INSTANTIATE_TEST_SUITE_P(Rom, Refusal, testing::ValuesIn(every_rom()), test_name);

TEST_P(Refusal, AnImageLargerThanTheFlash) {
  const auto image = make_program(kBase, data().flash_size_max + 1);
  expect_both(",fill=noise", image, {Errc::OutsideMemory});
  if (!has_stack() || !shows_end()) return;
  const auto into_the_stack = make_program(kBase, usable().size() + 1);
  expect_both(",fill=noise", into_the_stack, {Errc::OutsideMemory});
}

TEST_P(Refusal, AnEmptyImage) {
  expect_both(",fill=noise", {}, {Errc::EmptyImage});
}

TEST_P(Refusal, AnImageLinkedForAnotherAddress) {
  image::Image moved;
  const auto program = make_program(kBase + 0x4000, 4000);
  ASSERT_TRUE(moved.insert(kBase, program.segments().front().data));
  expect_bad_vectors(moved, Errc::WrongBase);
}

TEST_P(Refusal, ImplausibleVectors) {
  constexpr std::uint32_t kStack = 0x20010000;
  expect_bad_vectors(with_vectors(0x08001000, kBase + 9), Errc::VectorTableImplausible);
  expect_bad_vectors(with_vectors(0x2000FFFE, kBase + 9), Errc::VectorTableImplausible);
  expect_bad_vectors(with_vectors(kStack, kBase + 8), Errc::VectorTableImplausible);
  expect_bad_vectors(with_vectors(kStack, 0x20000101), Errc::VectorTableImplausible);
  expect_bad_vectors(with_vectors(kStack, kBase + 0x1001), Errc::WrongBase);
  if (data().ram.empty() || !data().starts_by_vector_table) return;
  expect(named(), with_vectors(data().ram.end + 4, kBase + 9), {Errc::VectorTableImplausible});
  expect(named(), with_vectors(data().ram.begin - 4, kBase + 9), {Errc::VectorTableImplausible});
}

/// Where the table does not have all of the RAM, it is outside of what the device shows.
TEST_P(Refusal, RamAndOptionBytesAreNotPartOfAnImage) {
  auto with_ram = make_program(kBase, 1000);
  ASSERT_TRUE(with_ram.insert(0x20001000, Bytes(16, 1)));
  expect_both("", with_ram, {Errc::NotForThisDevice, Errc::OutsideMemory});
  auto options = make_program(kBase, 1000);
  const AddressRange block = Bench(spec()).chip().description().options.range();
  ASSERT_TRUE(options.insert(static_cast<std::uint32_t>(block.begin), Bytes(16, 1)));
  if (data().option_bytes.empty()) {
    expect_both("", options, {Errc::NotForThisDevice, Errc::OutsideMemory});
  } else {
    expect_both("", options, {Errc::NotForThisDevice});
  }
}

TEST_P(Refusal, AReadProtectedChip) {
  for (const char* keys : {",fill=noise,rdp=1", ",fill=noise,rdp=1,rdp-at=set-address"}) {
    // Two signs make it a fact; a ROM that shows no option bytes gives one only, and says the rest
    // when it is to change something.
    // Hidden ones (ob-read=0) are refused with errVENDOR as well.
    const bool shows_options =
        Bench(spec()).identified()->option_block.has_value() || is_told("ob-read=0");
    const auto image = make_program(kBase, 1000);
    if (shows_options) {
      expect_both(keys, image, {Errc::ReadProtected});
    } else {
      expect_both(keys, image, {Errc::DeviceReportsError, Errc::Stalled});
    }
  }
}

/// F1 tells by its option bytes which pages are protected; with the others it shows at the first
/// block, or in the proof.
TEST_P(Refusal, SilentWriteProtectionIsNeverADone) {
  const auto image = spread_program();
  for (const std::size_t sector :
       {std::size_t{0}, std::size_t{1}, sectors().size() / 2, sectors().size() - 1}) {
    SCOPED_TRACE(sector);
    const auto keys = fmt::format(",fill=noise,wrp={}", sector);
    for (const bool by_name : {false, true}) {
      Bench bench = by_name ? named(keys) : Bench(spec(keys));
      const auto outcome = bench.program(image);
      const bool touched = std::ranges::any_of(image.segments(), [&](const image::Segment& s) {
        return s.range().overlaps(sectors()[sector]);
      });
      // An F1 protects pages by twos, the last bit from page 62 on.
      const bool more = data().family == "F1";
      if (touched) {
        ASSERT_FALSE(outcome);
      }
      if (!touched && !more) {
        EXPECT_TRUE(outcome) << message(outcome.error());
      }
      EXPECT_EQ(outcome.has_value(), bench.holds(image));
      if (sector == 0 || (more && !outcome)) {
        EXPECT_EQ(bench.chip().operations().count(), 0U) << "found out with the first sector";
      }
    }
  }
}

/// One layout text for all sizes of a line. Where the chip shows its size it is refused at once;
/// where it does not, at the first block that is not there.
TEST_P(Refusal, AChipSmallerThanItsLayoutIsNeverADone) {
  const std::uint64_t half = all().size() / 2;
  const auto keys = fmt::format(",fill=noise,flash={}", half / 1024);
  for (const bool by_name : {false, true}) {
    Bench bench = by_name ? named(keys) : Bench(spec(keys));
    const auto too_large = make_program(kBase, half + 1);
    const auto outcome = bench.program(too_large);
    ASSERT_FALSE(outcome);
    if (bench.identified()->flash_size) {
      EXPECT_EQ(outcome.error().code, Errc::OutsideMemory) << message(outcome.error());
      EXPECT_EQ(bench.chip().operations().count(), 0U);
    }
    const auto image = make_program(kBase, usable(half).size());
    const auto fits = bench.update(image);
    ASSERT_TRUE(fits) << message(fits.error());
    EXPECT_TRUE(fits->proven);
    EXPECT_TRUE(bench.holds(image));
  }
}

}  // namespace
}  // namespace sureflash::scenarios
