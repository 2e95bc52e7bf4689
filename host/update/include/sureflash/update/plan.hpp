#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sureflash/image/image.hpp"
#include "sureflash/update/entry.hpp"
#include "sureflash/update/target.hpp"

/// What will happen to flash, as a value: computed first, printed, compared and tested; nothing is
/// sent to flash before it is complete.
namespace sureflash::update {

enum class VectorTableCheck : std::uint8_t {
  Require,  ///< the image is a program and must look like one
  Skip,     ///< it is data
};

/// What a look at the flash showed, before anything is changed (see survey() in program.hpp).
struct Survey {
  /// Sectors in which every byte of the image is there already.
  std::vector<AddressRange> equal;
  /// Sectors that are blank from end to end: they need no erase.
  std::vector<AddressRange> blank;
  std::uint64_t bytes_read = 0;
  Duration took{};
  /// It was ended early, because reading on could not pay off.
  bool stopped = false;
  /// The words that an update writes last are blank: an update was interrupted, or none was made.
  bool unfinished = false;
};

struct PlanOptions {
  VectorTableCheck vector_table = VectorTableCheck::Require;
  /// Without it, everything is erased and written.
  std::optional<Survey> survey{};
  /// What the image does not cover may be lost: allows a mass erase.
  bool may_wipe = false;
  /// The user vouches that the chip is new: what reads blank comes from the factory, not from an
  /// erase that was cut short, and is not erased again.
  bool new_chip = false;
  /// Word: the user vouches for a supply of 2.7 V to 3.6 V.
  stm32::ProgramWidth width = stm32::ProgramWidth::Usual;
  /// How the unit gets back into DFU mode.
  EntryOptions entry{};
  /// Only sectors that differ are touched, the one with the vector table included: what started
  /// before starts during a repair as well. Needs a survey.
  bool repair = false;
};

/// Expected times, from the data sheet's typical values and the speed of the bus.
struct Estimate {
  Duration erase{};
  Duration write{};
  Duration verify{};
  /// False: the chip is not known, so there is no estimate.
  bool known = false;

  Duration total() const { return erase + write + verify; }
};

/// One way to do it, and why it was taken or not.
struct Alternative {
  std::string name;  ///< "sector erase", "mass erase"; "2 KiB"
  bool chosen = false;
  Estimate estimate;
  std::string reason;
};

struct Plan {
  std::uint8_t alt_setting = 0;
  /// The way back into DFU mode; it decides the order of the next two.
  EntryPlan entry;
  /// Sectors, in the order in which they are erased. The first is the guard: it holds the vector
  /// table, so that half an application never starts; where that belongs to entry code, it is the
  /// first other sector.
  std::vector<AddressRange> erase;
  /// Runs, in the order in which they are written: blank blocks left out, aligned to the chip's
  /// write alignment. The last one, `commit`, completes the guard: initial stack pointer and reset
  /// vector, or the first bytes of that other sector. Empty: the guard is left alone (a repair), or
  /// there is none.
  std::vector<AddressRange> write;
  AddressRange commit;
  /// So many of the first of `erase`, the guard included, and so many of the first of `write`
  /// change the entry code: they are carried out in one go before the rest.
  std::size_t urgent_erases = 0;
  std::size_t urgent_writes = 0;
  /// Parts of the image that are on the device already, in sectors that are left alone.
  std::vector<AddressRange> kept;
  /// After the trial block, one command erases everything; `erase` then lists all sectors.
  bool mass_erase = false;
  stm32::ProgramWidth width = stm32::ProgramWidth::Usual;
  /// What one DFU_DNLOAD carries, at most: a multiple of the chip's write alignment. Blocks end at
  /// multiples of it.
  std::uint16_t block_size = 0;
  /// How many Set Address commands the writing needs: a block of exactly wTransferSize bytes that
  /// lies whole blocks behind the last address goes without (stm32::block_number).
  std::size_t set_addresses = 0;
  /// What is read back and compared: the payload, in rising order.
  std::vector<AddressRange> verify;
  /// Parts of erased sectors that the image does not cover: they will be blank.
  std::vector<AddressRange> also_erased;
  /// The image, filled up with the erased value to whole aligned units.
  image::Image payload;
  std::uint8_t erased_value = 0xFF;
  /// Whether `start` holds a vector table; not so on a GD32VF103.
  bool has_vectors = true;
  /// Where the program starts: the lowest address of the image.
  std::uint32_t start = 0;
  Estimate estimate;
  /// What was weighed; the chosen one first.
  std::vector<Alternative> alternatives;
  /// Sizes of block that were weighed; that of `block_size` first.
  std::vector<Alternative> block_alternatives;
  std::vector<std::string> warnings;

  /// The image is there already: only the proof is left.
  bool nothing_to_write() const { return write.empty() && erase.empty(); }

  /// What `range` shall hold, if it lies in one segment of the payload; else empty.
  ByteView bytes(AddressRange range) const;

  std::uint64_t bytes_to_erase() const;
  std::uint64_t bytes_to_write() const;
  std::uint64_t bytes_to_verify() const;
};

/// The pre-flight: everything that can be known before flash is touched.
/// Errors: EmptyImage, NoLayout, ReadProtected (two independent signs), WrongFamily,
/// NotForThisDevice (RAM, option bytes), OutsideMemory, NotErasable, NotWritable, WriteProtected,
/// Misaligned (the start; a wTransferSize below the write alignment), WrongBase,
/// VectorTableImplausible, Unsupported (word-wide programming where no document has it),
/// EntryCodeDiffers (the user wants to keep it), and those of find_entry.
Result<Plan> make_plan(const Target& target, const image::Image& image,
                       const PlanOptions& options = {});

/// Sum of the sizes.
std::uint64_t total_size(std::span<const AddressRange> ranges);

}  // namespace sureflash::update
