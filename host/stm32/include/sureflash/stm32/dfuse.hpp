#pragma once

#include <cstdint>
#include <optional>

#include "sureflash/base/task.hpp"
#include "sureflash/dfu/client.hpp"

/// DfuSe: the commands ST puts into DFU_DNLOAD and DFU_UPLOAD. Sans-I/O.
/// Sources: AN3156 (protocol), AN2662 (F105/F107); deviations in dfuse.md 2.4 to 2.9 and 7.2.
namespace sureflash::stm32 {

/// How one command went, for evidence.
struct CommandReport {
  /// bwPollTimeout of the first GETSTATUS.
  Duration announced{};
  /// From the DNLOAD to the GETSTATUS that said it was done.
  Duration took{};
};

/// Time limits of commands; an operation that lasts longer is an error (StuckBusy or TimedOut).
struct CommandLimits {
  Duration command = 5s;
  Duration sector_erase = 10s;
  /// F4: up to 32 s, although its ROM announces 100 ms (dfuse.md 2.5).
  Duration mass_erase = 40s;
  Duration write = 10s;
};

/// wBlockNum by which a block of `size` bytes at `address` is reached from the address pointer;
/// nullopt: it needs a Set Address first. Devices disagree whether an address is counted in
/// wTransferSize or in the length of this very block (AN3156 against ST's middleware): both give
/// the same for block 2, and for full blocks.
std::optional<std::uint16_t> block_number(std::uint32_t pointer, std::uint32_t address,
                                          std::size_t size, std::uint16_t wTransferSize);

/// The DfuSe commands on one DFU interface. Keeps track of the device's address pointer, so that
/// consecutive blocks share one Set Address.
class DfuSe {
 public:
  /// `wTransferSize` as the device announces it: block numbers count in it. `transfer_size`, 1 …
  /// 4096: what is put into one transfer, at most.
  DfuSe(dfu::Client& client, std::uint16_t wTransferSize, std::uint16_t transfer_size,
        CommandLimits limits = {})
      : client_(&client),
        wTransferSize_(wTransferSize),
        transfer_size_(transfer_size),
        limits_(limits) {}

  dfu::Client& client() { return *client_; }

  /// Selects an alternate setting. The pointer is not known any more: many devices keep the old
  /// one.
  Task<> select(std::uint8_t alt_setting);
  /// DFU_UPLOAD block 0: codes of the supported commands. Leaves dfuIDLE.
  Task<Bytes> get_commands();
  Task<CommandReport> set_address(std::uint32_t address);
  /// Erases the sector that begins at `address`. The pointer is not known any more (middleware up
  /// to 2.5.3 overwrites it).
  Task<CommandReport> erase_sector(std::uint32_t address);
  Task<CommandReport> mass_erase();
  /// The device answers once, then wipes its flash, resets and leaves the bus.
  Task<> read_unprotect();
  /// Writes 1 … transfer_size bytes. Where the pointer allows, a counted block; else Set Address
  /// first. The caller keeps to the alignment of the chip.
  Task<CommandReport> write(std::uint32_t address, ByteView data);
  /// Reads `out.size()` bytes, any number of blocks; a short answer is ResponseTooShort. Ends in
  /// dfuIDLE.
  Task<> read(std::uint32_t address, ByteSpan out);
  /// Frees a ROM that hangs in dfuDNBUSY although its work is done (H74x): CLRSTATUS twice. Only
  /// after StuckBusy: C5 ROMs stall it. Source: betaflight-configurator, usbdfu.js.
  Task<> unstick();
  /// Tells the device to start the program at `address`. Whether it obeys shows only in what it
  /// does: some are gone before they answer, some answer with an error and leave all the same.
  /// @returns what was wrong with its answer: the wire's errors, DeviceReportsError,
  /// UnexpectedState (not dfuMANIFEST). Errors: of Set Address and of the request itself.
  Task<std::optional<Error>> leave(std::uint32_t address);

 private:
  /// Long: surely takes so long that a held ping stands out.
  enum class Work : std::uint8_t { Short, Long };
  /// DNLOAD, GETSTATUS (starts the work), wait, GETSTATUS. Source: AN3156, "Download commands".
  Task<CommandReport> execute(std::uint16_t wBlockNum, ByteView data, Duration limit, Work work);
  /// Waits for the end of an operation, no longer than it must. A device may NAK endpoint 0 while
  /// its CPU is at work; then a poll is answered when the work is done, however long the announced
  /// time. Whether it does is learned with a standard request, which cannot disturb it: two
  /// operations in a row must hold it. Until then, and for all other devices, bwPollTimeout is
  /// honoured.
  Task<proto::StatusReply> finish(proto::StatusReply started, Duration limit, Work work);
  Task<> learn(Duration limit);
  Task<> explain_stall(Error& stall);
  /// As read(); the last block has not just one byte.
  Task<> read_blocks(std::uint32_t address, ByteSpan out);
  /// wBlockNum that reaches `address` from the pointer, if one does.
  std::optional<std::uint16_t> block_for(std::uint32_t address, std::size_t size) const;
  /// Brings the device to dfuIDLE unless it is known to be there.
  Task<> ensure_idle();

  dfu::Client* client_;
  std::uint16_t wTransferSize_;
  std::uint16_t transfer_size_;
  CommandLimits limits_;
  std::optional<std::uint32_t> pointer_;
  /// Whether the device is known to be in dfuIDLE.
  bool idle_ = false;

  enum class Holding : std::uint8_t { Unknown, Yes, No };
  Holding holding_ = Holding::Unknown;
  int held_pings_ = 0;
  int quick_pings_ = 0;
};

}  // namespace sureflash::stm32
