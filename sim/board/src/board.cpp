#include "sureflash/sim/board/board.hpp"

#include "machine.hpp"

#include "sureflash/base/text.hpp"

namespace sureflash::sim {

Board::Board(std::unique_ptr<Machine> machine) : machine_(std::move(machine)) {}
Board::~Board() = default;

Result<std::unique_ptr<Board>> Board::create(BoardOptions options,
                                             std::span<const BoardSegment> firmware) {
  if (options.flash_kib != 64 && options.flash_kib != 128 && options.flash_kib != 256) {
    return fail(Errc::NotForThisDevice,
                "an STM32F105 has 64, 128 or 256 KiB of flash, not " + decimal(options.flash_kib));
  }
  auto machine = std::make_unique<Machine>(options);
  for (const BoardSegment& segment : firmware) {
    if (machine->load(segment)) continue;
    return fail(Error(Errc::NotForThisDevice, "the STM32F105 has no flash or RAM there")
                    .at(AddressRange::sized(segment.address, segment.bytes.size())));
  }
  machine->power_on();
  return std::unique_ptr<Board>(new Board(std::move(machine)));
}

BoardStop Board::run(Duration until) {
  return machine_->run(until);
}
BoardStop Board::step() {
  return machine_->step();
}
void Board::request_stop() {
  machine_->request_stop();
}
void Board::stop_on_reset(bool on) {
  machine_->stop_on_reset = on;
}
void Board::stop_on_fault(bool on) {
  machine_->stop_on_fault = on;
}
void Board::set_debugger(std::function<void(BoardStop)> on_stop) {
  machine_->debugger = std::move(on_stop);
}
void Board::set_observer(BoardObserver observer) {
  machine_->observer = std::move(observer);
}
BoardState Board::state() const {
  return machine_->state;
}
const BoardOptions& Board::options() const {
  return machine_->options;
}
cpu::Core& Board::core() {
  return machine_->core;
}
const cpu::Core& Board::core() const {
  return machine_->core;
}
Chip& Board::chip() {
  return machine_->chip;
}
const Chip& Board::chip() const {
  return machine_->chip;
}
std::uint32_t Board::core_hz() const {
  return machine_->clocks().hclk;
}

void Board::set_pin(char port, unsigned pin, PinInput level) {
  if (Gpio* at = machine_->gpio(port); at != nullptr && pin < Gpio::kPins) at->drive(pin, level);
}
bool Board::pin(char port, unsigned pin) const {
  const Gpio* at = machine_->gpio(port);
  return at != nullptr && pin < Gpio::kPins && at->level(pin);
}
void Board::uart_receive(unsigned usart, ByteView bytes) {
  machine_->uart_receive(usart, bytes);
}
void Board::reset_pin() {
  machine_->request_reset(ResetCause::Pin);
}
void Board::power_cycle() {
  machine_->power_cycle();
}
void Board::cut_power() {
  machine_->lose_power();
}
void Board::cut_power_at_cycle(std::uint64_t cycle) {
  machine_->cut_power_at(cycle);
}
void Board::cut_power_at_flash_operation(std::uint64_t number, FlashFault when) {
  machine_->chip.operations().add({when, number, number});
}

std::shared_ptr<const Board::Snapshot> Board::snapshot() const {
  return machine_->snapshot();
}
void Board::restore(const Snapshot& snapshot) {
  machine_->restore(snapshot);
}

Duration Board::now() const {
  return machine_->now();
}
void Board::advance_to(Duration time) {
  machine_->pass(time);
}
bool Board::attached() const {
  return machine_->attached();
}
std::uint32_t Board::attach_count() const {
  return machine_->attach_count();
}
Completion Board::control(const proto::Setup& setup, ByteView out, ByteSpan in, Duration timeout) {
  return machine_->control(setup, out, in, timeout);
}
Completion Board::endpoint_out(std::uint8_t endpoint, ByteView data, Duration timeout) {
  return machine_->endpoint_out(endpoint, data, timeout);
}
Completion Board::endpoint_in(std::uint8_t endpoint, ByteSpan data, Duration timeout) {
  return machine_->endpoint_in(endpoint, data, timeout);
}
void Board::bus_reset() {
  machine_->bus_reset();
}
void Board::set_vbus(bool on) {
  machine_->set_vbus(on);
}
void Board::suspend() {
  machine_->suspend();
}
void Board::resume() {
  machine_->resume();
}

}  // namespace sureflash::sim
