// Any bytes as firmware for the board: refused in words, or every segment is in flash, the vectors
// are fit to start from, and every address can be asked for.

#include "fuzz.hpp"

#include "sureflash/sim/firmware/elf.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sureflash;
  const sim::firmware::ChipMemory chip;
  auto elf = sim::firmware::Elf::parse(Bytes(data, data + size), chip);
  if (!elf) {
    fuzz::require(!elf.error().detail.empty(), "an error says what was seen");
    return 0;
  }
  for (const auto& segment : elf->segments()) {
    fuzz::require(chip.flash.contains(AddressRange::sized(segment.address, segment.bytes.size())),
                  "segments are in flash");
    static_cast<void>(text(segment.address, elf->place(segment.address)));
  }
  fuzz::require(chip.ram.contains(elf->initial_stack() - 4), "the stack is in RAM");
  fuzz::require(chip.flash.contains(elf->reset()), "the program begins in flash");
  fuzz::require(elf->data_end() >= chip.ram.begin && elf->data_end() <= chip.ram.end,
                "data ends in RAM");
  for (const std::uint32_t address : {0U, elf->reset(), 0x2000'0000U, 0xFFFF'FFFFU}) {
    static_cast<void>(text(address, elf->place(address)));
  }
  return 0;
}
