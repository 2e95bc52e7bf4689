#include "runner.hpp"

#include <algorithm>
#include <thread>

#include "../interrupt.hpp"
#include <fmt/format.h>

namespace sureflash::cli {
namespace {

using sim::BoardStop;
using sim::debug::Halt;
using State = sim::debug::GdbSession::State;

constexpr Duration kSlice = 1ms;
constexpr Duration kDefaultLimit = 10s;
constexpr Duration kNoLimit = Duration::max();
constexpr Duration kLookForInterrupt = 100ms;

bool is_watchdog(sim::ResetCause cause) {
  return cause == sim::ResetCause::IndependentWatchdog || cause == sim::ResetCause::WindowWatchdog;
}

Halt halt_of(BoardStop stop) {
  switch (stop) {
    case BoardStop::Watchpoint:
      return Halt::Watch;
    case BoardStop::Fault:
      return Halt::Fault;
    case BoardStop::Lockup:
      return Halt::Lockup;
    default:
      return Halt::Trap;
  }
}

}  // namespace

Result<std::unique_ptr<Runner>> Runner::create(const Options& options, Output& output) {
  std::string_view text = options.file;
  if (text.starts_with("board:")) text.remove_prefix(6);
  TRY_ASSIGN(auto spec, sim::parse_board(text));
  if (options.sim_run.vbus) spec.options.vbus = *options.sim_run.vbus;
  if (options.sim_run.charger) spec.options.vbus = true;
  sim::firmware::ChipMemory memory;
  memory.flash = AddressRange::sized(memory.flash.begin, spec.options.flash_kib * 1024ULL);
  if (spec.options.flash_kib == 64) memory.name = "STM32F105x8";
  if (spec.options.flash_kib == 128) memory.name = "STM32F105xB";
  TRY_ASSIGN(auto elf, sim::firmware::Elf::open(spec.firmware, memory));
  std::unique_ptr<Runner> runner(new Runner(options, std::move(spec), output, std::move(elf)));
  runner->memory_ = memory;
  TRY(runner->parse());
  TRY(runner->find_symbols());
  TRY(runner->make_board());
  if (options.sim_run.gdb) TRY(runner->open_gdb(*options.sim_run.gdb));
  return runner;
}

Runner::Runner(const Options& options, sim::BoardSpec spec, Output& output, sim::firmware::Elf elf)
    : options_(options.sim_run),
      spec_(std::move(spec)),
      output_(output),
      elf_(std::move(elf)),
      log_(output_, elf_) {}

Result<void> Runner::parse() {
  const SimRunOptions& o = options_;
  for (const std::string& text : o.until) {
    TRY_ASSIGN(auto condition, parse_condition(text));
    conditions_.push_back(std::move(condition));
  }
  for (const std::string& text : o.at) {
    TRY_ASSIGN(auto action, parse_action(text));
    actions_.push_back(std::move(action));
  }
  std::ranges::stable_sort(actions_, {}, &Action::at);
  limit_ = o.gdb ? kNoLimit : kDefaultLimit;
  if (!o.time.empty()) {
    TRY_ASSIGN(limit_, parse_duration(o.time));
  }
  for (const std::string& text : o.uart) {
    TRY_ASSIGN(auto port, UartPort::open(text, output_.out()));
    if (!port.terminal().empty()) {
      output_.note(fmt::format("USART{} is at {}", port.usart(), port.terminal()));
    }
    uarts_.push_back(std::move(port));
  }
  return {};
}

Result<void> Runner::find_symbols() {
  for (const Condition& condition : conditions_) {
    const auto* symbol = std::get_if<UntilSymbol>(&condition.what);
    if (symbol == nullptr) continue;
    const auto address = elf_.address_of(symbol->name);
    if (!address) {
      return sureflash::fail(Errc::Usage,
                             fmt::format("the firmware has no symbol \"{}\"", symbol->name));
    }
    symbols_.push_back(*address);
  }
  return {};
}

Result<void> Runner::keep_chip() {
  if (spec_.state_file.empty()) return {};
  TRY_ASSIGN(auto file, sim::StateFile::open(spec_.state_file));
  state_.emplace(std::move(file));
  TRY_ASSIGN(const bool existed, state_->load(board_->chip()));
  if (existed) board_->power_cycle();
  return {};
}

Result<void> Runner::save() {
  if (!state_) return {};
  return state_->save(board_->chip());
}

Result<void> Runner::make_board() {
  std::vector<sim::BoardSegment> segments;
  for (const auto& s : elf_.segments()) segments.push_back({s.address, s.bytes});
  TRY_ASSIGN(board_, sim::Board::create(spec_.options, segments));
  TRY(keep_chip());
  board_->set_observer([this](const sim::BoardEvent& event) { on_event(event); });
  board_->set_debugger([this](BoardStop stop) { debug(stop); });
  board_->stop_on_fault(true);
  board_->stop_on_reset(true);
  for (const std::uint32_t address : symbols_) board_->core().add_breakpoint(address);
  arm();
  if (!options_.charger) {
    host_.emplace(*board_, sim::Pace::Fast, [this] { return board_->now(); });
  }
  return {};
}

Result<void> Runner::open_gdb(std::uint16_t port) {
  target_.emplace(*board_, elf_);
  TRY_ASSIGN(gdb_, sim::debug::GdbServer::create(*target_, port));
  output_.note(fmt::format("waiting for GDB: gdb-multiarch {} -ex \"target remote :{}\"",
                           spec_.firmware, gdb_->tcp_port()));
  output_.event("waiting", {{"gdb_port", gdb_->tcp_port()}});
  output_.flush();
  return {};
}

/// The stack must stay above the data, if it is linked above them.
void Runner::arm() {
  const std::uint32_t end = elf_.data_end();
  board_->core().watch_for_mistakes(elf_.initial_stack() > end ? end : 0);
}

// --- What happens -----------------------------------------------------------------------------

void Runner::on_event(const sim::BoardEvent& event) {
  if (ending_) return;
  log_.event(event);
  if (const auto* byte = std::get_if<sim::UartSent>(&event.what)) return sent(*byte);
  if (const auto* fault = std::get_if<sim::FaultTaken>(&event.what)) {
    faults_.push_back({event.time, fault->fault});
  }
  if (const auto* reset = std::get_if<sim::ChipReset>(&event.what)) {
    if (is_watchdog(reset->cause)) watchdog_.emplace(event.time, reset->cause);
  }
  if (const auto* misuse = std::get_if<sim::Misuse>(&event.what); misuse && options_.strict) {
    fail(misuse->text);
  }
  check(event);
}

void Runner::sent(const sim::UartSent& byte) {
  constexpr std::size_t kHeardMax = 4096;
  for (UartPort& port : uarts_) {
    if (port.usart() == byte.usart) port.write(byte.byte);
  }
  if (byte.usart >= heard_.size()) return;
  std::string& heard = heard_[byte.usart];
  if (heard.size() >= 2 * kHeardMax) heard.erase(0, kHeardMax);
  heard += static_cast<char>(byte.byte);
  for (const Condition& condition : conditions_) {
    const auto* text = std::get_if<UntilText>(&condition.what);
    if (text == nullptr || (text->usart != 0 && text->usart != byte.usart)) continue;
    if (heard.ends_with(text->text)) met(condition);
  }
}

void Runner::check(const sim::BoardEvent& event) {
  const auto holds = [&event](const Condition& condition) {
    if (const auto* until = std::get_if<UntilPin>(&condition.what)) {
      const auto* pin = std::get_if<sim::PinChanged>(&event.what);
      return pin != nullptr && PinName{pin->port, pin->pin} == until->pin &&
             pin->high == until->high;
    }
    if (const auto* until = std::get_if<UntilUsb>(&condition.what)) {
      if (const auto* usb = std::get_if<sim::UsbChanged>(&event.what)) {
        return (until->state == UsbState::Attached && usb->what == sim::UsbChange::Attached) ||
               (until->state == UsbState::Detached && usb->what == sim::UsbChange::Detached) ||
               (until->state == UsbState::Suspended && usb->what == sim::UsbChange::Suspended);
      }
      const auto* control = std::get_if<sim::UsbControlled>(&event.what);
      constexpr auto kSetConfiguration =
          static_cast<std::uint8_t>(proto::StandardRequest::SetConfiguration);
      return until->state == UsbState::Configured && control != nullptr &&
             control->setup.bmRequestType == proto::kStandardOutDevice &&
             control->setup.bRequest == kSetConfiguration && control->setup.wValue != 0 &&
             control->completion.handshake == sim::Handshake::Ack;
    }
    if (const auto* until = std::get_if<UntilHappening>(&condition.what)) {
      const auto* reset = std::get_if<sim::ChipReset>(&event.what);
      return (until->what == Happening::Reset && reset != nullptr &&
              reset->cause != sim::ResetCause::PowerOn) ||
             (until->what == Happening::Rom && std::holds_alternative<sim::RomEntered>(event.what));
    }
    return false;
  };
  for (const Condition& condition : conditions_) {
    if (!ending_ && holds(condition)) met(condition);
  }
}

void Runner::met(const Condition& condition) {
  if (ending_) return;
  ending_ = Ending{End::Met, condition.text};
  board_->request_stop();
}

void Runner::fail(std::string why) {
  if (ending_) return;
  ending_ = Ending{End::Failed, std::move(why)};
  board_->request_stop();
}

void Runner::report_faults() {
  for (const Fault& fault : std::exchange(faults_, {})) {
    if (ending_) return;
    const auto r = sim::debug::report(fault.record, board_->core(), &elf_, memory_);
    log_.report(fault.time, "fault", r);
    for (const Condition& condition : conditions_) {
      const auto* until = std::get_if<UntilHappening>(&condition.what);
      if (until != nullptr && until->what == Happening::Fault) met(condition);
    }
    const bool dead = fault.record.exception == 0;
    if (!debugging() && (dead || !options_.go_on)) fail(r.kind);
  }
}

void Runner::report_mistakes() {
  for (const auto& mistake : board_->core().take_mistakes()) {
    if (ending_) return;
    const bool stack = mistake.what == sim::cpu::Mistake::StackOverflow;
    const auto r = sim::debug::report(mistake, board_->core(), &elf_);
    log_.report(board_->now(), stack ? "fault" : "warning", r);
    if (stack && !options_.go_on && !debugging()) fail(r.kind);
  }
}

void Runner::watchdog_bit(sim::ResetCause cause, Duration time) {
  const auto r = sim::debug::report_before_reset(
      fmt::format("watchdog: reset {}", name(cause)),
      "it was started and not fed in time; the program was here, or was waiting here",
      board_->core(), &elf_);
  log_.report(time, "fault", r);
  if (!options_.go_on && !debugging()) fail(r.kind);
}

// --- Running ----------------------------------------------------------------------------------

/// Whether the board may run; false: GDB is gone for good, or Ctrl-C ended the waiting.
bool Runner::wait_for_gdb() {
  if (!gdb_) return true;
  gdb_->poll(Duration::zero());
  while (interrupt_count() == 0) {
    const State state = gdb_->state();
    if (state == State::Killed) return false;
    if (state != State::Halted) return true;
    output_.flush();
    gdb_->poll(kLookForInterrupt);
  }
  return false;
}

/// The core stopped while the host was talking to the board: here, until GDB lets it go on.
void Runner::debug(BoardStop stop) {
  if (ending_) return;
  after(stop);
  while (debugging() && wait_for_gdb() && gdb_->state() == State::Stepping) after(board_->step());
}

void Runner::run_slice() {
  if (debugging() && gdb_->state() == State::Stepping) return after(board_->step());
  Duration until = std::min(limit_, board_->now() + kSlice);
  if (next_action_ < actions_.size()) until = std::min(until, actions_[next_action_].at);
  if (until > board_->now()) after(board_->run(until));
}

void Runner::after(BoardStop stop) {
  report_mistakes();
  report_faults();
  if (const auto bit = std::exchange(watchdog_, std::nullopt); bit && !ending_) {
    watchdog_bit(bit->second, bit->first);
  }
  if (ending_) return;
  if (stop == BoardStop::Reset) return arm();
  const std::uint32_t pc = board_->core().reg(15);
  if (stop == BoardStop::Breakpoint && std::ranges::count(symbols_, pc) > 0) {
    for (const Condition& condition : conditions_) {
      const auto* symbol = std::get_if<UntilSymbol>(&condition.what);
      if (symbol != nullptr && elf_.address_of(symbol->name) == pc) met(condition);
    }
    return;
  }
  const bool time_only =
      stop == BoardStop::Deadline || stop == BoardStop::Requested || stop == BoardStop::NoPower;
  if (debugging() && !time_only) gdb_->halted(halt_of(stop));
}

void Runner::act() {
  while (next_action_ < actions_.size() && actions_[next_action_].at <= board_->now()) {
    const Action& action = actions_[next_action_++];
    log_.action(board_->now(), action.text);
    carry_out(action);
  }
  for (UartPort& port : uarts_) {
    const Bytes typed = port.typed();
    if (!typed.empty()) board_->uart_receive(port.usart(), typed);
  }
}

void Runner::carry_out(const Action& action) {
  if (const auto* pin = std::get_if<SetPin>(&action.what)) {
    board_->set_pin(pin->pin.port, pin->pin.pin, pin->level);
  } else if (const auto* vbus = std::get_if<SetVbus>(&action.what)) {
    if (host_) {
      host_->set_vbus(vbus->on);
    } else {
      board_->set_vbus(vbus->on);
    }
  } else if (std::holds_alternative<PressReset>(action.what)) {
    board_->reset_pin();
  } else if (const auto* text = std::get_if<SendText>(&action.what)) {
    board_->uart_receive(
        text->usart, {reinterpret_cast<const std::uint8_t*>(text->text.data()), text->text.size()});
  } else {
    board_->cut_power();
    board_->power_cycle();
  }
}

void Runner::keep_pace() {
  if (spec_.clock != sim::ClockChoice::Real) return;
  output_.flush();
  const Duration ahead = board_->now() - (sim::monotonic_clock() - wall_start_);
  if (ahead > Duration::zero()) std::this_thread::sleep_for(std::min(ahead, kLookForInterrupt));
}

Runner::Ending Runner::run() {
  wall_start_ = sim::monotonic_clock();
  while (!ending_ && board_->now() < limit_) {
    if (interrupt_count() > 0) {
      ending_ = Ending{End::Interrupted, {}};
    } else if (!wait_for_gdb()) {
      const bool killed = gdb_->state() == State::Killed;
      ending_ = Ending{killed ? End::Killed : End::Interrupted, {}};
    } else {
      act();
      run_slice();
      if (host_ && !ending_) host_->tick();
      report_faults();
      keep_pace();
    }
  }
  log_.finish();
  return ending_.value_or(Ending{});
}

}  // namespace sureflash::cli
