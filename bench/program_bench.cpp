// Programming STM32s, measured in virtual time against the floor of the silicon, and what that
// costs on this machine. Prints tables; `./dev bench` puts them into docs/benchmarks.md.
//
// Floor: what the flash needs by its data sheet (typical times), and each byte once down and once
// up at 1 MB/s, which is full speed's limit for control transfers (USB 2.0, 5.5.4: 832 000 bytes/s,
// rounded up). A job's time holds identification, comparing, erasing, writing and the proof.
//
// The real poll times of ROMs are not published; rows stand for behaviours that were.

#include <chrono>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "sureflash/image/image.hpp"
#include "sureflash/sim/model/profiles.hpp"
#include "sureflash/transport/virtual_driver.hpp"
#include "sureflash/update/program.hpp"

namespace {

using namespace sureflash;

constexpr std::uint32_t kBase = 0x08000000;
constexpr int kRuns = 3;

image::Image make_image(std::size_t size, std::uint32_t seed = 1) {
  Bytes bytes(size);
  std::mt19937 random(seed);
  for (std::uint8_t& b : bytes) b = static_cast<std::uint8_t>(random());
  store_le32(bytes, 0, 0x20010000);
  store_le32(bytes, 4, kBase + 0x101);
  image::Image image;
  static_cast<void>(image.insert(kBase, bytes));
  return image;
}

/// All sectors of `size` bytes erased one by one, all bytes programmed, and moved down and up once.
Duration floor_of(const stm32::Chip& chip, std::size_t size, stm32::ProgramWidth width) {
  const auto times = [](Duration d, std::size_t n) { return d * static_cast<Duration::rep>(n); };
  Duration sum = chip.program_time(size, width) + times(1us, 2 * size);
  for (const AddressRange& sector : chip.flash_map().sectors(AddressRange::sized(kBase, size))) {
    sum += chip.erase_time(sector.size(), width).typ;
  }
  return sum;
}

struct Run {
  Duration device{};
  std::chrono::nanoseconds wall{};
  bool proven = false;
};

/// The whole command on an open device: identify, compare, plan, program, prove.
Task<bool> job(const image::Image& image, update::PlanOptions options) {
  const update::Target target = co_await update::identify();
  options.survey = co_await update::survey(target, image, options);
  const update::Plan plan = co_await update::make_plan(target, image, options);
  update::Observations seen;
  const update::Outcome outcome = co_await update::program(target, plan, seen);
  co_return outcome.proven;
}

Run run(sim::VirtualDevice& device, const image::Image& image, update::PlanOptions options) {
  Run result;
  const auto began = std::chrono::steady_clock::now();
  transport::VirtualTransport transport(device.usb(), transport::Clock::Virtual);
  if (!transport.open(20s)) return result;
  const Duration opened = transport.now();
  const auto proven = transport::run(transport, job(image, options));
  result.device = transport.now() - opened;
  result.wall = std::chrono::steady_clock::now() - began;
  result.proven = proven && *proven;
  return result;
}

/// The same on many devices at once, from plugging in to the last proof, each on a bus of its own.
Run run_many(const char* spec, std::size_t devices, const image::Image& image) {
  Run result;
  const auto began = std::chrono::steady_clock::now();
  transport::VirtualDriver driver(transport::Clock::Virtual);
  std::vector<std::unique_ptr<sim::VirtualDevice>> units;
  std::size_t proven = 0;
  for (std::size_t i = 0; i < devices; ++i) {
    auto unit = sim::make_device(spec + std::string(",seed=") + std::to_string(i));
    if (!unit) return result;
    units.push_back(*std::move(unit));
    driver.plug("sim-" + std::to_string(i), units.back()->usb());
    const auto count = [&](Result<bool> done) { proven += done && *done ? 1 : 0; };
    if (!driver.start_at<bool>("sim-" + std::to_string(i), job(image, {}), {}, count)) {
      return result;
    }
  }
  driver.run();
  result.device = driver.now();
  result.wall = std::chrono::steady_clock::now() - began;
  result.proven = proven == devices;
  return result;
}

double ratio(Duration a, Duration b) {
  return static_cast<double>(a.count()) / static_cast<double>(b.count());
}

struct Job {
  const char* spec;
  const char* what;
  std::size_t size;
  update::PlanOptions options{};
  /// What is on the chip before: nothing, the image, or the image with one other byte.
  enum class Before : std::uint8_t { Nothing, Same, OnePage } before = Before::Nothing;
};

/// Runs a job kRuns times on new devices; the virtual time is the same each time.
Run best_of(const Job& job, const image::Image& image) {
  Run best;
  for (int i = 0; i < kRuns; ++i) {
    auto device = sim::make_device(job.spec);
    if (!device) return {};
    if (job.before != Job::Before::Nothing) {
      Bytes bytes = image.segments().front().data;
      if (job.before == Job::Before::OnePage) bytes[bytes.size() / 2] ^= 0x5A;
      (*device)->chip().flash().load(kBase, bytes);
    }
    const Run one = run(**device, image, job.options);
    if (i == 0 || one.wall < best.wall) best = one;
    if (!one.proven) return one;
  }
  return best;
}

constexpr std::size_t kF105 = 256 * 1024;
constexpr std::size_t kF405 = 1024 * 1024;
constexpr std::size_t kMany = 16;
constexpr update::PlanOptions kWord{.width = stm32::ProgramWidth::Word};

enum Row : std::size_t { kBlank, kWiped, kUnchanged, kOnePage };

const Job kJobs[] = {
    {"stm32f105,poll=datasheet", "F105, 256 KiB, blank; poll time = operation time", kF105},
    {"stm32f105,poll=datasheet,fill=noise",
     "F105, 256 KiB, other contents (by mass erase); poll time = operation time", kF105},
    {"stm32f105,poll=datasheet", "F105, 256 KiB, unchanged, proven", kF105, {}, Job::Before::Same},
    {"stm32f105,poll=datasheet",
     "F105, 256 KiB, one page changed",
     kF105,
     {},
     Job::Before::OnePage},
    {"stm32f105,poll=100", "F105, 256 KiB, blank; 100 ms announced for everything, held", kF105},
    {"stm32f105,poll=100,held=0", "F105, 256 KiB, blank; 100 ms for everything, not held", kF105},
    {"stm32f105,poll=version", "F105, 256 KiB, blank; guess for ROM V2.2: 40 ms, 75 ms", kF105},
    {"stm32f105,poll=0", "F105, 256 KiB, blank; GETSTATUS held", kF105},
    {"stm32f405", "F405, 1 MiB, blank; poll time = operation time", kF405},
    {"stm32f405", "F405, 1 MiB, blank, `--new-chip`", kF405, {.new_chip = true}},
    {"stm32f405",
     "F405, 1 MiB, blank, `--new-chip --vdd 3.3`",
     kF405,
     {.new_chip = true, .width = stm32::ProgramWidth::Word}},
    {"stm32f405,fill=noise", "F405, 1 MiB, other contents", kF405},
    {"stm32f405,fill=noise", "F405, 1 MiB, other contents, `--vdd 3.3`", kF405, kWord},
};

void print_row(const Job& job, Duration floor, const Run& best) {
  std::printf("| %s | %.3f s | %.3f | %.1f ms |\n", job.what,
              static_cast<double>(best.device.count()) / 1e9, ratio(best.device, floor),
              static_cast<double>(best.wall.count()) / 1e6);
}

void print_target(const char* what, double target, const char* of, double measured) {
  std::printf("| %s | at most %.2f %s | %.3f | %s |\n", what, target, of, measured,
              measured <= target ? "met" : "missed");
}

/// `all` are the rows of kJobs.
bool print_targets(const std::vector<Run>& all, Duration f105_floor) {
  std::printf("\n| job | target | measured | |\n|---|---|---|---|\n");
  print_target("F105, 256 KiB, blank chip, verify included", 1.03, "x floor",
               ratio(all[kBlank].device, f105_floor));
  print_target("F105, 256 KiB, everything allowed to be wiped", 0.75, "x floor with page erases",
               ratio(all[kWiped].device, f105_floor));
  print_target("F105, unchanged image, proven", 0.12, "x full programming",
               ratio(all[kUnchanged].device, all[kWiped].device));
  print_target("F105, one page changed", 0.15, "x full programming",
               ratio(all[kOnePage].device, all[kWiped].device));
  const image::Image image = make_image(kF105);
  const char* spec = "stm32f105,poll=datasheet,fill=noise";
  const Run one = run_many(spec, 1, image);
  const Run many = run_many(spec, kMany, image);
  if (!one.proven || !many.proven) return false;
  print_target("16 x F105 at once, each on its own bus, from plugging in to the last proof", 1.10,
               "x one", ratio(many.device, one.device));
  std::printf("\nThe 16 need %.1f ms of wall time, simulation included; one needs %.1f ms.\n",
              static_cast<double>(many.wall.count()) / 1e6,
              static_cast<double>(one.wall.count()) / 1e6);
  return true;
}

}  // namespace

int main() {
  std::printf(
      "| job, typical data sheet times | virtual time | of the floor (every sector erased, usual "
      "width) | wall time, best of %d |\n|---|---|---|---|\n",
      kRuns);
  std::vector<Run> all;
  Duration f105_floor{};
  for (const Job& job : kJobs) {
    const image::Image image = make_image(job.size);
    const auto name = std::string_view(job.spec).substr(0, std::string_view(job.spec).find(','));
    const Duration floor = floor_of(*stm32::find_chip(name), job.size, stm32::ProgramWidth::Usual);
    if (job.size == kF105) f105_floor = floor;
    all.push_back(best_of(job, image));
    if (!all.back().proven) {
      std::fprintf(stderr, "%s was not proven\n", job.spec);
      return 1;
    }
    print_row(job, floor, all.back());
  }
  return print_targets(all, f105_floor) ? 0 : 1;
}
