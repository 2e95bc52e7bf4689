// Goal: power is lost at any flash operation of an update, in any of four ways, on any geometry: a
// chip with a boot pin never starts half an application; one that enters DFU by its own code, by an
// empty check or by its loader comes back by itself, outside the window that the plan announces;
// the same command then finishes, writes only what is missing, and builds on no cell whose erase or
// write was cut short.
// Method: chips with four sectors of every kind that exists and an image of few bytes in each, so
// that truly every operation is cut; what starts is decided by the chip's model, not by the host.

#include <algorithm>
#include <map>
#include <tuple>

#include "scenario.hpp"
#include <fmt/format.h>

#include "sureflash/base/crc32.hpp"
#include "sureflash/image/information.hpp"
#include "sureflash/update/entry.hpp"

namespace sureflash::scenarios {
namespace {

using update::WayBack;

constexpr std::size_t kSectors = 4;
constexpr std::size_t kFirst = 64;  ///< bytes in the first sector
constexpr std::size_t kOther = 32;  ///< and in each of the others
constexpr std::array kKinds{"cut-before", "cut-during", "cut-late", "cut-after"};

/// A line of chips cut down to its first sectors.
struct Geometry {
  const stm32::Chip* chip = nullptr;
  std::vector<AddressRange> sectors;
  std::uint32_t base() const { return chip->flash_base; }
  std::uint64_t size() const { return sectors.back().end - sectors.front().begin; }
  std::string spec(std::string_view keys) const {
    // An F105 has at least 64 KiB; the other models are cut to size.
    const std::uint64_t kib = chip->name == "stm32f105" ? 64 : size() / 1024;
    return fmt::format("{},flash={},poll=datasheet,{}", chip->name, kib, keys);
  }
};

/// One line for each kind of flash: sizes of sectors, unit, alignment, erased value, family rules.
std::vector<Geometry> geometries() {
  std::map<std::tuple<std::uint64_t, std::uint64_t, std::uint32_t, std::uint32_t, int, bool>,
           Geometry>
      kinds;
  for (const std::string_view name : sim::chip_profiles()) {
    const stm32::Chip* chip = stm32::find_chip(name);
    // Clones begin otherwise, and come in few sizes; every_rom/interruption_test.cpp has them.
    if (!name.starts_with("stm32")) continue;
    auto sectors = chip->flash_map().sectors(chip->flash());
    // At least a KiB, which is what the models are measured in.
    std::size_t count = kSectors;
    while ((sectors[count - 1].end - chip->flash_base) % 1024 != 0) ++count;
    sectors.resize(count);
    kinds.try_emplace(
        {sectors[0].size(), sectors.back().size(), chip->program_unit, chip->write_alignment,
         chip->erased_value, chip->has(proto::kByteProgramming)},
        Geometry{chip, sectors});
  }
  std::vector<Geometry> result;
  for (auto& [key, geometry] : kinds) result.push_back(std::move(geometry));
  return result;
}

enum class Version : std::uint8_t { Old, New, NewWithOldEntry };

/// The first bytes: vector table and code, which end in their CRC-32.
Bytes first_bytes(const Geometry& g, std::uint64_t seed) {
  Bytes bytes = noise(kFirst, seed);
  const std::uint64_t ram = g.chip->ram.empty() ? 0x20000000 : g.chip->ram.begin;
  store_le32(bytes, 0, static_cast<std::uint32_t>(ram + 0x1000));
  store_le32(bytes, 4, g.base() + 9);
  store_le32(bytes, kFirst - 4, crc32(ByteView(bytes).first(kFirst - 4)));
  return bytes;
}

/// Few bytes in each of four sectors. The last four hold the CRC-32 of everything before, gaps
/// (erased) included: what a loader checks that checks everything.
image::Image application(const Geometry& g, Version version) {
  const std::uint64_t seed = version == Version::Old ? 1 : 2;
  const Bytes first = first_bytes(g, version == Version::New ? 2 : 1);
  Bytes all(g.sectors[kSectors - 1].begin - g.base() + kOther, g.chip->erased_value);
  image::Image image;
  EXPECT_TRUE(image.insert(g.base(), first));
  std::ranges::copy(first, all.begin());
  for (std::size_t i = 1; i < kSectors; ++i) {
    Bytes bytes = noise(kOther, 10 * seed + i);
    const auto at = static_cast<std::uint32_t>(g.sectors[i].begin);
    if (i == kSectors - 1) {
      std::ranges::copy(bytes, all.end() - kOther);
      store_le32(bytes, kOther - 4, crc32(ByteView(all).first(all.size() - 4)));
    }
    std::ranges::copy(bytes, all.begin() + (at - g.base()));
    EXPECT_TRUE(image.insert(at, bytes));
  }
  return image;
}
std::size_t application_size(const Geometry& g) {
  return g.sectors[kSectors - 1].begin - g.base() + kOther;
}

/// One way back, tried on one geometry.
struct Trial {
  const Geometry& geometry;
  std::string keys;
  update::PlanOptions options;
  Version version = Version::New;

  image::Image before() const { return application(geometry, Version::Old); }
  image::Image after() const { return application(geometry, version); }

  std::unique_ptr<Bench> bench(std::string_view fault) const {
    auto bench = std::make_unique<Bench>(
        geometry.spec(fmt::format("boot0=1,{}{}{}", keys, fault.empty() ? "" : ",fault=", fault)));
    bench->identify.chip = geometry.chip;
    const image::Image old = before();
    for (const image::Segment& s : old.segments()) {
      bench->chip().flash().load(s.address, s.data);
    }
    return bench;
  }
};

/// Without a hand on BOOT0.
sim::Running started(Bench& bench) {
  bench.chip().boot0 = false;
  bench.device().power_cycle();
  return bench.device().running();
}

std::string shows(Bench& bench, const Trial& trial) {
  if (bench.holds(trial.before())) return "old";
  return bench.holds(trial.after()) ? "new" : "half";
}

std::vector<bool> equal_sectors(Bench& bench, const Trial& trial) {
  std::vector<bool> equal;
  const image::Image wanted = trial.after();
  for (const image::Segment& s : wanted.segments()) {
    equal.push_back(bench.flash(s.range()) == s.data);
  }
  return equal;
}

/// The same command again, with a hand on BOOT0 where that is needed.
void finish(Bench& bench, const Trial& trial, bool needs_pin) {
  if (needs_pin) {
    bench.chip().boot0 = true;
    bench.device().power_cycle();
  }
  const std::vector<bool> there = equal_sectors(bench, trial);
  const std::vector<std::uint32_t> wear = bench.chip().flash().wear();
  const auto outcome = bench.update(trial.after(), trial.options);
  ASSERT_TRUE(outcome) << message(outcome.error());
  EXPECT_TRUE(outcome->proven);
  ASSERT_TRUE(bench.holds(trial.after()));
  const bool finished = std::ranges::find(there, false) == there.end();
  int again = 0;
  for (std::size_t i = 1; i < kSectors; ++i) {
    const auto index = bench.chip()
                           .flash()
                           .geometry()
                           .sector_at(static_cast<std::uint32_t>(trial.geometry.sectors[i].begin))
                           ->index;
    // After the very last operation nothing tells a whole image from one that only reads so.
    EXPECT_FALSE(bench.chip().flash().weak()[index] && !finished) << "sector " << i;
    if (there[i] && bench.chip().flash().wear()[index] != wear[index]) ++again;
  }
  // A mass erase may be the quicker way to the end; the image covers these small flashes.
  if (bench.plan.mass_erase) return;
  EXPECT_LE(again, 1) << "of what is there, only the sector at which it stopped";
}

struct Counts {
  int cuts = 0;
  int came_back = 0;
  int needed_pin = 0;
};

/// Cuts at every operation; `judge(bench, n, kind)` says whether a hand on BOOT0 is needed.
template <class Judge>
Counts cut_everywhere(const Trial& trial, const Judge& judge) {
  Counts counts;
  auto healthy = trial.bench("");
  const auto done = healthy->update(trial.after(), trial.options);
  EXPECT_TRUE(done) << (done ? "" : message(done.error()));
  if (!done) return counts;
  const std::uint64_t operations = healthy->chip().operations().count();
  EXPECT_GT(operations, kSectors - 1);
  for (const std::string_view kind : kKinds) {
    for (std::uint64_t n = 0; n < operations; ++n) {
      SCOPED_TRACE(
          fmt::format("{} {}@{} of {}", trial.geometry.spec(trial.keys), kind, n, operations));
      auto bench = trial.bench(fmt::format("{}@{},seed={}", kind, n, n + 1));
      EXPECT_FALSE(bench->update(trial.after(), trial.options)) << "there was no cut";
      ++counts.cuts;
      const bool needs_pin = judge(*bench, n, kind);
      ++(needs_pin ? counts.needed_pin : counts.came_back);
      finish(*bench, trial, needs_pin);
      if (testing::Test::HasFailure()) return counts;
    }
  }
  return counts;
}

TEST(WayBack, EveryKindOfFlashIsThere) {
  const auto all = geometries();
  EXPECT_GE(all.size(), 10U);
  std::map<std::uint32_t, int> units;
  for (const Geometry& g : all) ++units[g.chip->program_unit];
  for (const std::uint32_t unit : {1U, 2U, 4U, 8U, 16U, 32U}) EXPECT_GT(units[unit], 0) << unit;
}

/// L5 takes writes of 16 bytes and programs 8 at a time, the reset vector first: what the plan says
/// of the very last write.
bool lacks_only_vectors(Bench& bench, const Trial& trial) {
  const stm32::Chip& chip = *trial.geometry.chip;
  if (chip.write_alignment <= std::max(8U, chip.program_unit)) return false;
  const AddressRange commit = bench.plan.commit;
  const Bytes first = bench.flash({commit.begin, commit.begin + kFirst});
  const image::Image wanted = trial.after();
  const Bytes& whole = wanted.segments().front().data;
  return std::equal(first.begin() + 16, first.end(), whole.begin() + 16) &&
         bench.plan.entry.interruption.size() == 2;
}

void cut_with_boot_pin(Version version) {
  for (const Geometry& g : geometries()) {
    const Trial trial{g, "enter=boot0", {}, version};
    const Counts counts = cut_everywhere(trial, [&](Bench& bench, std::uint64_t, auto) {
      const std::string content = shows(bench, trial);
      const bool runs = started(bench) == sim::Running::Application;
      EXPECT_TRUE(!runs || content != "half" || lacks_only_vectors(bench, trial))
          << "half an application was started";
      return true;
    });
    EXPECT_GT(counts.cuts, 0);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(WayBack, BootPinNeverStartsHalfAnApplication) {
  cut_with_boot_pin(Version::New);
}

TEST(WayBack, BootPinNeverStartsHalfAnApplicationWithTheVectorsOfBefore) {
  cut_with_boot_pin(Version::NewWithOldEntry);
}

TEST(WayBack, UnchangedEntryCodeAlwaysComesBack) {
  for (const Geometry& g : geometries()) {
    Trial trial{g, fmt::format("enter=jump,checked={}", kFirst), {}, Version::NewWithOldEntry};
    trial.options.entry.code = {AddressRange::sized(g.base(), kFirst)};
    trial.options.entry.keep = true;
    const Counts counts = cut_everywhere(trial, [&](Bench& bench, std::uint64_t, auto) {
      EXPECT_EQ(started(bench), sim::Running::Loader);
      return false;
    });
    EXPECT_EQ(counts.came_back, counts.cuts);
  }
}

/// The operations at which a cut is announced to need a hand: those on entry code. The trial, an
/// erase and a block without its first unit, comes before.
struct Window {
  std::uint64_t first;
  std::uint64_t last;

  bool holds(std::uint64_t n, std::string_view kind) const {
    if (kind == "cut-before") return n > first && n <= last;
    if (kind == "cut-after") return n >= first && n < last;
    return n >= first && n <= last;
  }
};

TEST(WayBack, ChangedEntryCodeComesBackOutsideTheWindow) {
  for (const Geometry& g : geometries()) {
    Trial trial{g, fmt::format("enter=jump,checked={}", kFirst), {}};
    trial.options.entry.code = {AddressRange::sized(g.base(), kFirst)};
    const std::uint64_t trial_operations =
        1 + (kOther - g.chip->write_alignment) / g.chip->program_unit;
    const Window window{trial_operations, trial_operations + kFirst / g.chip->program_unit};
    const Counts counts =
        cut_everywhere(trial, [&](Bench& bench, std::uint64_t n, std::string_view kind) {
          const bool back = started(bench) == sim::Running::Loader;
          EXPECT_TRUE(back || window.holds(n, kind)) << "not announced";
          return !back;
        });
    EXPECT_GT(counts.needed_pin, 0) << "the window is real";
    auto bench = trial.bench("");
    ASSERT_TRUE(bench->update(trial.after(), trial.options));
    const update::Plan& plan = bench->plan;
    EXPECT_EQ(plan.entry.rewritten, std::vector{g.sectors[0]});
    EXPECT_EQ(plan.erase[0], g.sectors[1]) << "the trial";
    EXPECT_EQ(plan.erase[1], g.sectors[0]) << "then, in one go, the entry code";
    EXPECT_EQ(plan.write[plan.urgent_writes - 1].begin, g.base()) << "the vectors last";
  }
}

TEST(WayBack, EmptyCheckComesBackOutsideTheWindow) {
  int tried = 0;
  for (const Geometry& g : geometries()) {
    Trial trial{g, "enter=empty", {}};
    trial.options.entry.way = WayBack::EmptyCheck;
    auto bench = trial.bench("");
    const auto outcome = bench->update(trial.after(), trial.options);
    if (!outcome && outcome.error().code == Errc::NotForThisDevice) continue;
    ++tried;
    const std::uint64_t operations = bench->chip().operations().count();
    const std::uint64_t commit =
        std::max<std::uint64_t>(4, g.chip->write_alignment) / g.chip->program_unit;
    const Window last{operations - std::max<std::uint64_t>(commit, 1), operations - 1};
    cut_everywhere(trial, [&](Bench& cut, std::uint64_t n, std::string_view kind) {
      const std::string content = shows(cut, trial);
      const sim::Running now = started(cut);
      if (now == sim::Running::Loader) return false;
      // The application that was there, whole, or the new one; or in the announced window.
      const bool in_first_erase = n == 0 && kind == "cut-during";
      EXPECT_TRUE(content != "half" || in_first_erase || last.holds(n, kind)) << "not announced";
      return true;
    });
  }
  EXPECT_GE(tried, 4);
}

TEST(WayBack, ALoaderThatChecksEverythingAlwaysComesBack) {
  for (const Geometry& g : geometries()) {
    // Its check costs a CRC of the whole, which is long for sectors of 128 KiB.
    Trial trial{g, fmt::format("enter=loader,checked={}", application_size(g)), {}};
    trial.options.entry.way = WayBack::OwnLoader;
    cut_everywhere(trial, [&](Bench& bench, std::uint64_t, std::string_view) {
      const std::string content = shows(bench, trial);
      const sim::Running now = started(bench);
      EXPECT_TRUE(now == sim::Running::Loader || content != "half");
      return now != sim::Running::Loader;
    });
  }
}

// How the way back is found.

struct Found {
  Found() : bench("stm32f105,flash=64") {
    chip = stm32::find_chip("stm32f105");
    target = bench.identified().value();
  }
  Result<update::EntryPlan> find(const image::Image& image, update::EntryOptions options = {}) {
    return update::find_entry(target, target.flash()->map, image, options);
  }
  Bench bench;
  const stm32::Chip* chip;
  update::Target target;
};

image::Image with_information(std::uint32_t way, AddressRange code) {
  image::Image image = make_program(0x08000000, 6000);
  Bytes bytes = image.segments().front().data;
  const Bytes magic{'S', 'U', 'R', 'E', 'F', 'L', 'S', 'H', 1, 0, 28, 0};
  std::ranges::copy(magic, bytes.begin() + 512);
  store_le32(bytes, 512 + 12, way);
  store_le32(bytes, 512 + 16, static_cast<std::uint32_t>(code.begin));
  store_le32(bytes, 512 + 20, static_cast<std::uint32_t>(code.end));
  image::Image result;
  EXPECT_TRUE(result.insert(0x08000000, bytes));
  return result;
}

TEST(WayBack, IsFoundInTheImageAndTheUserGoesBefore) {
  Found f;
  const image::Image plain = make_program(0x08000000, 6000);
  EXPECT_EQ(f.find(plain)->way, WayBack::BootPin);
  const auto told = f.find(with_information(2, {0x08001000, 0x08001100}));
  EXPECT_EQ(told->way, WayBack::EntryCode);
  EXPECT_EQ(told->sectors,
            (std::vector<AddressRange>{{0x08000000, 0x08000800}, {0x08001000, 0x08001800}}));
  EXPECT_FALSE(told->guessed);
  EXPECT_EQ(f.find(with_information(4, {}))->way, WayBack::OwnLoader);
  EXPECT_EQ(f.find(with_information(99, {}))->way, WayBack::BootPin);
  EXPECT_EQ(f.find(with_information(4, {}), {.way = WayBack::BootPin})->way, WayBack::BootPin);
  EXPECT_EQ(f.find(plain, {.way = WayBack::EmptyCheck}).error().code, Errc::NotForThisDevice);
  EXPECT_EQ(f.find(plain, {.code = {{0x20000000, 0x20000004}}}).error().code, Errc::OutsideMemory);
}

TEST(WayBack, WhereOldAndNewAgreeTheEntryCodeStays) {
  Bench bench("stm32f105,flash=64,enter=jump,checked=0,boot0=1");
  image::Image old = make_program(0x08000000, 6000, 1);
  bench.chip().flash().load(0x08000000, old.segments().front().data);
  Bytes changed = old.segments().front().data;
  changed[5000] ^= 0x55;
  image::Image next;
  ASSERT_TRUE(next.insert(0x08000000, changed));
  const update::PlanOptions jump{.entry = {.way = WayBack::EntryCode, .code = {}, .keep = true}};
  ASSERT_TRUE(bench.update(next, jump));
  EXPECT_TRUE(bench.plan.entry.guessed);
  EXPECT_TRUE(bench.plan.entry.rewritten.empty());
  // The guard, which is completed last, and what differs.
  EXPECT_EQ(bench.plan.erase,
            (std::vector<AddressRange>{{0x08000800, 0x08001000}, {0x08001000, 0x08001800}}));
  EXPECT_EQ(bench.plan.write.back().begin, 0x08000800U);
  EXPECT_TRUE(bench.holds(next));
}

TEST(WayBack, KeepEntryRefusesBeforeAnythingIsChanged) {
  Bench bench("stm32f105,flash=64,fill=noise");
  const auto image = make_program(0x08000000, 6000);
  const auto refused =
      bench.update(image, {.entry = {.way = WayBack::EntryCode, .code = {}, .keep = true}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::EntryCodeDiffers);
  EXPECT_EQ(bench.chip().operations().count(), 0U);
  const auto senseless = bench.update(image, {.entry = {.way = {}, .code = {}, .keep = true}});
  EXPECT_EQ(senseless.error().code, Errc::Usage);
}

TEST(WayBack, TheAnnouncedWindowIsTheMeasuredOne) {
  for (const auto& [times, size] : {std::pair("typ", 6000), {"max", 6000}, {"typ", 2000}}) {
    SCOPED_TRACE(size);
    Bench bench(fmt::format("stm32f105,flash=64,fill=noise,poll=datasheet,times={}", times));
    const auto image = make_program(0x08000000, static_cast<std::size_t>(size));
    Duration began{};
    Duration ended{};
    bench.observer.on_progress = [&](const Progress& p) {
      const Duration now = bench.device().usb().now();
      if (!AddressRange{0x08000000, 0x08000800}.contains(p.at) || p.at.empty()) return false;
      if (p.activity == Progress::Activity::Erasing && began == Duration{}) began = now;
      if (p.activity == Progress::Activity::Writing) ended = now;
      return false;
    };
    ASSERT_TRUE(bench.update(image, {.entry = {.way = WayBack::EntryCode}}));
    const update::EntryPlan& entry = bench.plan.entry;
    const Duration announced = times == std::string_view("typ") ? entry.window : entry.window_max;
    ASSERT_GT(ended, began);
    EXPECT_LE(ended - began, announced);
    EXPECT_GE(ended - began, announced * 8 / 10) << "announced far too much";
  }
}

TEST(WayBack, ARepairTouchesOnlyWhatDiffers) {
  Bench bench("stm32f105,flash=64");
  const auto image = make_program(0x08000000, 20'000);
  bench.chip().flash().load(0x08000000, image.segments().front().data);
  for (const std::uint32_t at : {0x08001004U, 0x08003805U}) {
    const Bytes wrong{static_cast<std::uint8_t>(bench.flash({at, at + 1})[0] ^ 1)};
    bench.chip().flash().load(at, wrong);
  }
  const auto outcome = bench.update(image, {.repair = true});
  ASSERT_TRUE(outcome) << message(outcome.error());
  EXPECT_TRUE(outcome->proven);
  EXPECT_TRUE(bench.holds(image));
  for (std::size_t i = 0; i < bench.chip().flash().wear().size(); ++i) {
    EXPECT_EQ(bench.chip().flash().wear()[i], i == 2 || i == 7 ? 1U : 0U) << i;
  }
}

}  // namespace
}  // namespace sureflash::scenarios
