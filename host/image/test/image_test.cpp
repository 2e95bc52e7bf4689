// Goal: the sparse image keeps its invariant (sorted, disjoint, joined) whatever is put in, in
// whatever order. Method: examples, and a byte-per-address model fed with the same random pieces.

#include "sureflash/image/image.hpp"

#include <map>
#include <random>

#include "support.hpp"

namespace sureflash::image {
namespace {

using namespace test;

TEST(Image, JoinsWhatTouches) {
  Image image;
  ASSERT_TRUE(image.insert(0x100, Bytes{1, 2}));
  ASSERT_TRUE(image.insert(0x104, Bytes{5, 6}));
  EXPECT_EQ(image.segments().size(), 2U);
  ASSERT_TRUE(image.insert(0x102, Bytes{3, 4}));
  EXPECT_EQ(segments(image), (std::vector<Segment>{{0x100, {1, 2, 3, 4, 5, 6}}}));
  ASSERT_TRUE(image.insert(0xFF, Bytes{0}));
  ASSERT_TRUE(image.insert(0x10, Bytes{9}));
  EXPECT_EQ(segments(image), (std::vector<Segment>{{0x10, {9}}, {0xFF, {0, 1, 2, 3, 4, 5, 6}}}));
  EXPECT_EQ(image.size(), 8U);
  EXPECT_EQ(image.bounds(), (AddressRange{0x10, 0x106}));
}

TEST(Image, RefusesOverlapAndNamesIt) {
  Image image;
  ASSERT_TRUE(image.insert(0x100, counting(16)));
  ASSERT_TRUE(image.insert(0x200, counting(16)));
  const std::vector<Segment> before = segments(image);
  EXPECT_TRUE(fails(image.insert(0x10F, Bytes{1, 2}), Errc::Overlap, "0x0000010F..0x00000110"));
  EXPECT_TRUE(fails(image.insert(0x1FE, counting(4)), Errc::Overlap, "0x00000200..0x00000202"));
  EXPECT_TRUE(fails(image.insert(0x104, Bytes{1}), Errc::Overlap, "0x00000104..0x00000105"));
  EXPECT_TRUE(fails(image.insert(0x0, counting(0x300)), Errc::Overlap));
  EXPECT_EQ(segments(image), before);
}

TEST(Image, ReachesTheTopOfTheAddressSpaceAndNoFurther) {
  Image image;
  EXPECT_TRUE(fails(image.insert(0xFFFF'FFFF, Bytes{1, 2}), Errc::TooLarge));
  EXPECT_TRUE(image.empty());
  ASSERT_TRUE(image.insert(0xFFFF'FFFF, Bytes{1}));
  EXPECT_EQ(image.bounds().end, 0x1'0000'0000U);
  EXPECT_TRUE(fails(Image::from_segments({{0xFFFF'FFFF, {1, 2}}}), Errc::TooLarge));
}

TEST(Image, NothingIsNothing) {
  Image image;
  ASSERT_TRUE(image.insert(5, {}));
  EXPECT_TRUE(image.empty());
  EXPECT_TRUE(image.bounds().empty());
  EXPECT_TRUE(value(Image::from_segments({{7, {}}})).empty());
  EXPECT_TRUE(image.covers({3, 3}));
  EXPECT_FALSE(image.covers({3, 4}));
}

TEST(Image, ReadsPartsAndLeavesGapsAlone) {
  const Image image = value(Image::from_segments({{10, {1, 2, 3}}, {20, {4}}}));
  Bytes out(12, 0xEE);
  EXPECT_EQ(image.read({11, 23}, out), 3U);
  EXPECT_EQ(out, (Bytes{2, 3, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 0xEE, 4, 0xEE, 0xEE}));
  EXPECT_TRUE(image.covers({10, 13}));
  EXPECT_FALSE(image.covers({10, 14}));
  EXPECT_FALSE(image.covers({12, 21}));
}

/// The model: one entry for each byte.
using Model = std::map<std::uint64_t, std::uint8_t>;

bool insert(Model& model, std::uint32_t address, const Bytes& data) {
  for (std::size_t i = 0; i < data.size(); ++i)
    if (model.contains(address + i)) return false;
  for (std::size_t i = 0; i < data.size(); ++i) model[address + i] = data[i];
  return true;
}

std::vector<Segment> segments(const Model& model) {
  std::vector<Segment> result;
  for (const auto& [address, byte] : model) {
    if (result.empty() || result.back().range().end != address)
      result.push_back({static_cast<std::uint32_t>(address), {}});
    result.back().data.push_back(byte);
  }
  return result;
}

TEST(Image, BehavesAsTheModelUnderRandomInserts) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed=" << seed);
    std::mt19937 random(seed);
    Image image;
    Model model;
    std::vector<Segment> pieces;
    for (int i = 0; i < 60; ++i) {
      const auto address = static_cast<std::uint32_t>(random() % 400);
      const Bytes data = counting(random() % 12, static_cast<unsigned>(random()));
      const bool fits = insert(model, address, data);
      ASSERT_EQ(image.insert(address, data).has_value(), fits);
      if (fits) pieces.push_back({address, data});
      ASSERT_EQ(test::segments(image), segments(model));
    }
    std::ranges::shuffle(pieces, random);
    ASSERT_EQ(test::segments(value(Image::from_segments(pieces))), segments(model));
  }
}

TEST(Image, FromSegmentsFindsOverlapWhateverTheOrder) {
  EXPECT_TRUE(fails(Image::from_segments({{20, counting(10)}, {5, counting(16)}}), Errc::Overlap,
                    "0x00000014..0x00000015"));
  // The long first segment swallows the later ones.
  EXPECT_TRUE(fails(Image::from_segments({{0, counting(100)}, {10, {1}}, {100, {1}}}),
                    Errc::Overlap, "0x0000000A..0x0000000B"));
}

}  // namespace
}  // namespace sureflash::image
