// "board:FIRMWARE…": the instruction-level board as a device.
#include <optional>

#include "files.hpp"
#include "sim_device.hpp"
#include <fmt/format.h>

#include "sureflash/image/image.hpp"
#include "sureflash/sim/board/board_spec.hpp"
#include "sureflash/sim/chip/state_file.hpp"
#include "sureflash/sim/debug/fault_report.hpp"
#include "sureflash/sim/firmware/elf.hpp"

namespace sureflash::cli {
namespace {

constexpr std::uint32_t kFlashBase = 0x08000000;

/// What is to be in flash, and the names in it if the file has any.
struct Firmware {
  std::vector<sim::firmware::Segment> segments;
  std::optional<sim::firmware::Elf> elf;
};

Result<Firmware> read_firmware(const std::string& path, std::uint32_t flash_kib) {
  TRY_ASSIGN(const Bytes file, read_file(path));
  const image::Format format = image::detect(file, path);
  if (format == image::Format::Elf) {
    const sim::firmware::ChipMemory chip{.flash =
                                             AddressRange::sized(kFlashBase, flash_kib * 1024)};
    auto elf = sim::firmware::Elf::parse(file, chip);
    if (!elf) return fail(std::move(elf).error().named(path));
    auto segments = elf->segments();
    return Firmware{std::move(segments), *std::move(elf)};
  }
  auto read = image::read(format, file, {.base = kFlashBase});
  if (!read) return fail(std::move(read).error().named(path));
  Firmware firmware;
  for (const image::Segment& segment : read->segments()) {
    firmware.segments.push_back({segment.address, segment.data});
  }
  return firmware;
}

class BoardDevice final : public SimDevice {
 public:
  static Result<std::unique_ptr<SimDevice>> make(std::string_view text) {
    auto device = std::make_unique<BoardDevice>();
    TRY_ASSIGN(device->spec_, sim::parse_board(text));
    TRY(device->open());
    return device;
  }
  ~BoardDevice() override { (void)save(); }

  sim::UsbDevice& usb() override { return *board_; }
  sim::ClockChoice clock() const override { return spec_.clock; }
  Result<void> save() override {
    if (!state_) return {};
    return state_->save(board_->chip());
  }
  std::vector<std::string> take_notes() override { return std::exchange(notes_, {}); }

 private:
  Result<void> open();
  void note(const sim::BoardEvent& event);

  sim::BoardSpec spec_;
  Firmware firmware_;
  std::unique_ptr<sim::Board> board_;
  std::optional<sim::StateFile> state_;
  std::vector<std::string> notes_;
};

Result<void> BoardDevice::open() {
  std::vector<sim::BoardSegment> segments;
  if (!spec_.firmware.empty()) {
    TRY_ASSIGN(firmware_, read_firmware(spec_.firmware, spec_.options.flash_kib));
    for (const auto& segment : firmware_.segments) {
      segments.push_back({segment.address, segment.bytes});
    }
  }
  TRY_ASSIGN(board_, sim::Board::create(spec_.options, segments));
  if (!spec_.state_file.empty()) {
    TRY_ASSIGN(auto file, sim::StateFile::open(spec_.state_file));
    state_.emplace(std::move(file));
    TRY_ASSIGN(const bool existed, state_->load(board_->chip()));
    if (existed) board_->power_cycle();
  }
  if (spec_.cut_at_cycle) board_->cut_power_at_cycle(*spec_.cut_at_cycle);
  if (spec_.cut_at_flash_operation) {
    board_->cut_power_at_flash_operation(*spec_.cut_at_flash_operation, sim::FlashFault::CutDuring);
  }
  board_->set_observer([this](const sim::BoardEvent& event) { note(event); });
  return {};
}

/// What went wrong on the board; pins and USB are the business of `sim run`.
void BoardDevice::note(const sim::BoardEvent& event) {
  const auto at = [&](std::uint32_t address) {
    return firmware_.elf ? sim::firmware::text(address, firmware_.elf->place(address))
                         : fmt::format("0x{:08X}", address);
  };
  if (const auto* misuse = std::get_if<sim::Misuse>(&event.what)) {
    notes_.push_back(fmt::format("board: {}; at {}", misuse->text, at(event.pc)));
  } else if (const auto* fault = std::get_if<sim::FaultTaken>(&event.what)) {
    const sim::firmware::Elf* elf = firmware_.elf ? &*firmware_.elf : nullptr;
    const auto report = sim::debug::report(fault->fault, board_->core(), elf);
    notes_.push_back(fmt::format("board: {}; at {}", report.kind, text(report.at)));
  } else if (const auto* failed = std::get_if<sim::RomFailed>(&event.what)) {
    for (const sim::RomCondition& condition : failed->conditions) {
      notes_.push_back(fmt::format("board: the ROM was entered although {}: {}", condition.what,
                                   condition.remedy));
    }
    notes_.push_back("board: " + failed->consequence);
  } else if (std::holds_alternative<sim::PowerLost>(event.what)) {
    notes_.push_back("board: power is lost");
  }
}

}  // namespace

Result<std::unique_ptr<SimDevice>> make_board_device(std::string_view spec) {
  return BoardDevice::make(spec);
}

}  // namespace sureflash::cli
