#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "peripheral.hpp"

#include "sureflash/sim/board/board.hpp"
#include "sureflash/sim/model/port.hpp"

namespace sureflash::sim {

/// What becomes of the chip once the ROM has it.
enum class RomFate : std::uint8_t {
  Works,   ///< USB comes up as soon as the crystal is found
  Deaf,    ///< the pull-up comes and goes, nobody answers, six trials, reset
  NoUsb,   ///< USB is never started; it waits for the other interfaces for ever
  Hangs,   ///< the core crashed inside the ROM
  Resets,  ///< at once
};

/// ST's boot loader on the board: finds the crystal, then is the protocol model of the ROM on the
/// same chip. Sources: AN2606 chapter 22 with tables 227 and 229; AN2662.
class Rom final : private Firmware {
  /// How far it is with finding the crystal.
  struct Search {
    RomFate fate = RomFate::Works;
    Duration entered{};
    unsigned trial = 0;  ///< 1 to 6; 0: none yet
    bool pulled_up = false;
    bool answers = false;    ///< in this trial the clock fits
    bool host_seen = false;  ///< frames have come
    Duration next_step = kNoTime;
  };

 public:
  struct State {
    std::shared_ptr<const Port> port;
    DfuSeRom loader;
    Search search;
  };

  struct World {
    std::function<void(ResetCause)> reset;
    std::function<void(std::uint32_t)> start_application;
    std::function<void()> lose_power;
    /// attached() may have changed.
    std::function<void()> connection;
    std::function<void(RomTrial)> trial;
  };

  /// `chip` must outlive this.
  Rom(const BoardOptions& options, Chip& chip, World world);

  void enter(Duration now, RomFate fate, bool vbus);
  /// Power-on, or any reset: the ROM has not got the chip any more.
  void leave();
  State state() const { return {port_.state(), loader_, search_}; }
  /// Precondition: a state of this very object.
  void restore(const State& state);
  bool attached() const;
  Duration now() const { return port_.now(); }
  /// Until when `advance_to` may go at once.
  Duration next_step() const { return search_.next_step; }
  void advance_to(Duration time);

  Completion control(const proto::Setup& setup, ByteView out, ByteSpan in, Duration timeout);
  void bus_reset();
  void set_vbus(bool on);

 private:
  void system_reset(Duration at) override;
  void start_application(Duration at, std::uint32_t base) override;
  void start_loader(Duration at) override;
  void reconnect(Duration at) override;
  void lose_power(Duration at) override;

  void step();
  void begin_trial();
  void end_trial();

  BoardOptions options_;
  Chip& chip_;
  World world_;
  Port port_;
  DfuSeRom loader_;
  Search search_;
};

}  // namespace sureflash::sim
