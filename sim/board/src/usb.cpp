// The USB socket of the board: the firmware's OTG_FS behind it, or the ROM.
#include <utility>

#include "machine.hpp"

namespace sureflash::sim {

bool Board::Machine::attached() const {
  if (rom_has_chip()) return rom_.attached();
  return state == BoardState::Running && socket_.pulled_up();
}

void Board::Machine::connection_changed() {
  if (attached() == attached_) return;
  attached_ = !attached_;
  if (attached_) ++attach_count_;
  emit(UsbChanged{attached_ ? UsbChange::Attached : UsbChange::Detached});
}

Completion Board::Machine::control(const proto::Setup& setup, ByteView out, ByteSpan in,
                                   Duration timeout) {
  Completion done{Handshake::Gone, 0};
  if (rom_has_chip()) {
    rom_.advance_to(now());
    done = rom_.control(setup, out, in, timeout);
    const Duration end = rom_.now();
    catch_up_with_rom();
    pass(end);
  } else if (attached()) {
    done = host_.control(setup, out, in, timeout);
  }
  emit(UsbControlled{setup, done});
  return done;
}

/// The ROM has endpoint 0 only.
Completion Board::Machine::endpoint_out(std::uint8_t endpoint, ByteView data, Duration timeout) {
  if (rom_has_chip()) return {attached() ? Handshake::Stall : Handshake::Gone, 0};
  return attached() ? host_.endpoint_out(endpoint, data, timeout) : Completion{Handshake::Gone, 0};
}

Completion Board::Machine::endpoint_in(std::uint8_t endpoint, ByteSpan data, Duration timeout) {
  if (rom_has_chip()) return {attached() ? Handshake::Stall : Handshake::Gone, 0};
  return attached() ? host_.endpoint_in(endpoint, data, timeout) : Completion{Handshake::Gone, 0};
}

void Board::Machine::bus_reset() {
  emit(UsbChanged{UsbChange::BusReset});
  if (rom_has_chip()) {
    rom_.advance_to(now());
    rom_.bus_reset();
    const Duration end = rom_.now();
    catch_up_with_rom();
    pass(end);
  } else {
    host_.bus_reset();
  }
}

void Board::Machine::set_vbus(bool on) {
  socket_.set_vbus(on);
  constexpr unsigned kVbusPin = 9;
  gpio('A')->drive(kVbusPin, on ? PinInput::High : PinInput::Low);
  if (rom_has_chip()) rom_.set_vbus(on);
  connection_changed();
  core.events_changed();
}

void Board::Machine::suspend() {
  if (!socket_.suspended() && attached()) emit(UsbChanged{UsbChange::Suspended});
  socket_.suspend();
  schedule();
}

void Board::Machine::resume() {
  if (socket_.suspended()) emit(UsbChanged{UsbChange::Resumed});
  socket_.resume();
  schedule();
}

}  // namespace sureflash::sim
