// How fast image files are read, in bytes of the file per second. Goal: HEX at least 200 MB/s on
// one core.

#include <cstdlib>
#include <random>

#include <benchmark/benchmark.h>

#include "sureflash/image/image.hpp"

namespace sureflash::image {
namespace {

/// 1 MiB of firmware that does not compress, and option bytes far away.
Image firmware() {
  std::mt19937 random(1);
  Bytes data(1 << 20);
  for (std::uint8_t& byte : data) byte = static_cast<std::uint8_t>(random());
  auto image = Image::from_segments({{0x0800'0000, std::move(data)}, {0x1FFF'F800, Bytes(16)}});
  if (!image) std::abort();
  return *std::move(image);
}

void read_repeatedly(benchmark::State& state, Format format, const Bytes& file) {
  for (auto _ : state) {
    auto image = read(format, file);
    if (!image) std::abort();
    benchmark::DoNotOptimize(image->size());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * file.size()));
}

void read_format(benchmark::State& state, Format format) {
  WriteOptions options;
  options.line_bytes = static_cast<std::uint8_t>(state.range(0));
  read_repeatedly(state, format, *write(format, firmware(), options));
}

/// One PT_LOAD of 1 MiB.
Bytes elf_file() {
  Bytes file{0x7F, 'E', 'L', 'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 40, 0};
  constexpr std::uint32_t kSize = 1 << 20;
  for (const std::uint32_t field : {1U, 0x0800'0001U, 52U, 0U, 0U, 0x0020'0034U, 1U, 0U})
    append_le32(file, field);
  for (const std::uint32_t field : {1U, 84U, 0x0800'0000U, 0x0800'0000U, kSize, kSize, 5U, 4U})
    append_le32(file, field);
  file.resize(84 + kSize);
  return file;
}

void read_hex(benchmark::State& state) {
  read_format(state, Format::IntelHex);
}
void read_s_record(benchmark::State& state) {
  read_format(state, Format::SRecord);
}
void read_elf(benchmark::State& state) {
  read_repeatedly(state, Format::Elf, elf_file());
}

BENCHMARK(read_hex)->Arg(16)->Arg(32)->ArgName("line_bytes");
BENCHMARK(read_s_record)->Arg(16)->Arg(32)->ArgName("line_bytes");
BENCHMARK(read_elf);

}  // namespace
}  // namespace sureflash::image
