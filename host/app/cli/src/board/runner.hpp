#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../options.hpp"
#include "conditions.hpp"
#include "gdb_board.hpp"
#include "log.hpp"
#include "uart.hpp"

#include "sureflash/sim/board/board_spec.hpp"
#include "sureflash/sim/chip/state_file.hpp"
#include "sureflash/sim/debug/gdb_server.hpp"
#include "sureflash/sim/export/host_port.hpp"

namespace sureflash::cli {

/// `sim run`: a board, a host at its socket, and what is waited for.
class Runner {
 public:
  enum class End : std::uint8_t { Time, Met, Failed, Killed, Interrupted };
  struct Ending {
    End how = End::Time;
    std::string why;  ///< the condition that was met, or what failed
  };

  /// Errors: Usage, those of Elf::open, FileUnwritable, DeviceBusy.
  static Result<std::unique_ptr<Runner>> create(const Options& options, Output& output);

  Ending run();
  /// Keeps the chip in its file, if it has one. Errors: FileUnwritable.
  Result<void> save();
  bool has_conditions() const { return !conditions_.empty(); }
  const sim::Board& board() const { return *board_; }

 private:
  struct Fault {
    Duration time{};
    sim::cpu::FaultRecord record;
  };

  Runner(const Options& options, sim::BoardSpec spec, Output& output, sim::firmware::Elf elf);
  Result<void> parse();
  Result<void> make_board();
  Result<void> keep_chip();
  Result<void> open_gdb(std::uint16_t port);
  Result<void> find_symbols();

  void on_event(const sim::BoardEvent& event);
  void check(const sim::BoardEvent& event);
  void sent(const sim::UartSent& byte);
  void met(const Condition& condition);
  void fail(std::string why);

  bool debugging() const { return gdb_ && gdb_->connected(); }
  bool wait_for_gdb();
  void debug(sim::BoardStop stop);
  void run_slice();
  void after(sim::BoardStop stop);
  void report_faults();
  void report_mistakes();
  void watchdog_bit(sim::ResetCause cause, Duration time);
  void act();
  void carry_out(const Action& action);
  void keep_pace();
  void arm();

  SimRunOptions options_;
  sim::BoardSpec spec_;
  Output& output_;
  sim::firmware::Elf elf_;
  sim::firmware::ChipMemory memory_;
  BoardLog log_;
  std::vector<Condition> conditions_;
  std::vector<Action> actions_;  ///< by time
  std::size_t next_action_ = 0;
  Duration limit_{};
  std::vector<UartPort> uarts_;
  std::array<std::string, 6> heard_;  ///< the end of what each USART sent
  std::vector<std::uint32_t> symbols_;
  std::unique_ptr<sim::Board> board_;
  std::optional<sim::StateFile> state_;
  std::optional<GdbBoard> target_;
  std::unique_ptr<sim::debug::GdbServer> gdb_;
  std::optional<sim::HostPort> host_;
  std::vector<Fault> faults_;
  std::optional<std::pair<Duration, sim::ResetCause>> watchdog_;
  std::optional<Ending> ending_;
  Duration wall_start_{};
};

}  // namespace sureflash::cli
