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

#include "sureflash/image/image.hpp"
#include "sureflash/sim/model/profiles.hpp"
#include "sureflash/transport/virtual.hpp"
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
Run run(sim::VirtualDevice& device, const image::Image& image, update::PlanOptions options) {
  Run result;
  const auto began = std::chrono::steady_clock::now();
  transport::VirtualTransport transport(device.usb(), transport::Clock::Virtual);
  if (!transport.open(20s)) return result;
  const Duration opened = transport.now();
  auto target = transport::run(transport, update::identify());
  if (!target) return result;
  auto survey = transport::run(transport, update::survey(*target, image, options));
  if (!survey) return result;
  options.survey = *survey;
  auto plan = update::make_plan(*target, image, options);
  if (!plan) return result;
  update::Observations seen;
  auto outcome = transport::run(transport, update::program(*target, *plan, seen));
  result.device = transport.now() - opened;
  result.wall = std::chrono::steady_clock::now() - began;
  result.proven = outcome && outcome->proven;
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
constexpr update::PlanOptions kWord{.width = stm32::ProgramWidth::Word};

const Job kJobs[] = {
    {"stm32f105,poll=datasheet", "F105, 256 KiB, blank; poll time = operation time", kF105},
    {"stm32f105,poll=datasheet,fill=noise",
     "F105, 256 KiB, other contents (by mass erase); poll time = operation time", kF105},
    {"stm32f105,poll=100", "F105, 256 KiB, blank; 100 ms announced for everything, held", kF105},
    {"stm32f105,poll=100,held=0", "F105, 256 KiB, blank; 100 ms for everything, not held", kF105},
    {"stm32f105,poll=version", "F105, 256 KiB, blank; guess for ROM V2.2: 40 ms, 75 ms", kF105},
    {"stm32f105,poll=0", "F105, 256 KiB, blank; GETSTATUS held", kF105},
    {"stm32f105,poll=datasheet", "F105, 256 KiB, unchanged, proven", kF105, {}, Job::Before::Same},
    {"stm32f105,poll=datasheet",
     "F105, 256 KiB, one page changed",
     kF105,
     {},
     Job::Before::OnePage},
    {"stm32f405", "F405, 1 MiB, blank; poll time = operation time", kF405},
    {"stm32f405,fill=noise", "F405, 1 MiB, other contents", kF405},
    {"stm32f405,fill=noise", "F405, 1 MiB, other contents, `--vdd 3.3`", kF405, kWord},
};

}  // namespace

int main() {
  std::printf(
      "| job, typical data sheet times | virtual time | of the floor (every sector erased, usual "
      "width) | wall time, best of %d |\n|---|---|---|---|\n",
      kRuns);
  for (const Job& job : kJobs) {
    const image::Image image = make_image(job.size);
    const auto name = std::string_view(job.spec).substr(0, std::string_view(job.spec).find(','));
    const Duration floor = floor_of(*stm32::find_chip(name), job.size, stm32::ProgramWidth::Usual);
    const Run best = best_of(job, image);
    if (!best.proven) {
      std::fprintf(stderr, "%s was not proven\n", job.spec);
      return 1;
    }
    std::printf("| %s | %.3f s | %.3f | %.1f ms |\n", job.what,
                static_cast<double>(best.device.count()) / 1e9, ratio(best.device, floor),
                static_cast<double>(best.wall.count()) / 1e6);
  }
}
