#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sureflash/base/address_range.hpp"
#include "sureflash/base/bytes.hpp"
#include "sureflash/base/error.hpp"

/// Firmware as the linker leaves it: what goes into flash, and the names of what is in it.
namespace sureflash::sim::firmware {

/// What an ELF file is held against.
struct ChipMemory {
  std::string name = "STM32F105xC";
  AddressRange flash{0x0800'0000, 0x0804'0000};
  AddressRange ram{0x2000'0000, 0x2001'0000};
};

/// Bytes at the address where they are stored (the load address), not where they run.
struct Segment {
  std::uint32_t address = 0;
  Bytes bytes;
};

/// An address as a person knows it. What is not known is empty.
struct Place {
  std::string symbol;  ///< demangled: "uart::send(char)"
  std::uint32_t offset = 0;
  std::string file;  ///< as the compiler was given it
  unsigned line = 0;
};
/// "main+0x12 (src/main.c:40)"; "" when nothing is known.
std::string text(const Place& place);
/// "0x08000212 main+0x12 (src/main.c:40)".
std::string text(std::uint32_t address, const Place& place);

/// An ELF file that this chip can start.
class Elf {
 public:
  /// Reads and checks. Every error says what was seen and what to do about it.
  /// Errors: FileUnreadable, FormatInvalid, Truncated, NotForThisDevice, EmptyImage, WrongBase,
  /// OutsideMemory, VectorTableImplausible.
  static Result<Elf> open(const std::string& path, const ChipMemory& chip = {});
  static Result<Elf> parse(Bytes file, const ChipMemory& chip = {});

  ~Elf();
  Elf(Elf&&) noexcept;
  Elf& operator=(Elf&&) noexcept;

  /// By address, without overlap, all in flash.
  const std::vector<Segment>& segments() const;
  std::uint32_t initial_stack() const;
  /// Address of the first instruction, without the Thumb bit.
  std::uint32_t reset() const;
  bool has_symbols() const;
  bool has_lines() const;

  /// The function or object that `address` lies in, and its source line.
  Place place(std::uint32_t address) const;
  /// Address of a symbol by its linker name ("main"), without the Thumb bit.
  std::optional<std::uint32_t> address_of(std::string_view symbol) const;
  /// The highest address that data sections (.data, .bss) use in RAM; the start of RAM if none.
  std::uint32_t data_end() const;

 private:
  struct Parts;
  explicit Elf(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace sureflash::sim::firmware
