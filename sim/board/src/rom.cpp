#include "rom.hpp"

#include <array>

namespace sureflash::sim {
namespace {

constexpr unsigned kTrials = 6;
/// AN2606 table 229: when USB comes up with 25, 14.7456 and 8 MHz. The times of the second round,
/// and of the reset behind it, are ours: AN2662 only says that its timeouts are longer.
constexpr std::array<Duration, kTrials + 1> kTrialBegins{460ms, 4500ms, 13700ms, 23s,
                                                         33s,   43s,    53s};
constexpr std::array<std::uint32_t, 3> kCrystals{25'000'000, 14'745'600, 8'000'000};
/// Between two trials D+ is low, so that the host sees a detach.
constexpr Duration kGap = 200ms;
/// Three transactions without an answer.
constexpr Duration kNoAnswer = 100us;
constexpr Duration kBusReset = 10ms;

}  // namespace

Rom::Rom(const BoardOptions& options, Chip& chip, World world)
    : options_(options),
      chip_(chip),
      world_(std::move(world)),
      loader_(f105_rom(options.rom, chip.description()), options.rom_switches, chip, *this) {}

void Rom::enter(Duration now, RomFate fate, bool vbus) {
  leave();
  port_.advance_to(now);
  port_.set_vbus(vbus);
  search_.fate = fate;
  search_.entered = now;
  search_.trial = 0;
  const bool tries = fate == RomFate::Works || fate == RomFate::Deaf;
  search_.next_step = tries ? now + kTrialBegins[0] : fate == RomFate::Resets ? now : kNoTime;
}

void Rom::leave() {
  port_.cancel_all();
  port_.detach();
  search_.pulled_up = search_.answers = false;
  search_.next_step = kNoTime;
}

void Rom::restore(const State& state) {
  port_.restore(*state.port);
  loader_ = state.loader;
  search_ = state.search;
}

bool Rom::attached() const {
  return search_.pulled_up && port_.vbus();
}

void Rom::advance_to(Duration time) {
  port_.advance_to(time);
  if (search_.next_step <= time) step();
}

/// What the ROM does by itself: the trials, then a reset.
void Rom::step() {
  if (search_.fate == RomFate::Resets) {
    leave();
    return world_.reset(ResetCause::Rom);
  }
  if (!search_.pulled_up) return begin_trial();
  end_trial();
}

void Rom::begin_trial() {
  const std::uint32_t assumed = kCrystals[search_.trial % kCrystals.size()];
  search_.answers = search_.fate == RomFate::Works && assumed == options_.hse_hz;
  search_.host_seen = false;
  ++search_.trial;
  world_.trial({search_.trial, assumed, search_.answers});
  search_.pulled_up = true;
  if (search_.answers) {
    loader_.start();
    port_.attach(loader_);
  }
  search_.next_step = search_.entered + kTrialBegins[search_.trial] - kGap;
  world_.connection();
}

/// Frames of the host tell whether the clock was right.
void Rom::end_trial() {
  if (search_.answers && search_.host_seen) {
    search_.next_step = kNoTime;
    return;
  }
  leave();
  world_.connection();
  if (search_.trial == kTrials) return world_.reset(ResetCause::Rom);
  search_.next_step = search_.entered + kTrialBegins[search_.trial];
}

Completion Rom::control(const proto::Setup& setup, ByteView out, ByteSpan in, Duration timeout) {
  if (attached() && !search_.answers) port_.advance_to(port_.now() + kNoAnswer);
  if (!attached() || !search_.answers) return {Handshake::Gone, 0};
  search_.host_seen = true;
  return port_.control(setup, out, in, timeout);
}

void Rom::bus_reset() {
  search_.host_seen = true;
  if (search_.answers) return port_.bus_reset();
  port_.advance_to(port_.now() + kBusReset);
}

void Rom::set_vbus(bool on) {
  port_.set_vbus(on);
  world_.connection();
}

void Rom::system_reset(Duration at) {
  port_.at(at, [this] {
    leave();
    world_.reset(ResetCause::Rom);
  });
}

void Rom::start_application(Duration at, std::uint32_t base) {
  port_.at(at, [this, base] {
    leave();
    if (chip_.application_plausible(base)) return world_.start_application(base);
    world_.reset(ResetCause::Rom);
  });
}

void Rom::start_loader(Duration at) {
  system_reset(at);
}

/// This ROM never does.
void Rom::reconnect(Duration) {}

void Rom::lose_power(Duration at) {
  port_.at(at, [this] {
    leave();
    world_.lose_power();
  });
}

}  // namespace sureflash::sim
