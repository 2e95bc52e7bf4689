// A layout string, whatever a device sends: a map that keeps its promises, or an error.

#include <string_view>

#include "fuzz.hpp"

#include "sureflash/stm32/memory_map.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sureflash;
  const auto map = stm32::parse_layout({reinterpret_cast<const char*>(data), size});
  if (!map) return 0;
  fuzz::require(!map->runs().empty(), "a map has runs");
  std::uint64_t end = 0;
  for (const stm32::SectorRun& run : map->runs()) {
    fuzz::require(run.range.begin >= end, "runs rise and do not overlap");
    fuzz::require(run.range.end <= 0x1'0000'0000, "runs lie in 32 bits");
    fuzz::require(run.count() > 0 && run.count() * run.sector_size == run.range.size(),
                  "runs are whole sectors");
    fuzz::require(run.sector_at(run.range.end - 1).end == run.range.end,
                  "the last sector ends a run");
    end = run.range.end;
  }
  return 0;
}
