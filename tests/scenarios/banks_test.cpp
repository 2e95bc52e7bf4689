// Goal: where option bytes divide a flash into banks in another way, what the device says is taken
// and not what is usual. Method: every line with a second layout, in that layout; the chip is the
// judge.

#include "scenario.hpp"
#include <fmt/format.h>

#include "sureflash/proto/chips.hpp"

namespace sureflash::scenarios {
namespace {

constexpr std::uint32_t kBase = 0x08000000;

std::vector<const stm32::Chip*> lines_with_two_layouts() {
  std::vector<const stm32::Chip*> lines;
  for (const proto::ChipData& data : proto::kChips) {
    if (data.layout_other[0].count != 0) lines.push_back(stm32::find_chip(data.name));
  }
  return lines;
}

TEST(Banks, TheOtherLayoutIsTakenAsTheDeviceSaysIt) {
  ASSERT_GE(lines_with_two_layouts().size(), 6U);
  for (const stm32::Chip* line : lines_with_two_layouts()) {
    SCOPED_TRACE(line->name);
    Bench bench(fmt::format("{},banks=other,fill=noise", line->name));
    const auto target = bench.identified();
    ASSERT_TRUE(target) << message(target.error());
    const auto& runs = target->flash()->map.runs();
    EXPECT_EQ(runs.front().sector_size, line->layout_other[0].size);
    EXPECT_EQ(target->flash()->map.size(), proto::layout_size(line->layout_other));
    EXPECT_TRUE(target->chip == line ||
                std::ranges::find(target->candidates, line) != target->candidates.end());

    // Something at both ends and in the middle: every size of sector, and the other bank.
    const std::uint64_t size = target->flash()->map.size();
    image::Image image = make_program(kBase, 3000);
    const auto add = [&](std::uint64_t offset) {
      EXPECT_TRUE(image.insert(static_cast<std::uint32_t>(kBase + offset), noise(100, offset)));
    };
    add(size / 2 + 512);
    add(size - 100);
    const auto sectors = target->flash()->map.sectors(target->flash()->map.bounds());
    const Bytes between = bench.flash(sectors[sectors.size() / 2 - 1]);
    const auto outcome = bench.update(image);
    ASSERT_TRUE(outcome) << message(outcome.error());
    EXPECT_TRUE(outcome->proven);
    EXPECT_TRUE(bench.holds(image));
    EXPECT_EQ(bench.flash(sectors[sectors.size() / 2 - 1]), between) << "not in the image";

    const auto whole = make_program(kBase, size);
    const auto all = bench.update(whole);
    ASSERT_TRUE(all) << message(all.error());
    EXPECT_TRUE(bench.holds(whole));
  }
}

TEST(Banks, OnlyWhereThereIsAnother) {
  EXPECT_FALSE(sim::make_device("stm32f405,banks=other"));
}

}  // namespace
}  // namespace sureflash::scenarios
