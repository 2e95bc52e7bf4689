// Programming an STM32F105, measured in virtual time against the floor of the silicon, and what
// that costs on this machine. Prints a table; `./dev bench` puts it into docs/benchmarks.md.
//
// Floor: what the flash needs by its data sheet (typical times), and each byte once down and once
// up at 1 MB/s, which is full speed's limit for control transfers (USB 2.0, 5.5.4: 832 000 bytes/s,
// rounded up).

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
constexpr std::size_t kSize = 256 * 1024;
constexpr int kRuns = 9;

image::Image full_image() {
  Bytes bytes(kSize);
  std::mt19937 random(1);
  for (std::uint8_t& b : bytes) b = static_cast<std::uint8_t>(random());
  store_le32(bytes, 0, 0x20010000);
  store_le32(bytes, 4, kBase + 0x101);
  image::Image image;
  static_cast<void>(image.insert(kBase, bytes));
  return image;
}

/// 128 page erases, 131 072 half-words, the bytes once down and once up.
Duration floor_of(const stm32::Chip& chip) {
  const auto times = [](Duration d, std::size_t n) { return d * static_cast<Duration::rep>(n); };
  return times(chip.sector_erase.typ, kSize / 2048) + times(chip.program.typ, kSize / 2) +
         times(1us, 2 * kSize);
}

struct Run {
  Duration device{};
  std::chrono::nanoseconds wall{};
  bool proven = false;
};

Run run(const std::string& spec, const image::Image& image) {
  Run result;
  auto device = sim::make_device(spec);
  if (!device) return result;
  const auto began = std::chrono::steady_clock::now();
  transport::VirtualTransport transport((*device)->usb(), transport::Clock::Virtual);
  if (!transport.open(20s)) return result;
  const Duration opened = transport.now();
  auto target = transport::run(transport, update::identify());
  if (!target) return result;
  auto plan = update::make_plan(*target, image);
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

}  // namespace

int main() {
  const image::Image image = full_image();
  const stm32::Chip* chip = stm32::find_chip("stm32f105");
  const Duration floor = floor_of(*chip);
  struct Row {
    const char* spec;
    const char* what;
  };
  std::printf(
      "| 256 KiB into an STM32F105, typical data sheet times | virtual time | of the floor | wall "
      "time, best of %d |\n",
      kRuns);
  std::printf("|---|---|---|---|\n");
  std::printf("| floor of the silicon | %.3f s | 1.000 | |\n",
              static_cast<double>(floor.count()) / 1e9);
  for (const Row& row :
       {Row{"stm32f105,poll=datasheet", "poll time = operation time"},
        Row{"stm32f105,poll=0", "GETSTATUS held until the work is done"},
        Row{"stm32f105,poll=version", "poll times guessed for ROM V2.2: 40 ms, 75 ms"},
        Row{"stm32f105,poll=100", "poll time 100 ms for everything"}}) {
    Run best = run(row.spec, image);
    for (int i = 1; i < kRuns; ++i) {
      const Run again = run(row.spec, image);
      if (again.wall < best.wall) best = again;
    }
    if (!best.proven) {
      std::fprintf(stderr, "%s was not proven\n", row.spec);
      return 1;
    }
    std::printf("| %s | %.3f s | %.3f | %.1f ms |\n", row.what,
                static_cast<double>(best.device.count()) / 1e9, ratio(best.device, floor),
                static_cast<double>(best.wall.count()) / 1e6);
  }
}
