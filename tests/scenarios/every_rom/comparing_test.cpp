// Goal: what is on the device is read and compared rightly: before programming, to save time; after
// it, as the proof; and by itself (verify, read, erase). Method: the virtual ROM of every line; the
// chip itself says what it holds and how much it was worn.

#include "every_rom.hpp"

namespace sureflash::scenarios {
namespace {

class Comparing : public EveryRom {
 protected:
  static Result<update::Outcome> verify(Bench& bench, const image::Image& expected) {
    bench.seen = {};
    return bench.run<update::Outcome>(
        [&](const update::Target& target) -> Result<Task<update::Outcome>> {
          return update::verify(target, expected, bench.seen);
        });
  }
  static Result<Bytes> read(Bench& bench, AddressRange range) {
    return bench.run<Bytes>([&](const update::Target& target) -> Result<Task<Bytes>> {
      return update::read(target, range);
    });
  }
  static Result<update::Outcome> erase_all(Bench& bench) {
    return bench.run<update::Outcome>(
        [&](const update::Target& target) -> Result<Task<update::Outcome>> {
          return update::erase_all(target, bench.seen);
        });
  }
};
INSTANTIATE_TEST_SUITE_P(Rom, Comparing, testing::ValuesIn(every_rom()), test_name);

TEST_P(Comparing, WritesOnlyWhatDiffers) {
  for (const bool by_name : {false, true}) {
    Bench bench = by_name ? named(",fill=noise") : Bench(spec(",fill=noise"));
    const Bytes before = bench.flash(all());
    const auto image = make_program(kBase, some_sectors());
    ASSERT_TRUE(bench.update(image));
    expect_flash(bench, expected(image, before));

    const auto operations = bench.chip().operations().count();
    const auto again = bench.update(image);
    ASSERT_TRUE(again) << message(again.error());
    EXPECT_TRUE(again->proven);
    EXPECT_EQ(again->bytes_verified, bench.plan.bytes_to_verify());
    EXPECT_EQ(bench.chip().operations().count(), operations) << "nothing was to be done";

    Bytes changed = image.segments().front().data;
    changed.back() ^= 0x55;
    image::Image other;
    ASSERT_TRUE(other.insert(kBase, changed));
    const auto one = bench.update(other);
    ASSERT_TRUE(one) << message(one.error());
    expect_flash(bench, expected(other, before));
    EXPECT_LE(bench.plan.erase.size(), 2U) << "that of the vectors and that of the change";
  }
}

TEST_P(Comparing, ARepairTouchesOnlyWhatDiffers) {
  Bench bench = named();
  const auto image = make_program(kBase, some_sectors());
  const Bytes& bytes = image.segments().front().data;
  bench.chip().flash().load(kBase, bytes);
  const auto wrong = static_cast<std::uint32_t>(sectors()[1].begin + 5);
  bench.chip().flash().load(wrong, Bytes{static_cast<std::uint8_t>(bytes[wrong - kBase] ^ 1)});
  const auto outcome = bench.update(image, {.repair = true});
  ASSERT_TRUE(outcome) << message(outcome.error());
  EXPECT_TRUE(outcome->proven);
  EXPECT_TRUE(bench.holds(image));
  const auto& wear = bench.chip().flash().wear();
  for (std::size_t i = 0; i < wear.size(); ++i) EXPECT_EQ(wear[i], i == 1 ? 1U : 0U) << i;
}

TEST_P(Comparing, VerifyFindsOneOtherByte) {
  Bench bench(spec(",fill=noise"));
  const auto image = spread_program();
  ASSERT_TRUE(bench.program(image));
  const auto equal = verify(bench, image);
  ASSERT_TRUE(equal) << message(equal.error());
  EXPECT_EQ(equal->bytes_verified, image.size());

  for (const image::Segment& segment : image.segments()) {
    for (const std::size_t at :
         {std::size_t{0}, segment.data.size() / 2, segment.data.size() - 1}) {
      image::Image other;
      for (const image::Segment& s : image.segments()) {
        Bytes bytes = s.data;
        if (s.address == segment.address) bytes[at] ^= 0x10;
        ASSERT_TRUE(other.insert(s.address, bytes));
      }
      const auto differs = verify(bench, other);
      ASSERT_FALSE(differs);
      EXPECT_EQ(differs.error().code, Errc::VerifyMismatch);
      ASSERT_EQ(bench.seen.differences.size(), 1U);
      EXPECT_EQ(bench.seen.differences.front(), AddressRange::sized(segment.address + at, 1));
    }
  }
}

TEST_P(Comparing, ReadReadsWhatIsThere) {
  Bench bench(spec(",fill=noise"));
  for (const AddressRange odd : {AddressRange{kBase + 3, kBase + some_sectors() - 5},
                                 AddressRange{usable().end - 2049, usable().end},
                                 AddressRange{usable().end - 1, usable().end}}) {
    const auto bytes = read(bench, odd);
    ASSERT_TRUE(bytes) << message(bytes.error());
    EXPECT_EQ(*bytes, bench.flash(odd));
  }
}

TEST_P(Comparing, ErasesTheSectorsAndNothingElse) {
  Bench bench(spec(",fill=noise"));
  Bytes wanted = bench.flash(all());
  const std::vector<AddressRange> some{sectors()[1], sectors()[sectors().size() / 2],
                                       sectors().back()};
  const auto erased = bench.run<update::Outcome>(
      [&](const update::Target& target) -> Result<Task<update::Outcome>> {
        return update::erase(target, some, bench.seen);
      });
  ASSERT_TRUE(erased) << message(erased.error());
  EXPECT_TRUE(erased->proven);
  for (const AddressRange& sector : some) {
    std::fill_n(wanted.begin() + offset(sector.begin), sector.size(), data().erased_value);
  }
  expect_flash(bench, wanted);
}

/// ROMs whose mass erase is missing or leaves half are found out; nobody is told that it worked.
TEST_P(Comparing, ErasesEverythingOrSaysThatItDidNot) {
  for (const char* mass : {"rom", "works", "refused", "ignored", "half"}) {
    SCOPED_TRACE(mass);
    Bench bench = named(fmt::format(",fill=noise,times=max,mass-erase={}", mass));
    const Bytes before = bench.flash(all());
    const auto erased = erase_all(bench);
    if (shows_end()) {
      EXPECT_EQ(erased && erased->proven, is_blank(bench))
          << (erased ? "" : message(erased.error()));
    } else {
      EXPECT_FALSE(erased) << "the stack is not blank, and not known to be one";
    }
    if (std::string_view(mass) == "works") expect_flash(bench, wiped(before));
  }
}

/// The layout is that of the largest chip of a line.
TEST_P(Comparing, ErasesAllThereIsOfASmallerChip) {
  const std::uint64_t half = all().size() / 2;
  Bench bench = named(fmt::format(",fill=noise,flash={},mass-erase=works", half / 1024));
  const Bytes before = bench.flash(AddressRange::sized(kBase, half));
  const auto erased = erase_all(bench);
  expect_flash(bench, wiped(before));
  // An STM32WB by where its stack begins.
  const bool shows_size =
      bench.identified()->flash_size || data().has(proto::kSizeInSerial) || has_stack();
  if (shows_size && shows_end()) {
    ASSERT_TRUE(erased) << message(erased.error());
    EXPECT_EQ(erased->bytes_verified, usable(half).size());
    const auto blank = bench.run<std::vector<bool>>(
        [](const update::Target& target) -> Result<Task<std::vector<bool>>> {
          return update::blank_sectors(target, *target.flash());
        });
    ASSERT_TRUE(blank) << message(blank.error());
    EXPECT_EQ(*blank, std::vector<bool>(data().flash_map().sectors(usable(half)).size(), true));
  } else {
    EXPECT_FALSE(erased) << "of the rest nothing is known";
  }
}

TEST_P(Comparing, ReadingIsGivenUpWhenItCannotPayOff) {
  Bench bench = named();
  bench.chip().flash().load(kBase, whole_flash().segments()[0].data);
  Duration whole{};
  const auto survey = [&](const image::Image& other) {
    return bench.run<update::Survey>(
        [&](const update::Target& target) -> Result<Task<update::Survey>> {
          TRY_ASSIGN(const auto plan, update::make_plan(target, other, {}));
          whole = plan.estimate.total();
          return update::survey(target, other, {});
        });
  };
  const auto one_block = survey(make_program(kBase, 100, 7));
  const auto found = survey(whole_flash(7));
  ASSERT_TRUE(one_block && found) << message(found.error());
  EXPECT_TRUE(found->equal.empty());
  // 2 % of the job, or 200 ms where its time is not known; and one block of two sectors (the first
  // is not counted).
  const Duration allowed =
      data().program.known() && data().sector_erase.known() ? whole / 50 : 200ms;
  // A GD32VF103 announces 100 ms for a Set Address.
  const Duration two_blocks = is_clone() ? 2 * one_block->took : 20ms;
  EXPECT_LE(found->took, allowed + two_blocks);
  const std::uint64_t first_blocks =
      sectors().size() * std::min<std::uint64_t>(2048, first_sector());
  EXPECT_TRUE(found->stopped || found->bytes_read <= first_blocks)
      << "or every sector was found out by its first block: " << found->bytes_read;
}

}  // namespace
}  // namespace sureflash::scenarios
