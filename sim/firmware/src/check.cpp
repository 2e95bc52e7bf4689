#include "check.hpp"

#include <algorithm>
#include <array>

#include "sureflash/base/text.hpp"

namespace sureflash::sim::firmware {
namespace {

constexpr std::string_view kHowToBuild = "; compile with -mcpu=cortex-m3 -mthumb";

/// Names of e_machine that somebody who builds firmware may meet. Source: gABI.
std::string machine_name(std::uint16_t machine) {
  switch (machine) {
    case EM_386:
      return "x86 (32 bits)";
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "AArch64 (64-bit ARM)";
    case EM_RISCV:
      return "RISC-V";
    case EM_AVR:
      return "AVR";
    case EM_XTENSA:
      return "Xtensa";
    case EM_MIPS:
      return "MIPS";
    case EM_PPC:
      return "PowerPC";
    default:
      return "machine " + decimal(machine);
  }
}

Result<void> check_type(std::uint16_t e_type) {
  switch (e_type) {
    case ET_EXEC:
      return {};
    case ET_REL:
      return fail(Errc::FormatInvalid,
                  "this is an object file that was not linked; link it with the linker script of "
                  "the chip");
    case ET_DYN:
      return fail(Errc::FormatInvalid,
                  "this is a position-independent or shared ELF file; link with -no-pie");
    default:
      return fail(Errc::FormatInvalid, "ELF type " + decimal(e_type) + " is not a program");
  }
}

/// A number of Tag_CPU_arch: the core it stands for, if a Cortex-M3 cannot run its code.
std::string_view foreign_core(std::uint64_t arch) {
  switch (arch) {
    case 10:  // v7: profile decides
    case 11:  // v6-M
    case 12:  // v6S-M
      return {};
    case 13:
      return "ARMv7E-M (Cortex-M4 or M7)";
    case 14:
    case 15:
      return "ARMv8-A or R (an application or real-time core)";
    case 16:
      return "ARMv8-M baseline (Cortex-M23)";
    case 17:
      return "ARMv8-M mainline (Cortex-M33)";
    case 21:
      return "ARMv8.1-M (Cortex-M55)";
    default:
      return arch < 10 ? "an ARM core before Thumb-2 (ARMv6 or older)" : "a newer ARM core";
  }
}

/// Walks over the attributes of a file, with every length checked.
class Attributes {
 public:
  explicit Attributes(ByteView bytes) : rest_(bytes) {}

  bool done() const { return rest_.empty(); }
  std::uint64_t uleb() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; !rest_.empty(); shift += 7) {
      const std::uint8_t byte = rest_.front();
      rest_ = rest_.subspan(1);
      if (shift < 63) value |= std::uint64_t{byte & 0x7FU} << shift;
      if ((byte & 0x80) == 0) break;
    }
    return value;
  }
  std::string string() {
    const auto end = std::ranges::find(rest_, std::uint8_t{0});
    std::string text(rest_.begin(), end);
    rest_ = rest_.subspan(std::min(text.size() + 1, rest_.size()));
    return text;
  }
  /// The next `length` bytes of which `used` are read already.
  Attributes part(std::uint64_t length, std::size_t used) {
    const auto size = static_cast<std::size_t>(
        std::min<std::uint64_t>(length < used ? 0 : length - used, rest_.size()));
    Attributes inner(rest_.first(size));
    rest_ = rest_.subspan(size);
    return inner;
  }
  std::uint32_t word() {
    if (rest_.size() < 4) {
      rest_ = {};
      return 0;
    }
    const std::uint32_t value = load_le32(rest_);
    rest_ = rest_.subspan(4);
    return value;
  }

 private:
  ByteView rest_;
};

struct Core {
  std::optional<std::uint64_t> arch;
  std::uint64_t profile = 0;
};

/// Attributes of the whole file, IHI 0045, 3.3.6: Tag_CPU_raw_name and Tag_CPU_name are strings;
/// from 32 on odd tags are.
void read_file_attributes(Attributes attributes, Core& core) {
  constexpr std::uint64_t kRawName = 4, kName = 5, kArch = 6, kProfile = 7, kCompatibility = 32;
  while (!attributes.done()) {
    const std::uint64_t tag = attributes.uleb();
    if (tag == kCompatibility) {
      attributes.uleb();
      attributes.string();
    } else if (tag == kRawName || tag == kName || (tag > kCompatibility && tag % 2 == 1)) {
      attributes.string();
    } else {
      const std::uint64_t value = attributes.uleb();
      if (tag == kArch) core.arch = value;
      if (tag == kProfile) core.profile = value;
    }
  }
}

Core read_core(ByteView section) {
  constexpr std::uint64_t kFile = 1;
  Core core;
  if (section.empty() || section.front() != 'A') return core;
  Attributes vendors(section.subspan(1));
  while (!vendors.done()) {
    Attributes vendor = vendors.part(vendors.word(), 4);
    if (vendor.string() != "aeabi") continue;
    while (!vendor.done()) {
      const std::uint64_t scope = vendor.uleb();
      Attributes part = vendor.part(vendor.word(), 5);
      if (scope == kFile) read_file_attributes(part, core);
    }
  }
  return core;
}

std::string range_of(const Segment& segment) {
  return text(AddressRange::sized(segment.address, segment.bytes.size()));
}

std::string_view hint_for(std::uint32_t address, const ChipMemory& chip) {
  if (address < 0x0010'0000) {
    return "; the boot alias at 0 is no place to store a program: set FLASH to 0x08000000 in the "
           "linker script";
  }
  if (chip.ram.contains(address)) {
    return "; initialised data needs a load address in flash: >RAM AT>FLASH in the linker script";
  }
  return "; use the linker script of this chip";
}

}  // namespace

std::optional<std::uint32_t> word_at(const std::vector<Segment>& segments, std::uint32_t address) {
  for (const Segment& s : segments) {
    const std::uint64_t offset = std::uint64_t{address} - s.address;
    if (address < s.address || offset + 4 > s.bytes.size()) continue;
    return load_le32(s.bytes, static_cast<std::size_t>(offset));
  }
  return std::nullopt;
}

Result<void> check_header(ByteView file) {
  constexpr std::array<std::uint8_t, 4> kMagic{0x7F, 'E', 'L', 'F'};
  if (file.size() < kMagic.size() || !std::ranges::equal(file.first(kMagic.size()), kMagic)) {
    return fail(Errc::FormatInvalid,
                "this is not an ELF file; the board needs the .elf that the linker wrote, not a "
                ".bin or .hex made from it");
  }
  if (file.size() < sizeof(Elf32_Ehdr)) return fail(Errc::Truncated, "the ELF header is cut short");
  const std::uint16_t machine = load_le16(file, 18);
  const bool little = file[EI_DATA] == ELFDATA2LSB;
  const std::uint16_t e_machine =
      little ? machine : static_cast<std::uint16_t>(machine << 8 | machine >> 8);
  if (e_machine != EM_ARM) {
    return fail(Errc::NotForThisDevice, "the program is for " + machine_name(e_machine) +
                                            ", the board has an ARM Cortex-M3" +
                                            std::string(kHowToBuild));
  }
  if (file[EI_CLASS] != ELFCLASS32) {
    return fail(Errc::FormatInvalid, "this is a 64-bit ELF file; a Cortex-M3 has 32-bit ones" +
                                         std::string(kHowToBuild));
  }
  if (!little) {
    return fail(Errc::NotForThisDevice, "the program is big-endian, the chip is little-endian" +
                                            std::string("; compile without -mbig-endian"));
  }
  return check_type(load_le16(file, 16));
}

Result<void> check_core(ByteView attributes) {
  const Core core = read_core(attributes);
  if (!core.arch) return {};
  std::string_view foreign = foreign_core(*core.arch);
  if (*core.arch == 10 && core.profile != 'M' && core.profile != 0) {
    foreign = "ARMv7-A or R (an application or real-time core)";
  }
  if (foreign.empty()) return {};
  return fail(Errc::NotForThisDevice, "the program is compiled for " + std::string(foreign) +
                                          ", the board has a Cortex-M3" + std::string(kHowToBuild));
}

Result<void> check_segments(const std::vector<Segment>& segments, const ChipMemory& chip) {
  if (segments.empty()) {
    return fail(Errc::EmptyImage,
                "the file has no segment with bytes to load; link it with the "
                "linker script of the chip");
  }
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Segment& s = segments[i];
    const std::uint64_t end = std::uint64_t{s.address} + s.bytes.size();
    if (i > 0 && segments[i - 1].address + segments[i - 1].bytes.size() > s.address) {
      return fail(Errc::Overlap, "two segments hold " + range_of(s));
    }
    if (!chip.flash.contains(s.address)) {
      return fail(Errc::WrongBase, "bytes for " + range_of(s) + ", but the flash of " + chip.name +
                                       " is " + text(chip.flash) +
                                       std::string(hint_for(s.address, chip)));
    }
    if (end > chip.flash.end) {
      return fail(Errc::OutsideMemory, "the program ends at " + hex(end) + ", the flash of " +
                                           chip.name + " at " + hex(chip.flash.end) +
                                           "; it is too large, or linked for a larger chip");
    }
  }
  return {};
}

Result<void> check_vectors(const std::vector<Segment>& segments, const ChipMemory& chip) {
  const auto base = static_cast<std::uint32_t>(chip.flash.begin);
  const auto bad = [](std::string what) {
    return fail(Errc::VectorTableImplausible, std::move(what));
  };
  const auto stack = word_at(segments, base);
  const auto reset = word_at(segments, base + 4);
  if (!stack || !reset) {
    return bad("no vector table at " + hex(base) +
               ", where the core starts: the program begins at " + hex(segments.front().address) +
               "; is it meant to lie behind a bootloader? Then link both into one file, or link it "
               "for " +
               hex(base));
  }
  if (*stack <= chip.ram.begin || *stack > chip.ram.end) {
    return bad(
        "the first word of the vector table, the stack pointer, is " + hex(*stack) +
        ", outside RAM (" + text(chip.ram) +
        "); put the vector table first (KEEP(*(.isr_vector))), and the stack into the RAM of " +
        chip.name);
  }
  if (*stack % 4 != 0) {
    return bad("the stack pointer in the vector table, " + hex(*stack) +
               ", is no multiple of 4; align the top of the stack to 8");
  }
  if (*reset % 2 == 0) {
    return bad("the reset vector " + hex(*reset) +
               " lacks the Thumb bit (bit 0), the first instruction would fault; in assembler, "
               "mark the handler with .thumb_func and .type Reset_Handler, %function");
  }
  const std::uint32_t start = *reset & ~1U;
  const bool inside = std::ranges::any_of(segments, [start](const Segment& s) {
    return start >= s.address && start - s.address < s.bytes.size();
  });
  if (!inside) {
    return bad(
        "the reset vector points to " + hex(start) +
        ", where the file has nothing; is the startup file linked in, and for this address?");
  }
  return {};
}

}  // namespace sureflash::sim::firmware
