#include "machine.hpp"

namespace sureflash::sim {

struct Board::Snapshot {
  Chip::State chip;
  cpu::State core;
  CoreClock clock;
  FpecF1 fpec;
  UsbHost::State host;
  Rom::State rom;
  std::vector<std::any> peripherals;
  BoardState state;
  std::set<std::uint32_t> reported;
  std::set<std::string> misuses;
  std::uint64_t power_cut_cycle;
  std::uint32_t attach_count;
  bool attached;
  std::optional<ResetCause> pending_reset;
};

std::shared_ptr<const Board::Snapshot> Board::Machine::snapshot() const {
  std::vector<std::any> saved;
  for (const Peripheral* p : peripherals_) saved.push_back(p->save());
  return std::make_shared<const Snapshot>(Snapshot{
      chip.state(), core.state(), clock_, fpec_, host_.state(), rom_.state(), std::move(saved),
      state, reported_, misuses_, power_cut_cycle_, attach_count_, attached_, pending_reset_});
}

void Board::Machine::restore(const Snapshot& snapshot) {
  rom_.restore(snapshot.rom);
  chip.restore(snapshot.chip);
  core.restore(snapshot.core);
  clock_ = snapshot.clock;
  fpec_ = snapshot.fpec;
  host_.restore(snapshot.host);
  for (std::size_t i = 0; i < peripherals_.size(); ++i) {
    peripherals_[i]->restore(snapshot.peripherals[i]);
  }
  state = snapshot.state;
  reported_ = snapshot.reported;
  misuses_ = snapshot.misuses;
  power_cut_cycle_ = snapshot.power_cut_cycle;
  attach_count_ = snapshot.attach_count;
  attached_ = snapshot.attached;
  pending_reset_ = snapshot.pending_reset;
  rom_requested_ = false;
  map_memory();
  schedule();
  core.events_changed();
}

}  // namespace sureflash::sim
