#include "sureflash/sim/debug/gdb_session.hpp"

#include <algorithm>

#include "memory_map.hpp"
#include "registers.hpp"

#include "sureflash/base/text.hpp"

namespace sureflash::sim::debug {
namespace {

constexpr std::string_view kOk = "OK";
constexpr std::string_view kBadArgument = "E16";  // EINVAL
constexpr std::string_view kBadAddress = "E0e";   // EFAULT
/// What one packet can hold in hexadecimal.
constexpr std::uint32_t kReadMax = kPacketSizeMax / 2;

constexpr std::string_view kMonitorHelp =
    "monitor reset   reset the chip; it stands at its first instruction\n"
    "monitor halt    nothing to do: the core stands whenever GDB asks\n"
    "monitor info    where the chip is: time, clock, sleep, last fault\n";

/// Signals of GDB: include/gdb/signals.def.
std::string_view signal_of(Halt why) {
  switch (why) {
    case Halt::Trap:
    case Halt::Watch:
      return "05";  // SIGTRAP
    case Halt::Interrupt:
      return "02";  // SIGINT
    case Halt::Fault:
    case Halt::Lockup:
      return "0b";  // SIGSEGV
  }
  return "05";
}

std::string_view watch_kind(cpu::Access access) {
  switch (access) {
    case cpu::Access::Write:
      return "watch";
    case cpu::Access::Read:
      return "rwatch";
    case cpu::Access::ReadWrite:
      return "awatch";
  }
  return "awatch";
}

std::string hex_number(std::uint32_t value) {
  std::string digits = to_hex_le(__builtin_bswap32(value));
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
  return digits;
}

}  // namespace

GdbSession::~GdbSession() {
  for (const std::uint32_t at : breakpoints_) target_.core().remove_breakpoint(at);
  for (const Watch& w : watches_) target_.core().remove_watchpoint(w.begin);
  target_.core().set_halt_on_bkpt(false);
}

void GdbSession::feed(ByteView bytes) {
  for (const Received& item : reader_.feed(bytes)) {
    if (const auto* packet = std::get_if<Packet>(&item)) {
      receive(*packet);
    } else if (std::holds_alternative<BadPacket>(item)) {
      if (acknowledges_) output_ += '-';
    } else if (std::holds_alternative<Nak>(item)) {
      output_ += last_reply_;
    } else if (std::holds_alternative<Interrupt>(item) &&
               (state_ == State::Running || state_ == State::Stepping)) {
      halted(Halt::Interrupt);
    }
  }
}

void GdbSession::receive(const Packet& packet) {
  if (acknowledges_) output_ += '+';
  if (state_ == State::Running || state_ == State::Stepping) {
    // All-stop: GDB sends nothing but an interrupt now. Whoever does anyway gets the core halted.
    halted(Halt::Interrupt);
  }
  if (packet.data == "QStartNoAckMode") {
    reply(kOk);
    acknowledges_ = false;
    return;
  }
  const std::string answer = handle(packet.data);
  const bool silent =
      state_ == State::Running || state_ == State::Stepping || state_ == State::Killed;
  if (!silent || !answer.empty()) reply(answer);
}

void GdbSession::reply(std::string_view data) {
  last_reply_ = frame(data);
  output_ += last_reply_;
}

std::string GdbSession::handle(std::string_view packet) {
  if (packet.empty()) return {};
  const std::string_view rest = packet.substr(1);
  switch (packet[0]) {
    case '?':
      return stop_reply();
    case 'g':
      return read_registers();
    case 'G':
      return write_registers(rest);
    case 'p':
      return read_register(rest);
    case 'P':
      return write_register(rest);
    case 'm':
      return read_memory(rest);
    case 'M':
      return write_memory(rest, false);
    case 'X':
      return write_memory(rest, true);
    case 'c':
      return resume(rest, State::Running);
    case 's':
      return resume(rest, State::Stepping);
    case 'C':  // with a signal, which nothing here could take
      return resume(rest.substr(std::min<std::size_t>(rest.size(), 2)), State::Running);
    case 'S':
      return resume(rest.substr(std::min<std::size_t>(rest.size(), 2)), State::Stepping);
    case 'Z':
      return change_point(rest, true);
    case 'z':
      return change_point(rest, false);
    case 'H':
    case 'T':
      return std::string(kOk);
    case 'D':
      state_ = State::Detached;
      return std::string(kOk);
    case 'k':
      state_ = State::Killed;
      return {};
    case 'q':
      return query(packet);
    case 'v':
      return packet.starts_with("vCont") ? resume_vcont(packet) : flash(packet);
    default:
      return {};
  }
}

std::string GdbSession::query(std::string_view packet) {
  Parser p(packet);
  if (p.skip("qSupported")) {
    target_.core().set_halt_on_bkpt(true);
    return "PacketSize=" + hex_number(kPacketSizeMax) +
           ";QStartNoAckMode+;qXfer:features:read+;qXfer:memory-map:read+;vContSupported+";
  }
  if (p.skip("qXfer:")) return transfer(p.rest());
  if (p.skip("qRcmd,")) {
    const auto command = from_hex(p.rest());
    if (!command) return std::string(kBadArgument);
    return to_hex(monitor({reinterpret_cast<const char*>(command->data()), command->size()}));
  }
  if (packet == "qAttached") return "1";
  if (packet == "qC") return "QC1";
  if (packet == "qfThreadInfo") return "m1";
  if (packet == "qsThreadInfo") return "l";
  if (p.skip("qSymbol")) return std::string(kOk);
  return {};
}

/// qXfer:object:read:annex:offset,length: part of a document.
std::string GdbSession::transfer(std::string_view packet) {
  std::string document;
  Parser p(packet);
  if (p.skip("features:read:target.xml:")) {
    document = target_description();
  } else if (p.skip("memory-map:read::")) {
    document = memory_map(target_);
  } else {
    return p.skip("features:read:") ? "E00" : "";
  }
  const auto offset = p.number();
  if (!offset || !p.skip(",")) return std::string(kBadArgument);
  const auto length = p.number();
  if (!length || *offset > document.size()) return std::string(kBadArgument);
  const std::string part = document.substr(*offset, std::min(*length, kReadMax));
  return (*offset + part.size() < document.size() ? "m" : "l") + escape(part);
}

std::string GdbSession::monitor(std::string_view command) {
  if (command.starts_with("reset")) {
    target_.reset();
    why_ = Halt::Trap;
    return "the chip was reset\n";
  }
  if (command == "halt") return "the core is halted\n";
  if (command == "info") return target_.info();
  const std::string text =
      command == "help" ? "" : "no such command: " + std::string(command) + "\n";
  return text + std::string(kMonitorHelp);
}

std::string GdbSession::read_registers() {
  std::string text;
  for (const Register& r : registers()) text += to_hex_le(read(target_.core(), r), r.bytes);
  return text;
}

std::string GdbSession::write_registers(std::string_view hex) {
  const auto bytes = from_hex(hex);
  if (!bytes) return std::string(kBadArgument);
  std::size_t at = 0;
  for (const Register& r : registers()) {
    if (at + r.bytes > bytes->size()) break;
    write(target_.core(), r, r.bytes == 4 ? load_le32(*bytes, at) : (*bytes)[at]);
    at += r.bytes;
  }
  return std::string(kOk);
}

std::string GdbSession::read_register(std::string_view packet) {
  Parser p(packet);
  const auto number = p.number();
  const Register* which = number ? find_register(*number) : nullptr;
  if (which == nullptr) return std::string(kBadArgument);
  return to_hex_le(read(target_.core(), *which), which->bytes);
}

std::string GdbSession::write_register(std::string_view packet) {
  Parser p(packet);
  const auto number = p.number();
  const Register* which = number ? find_register(*number) : nullptr;
  if (which == nullptr || !p.skip("=")) return std::string(kBadArgument);
  const auto bytes = from_hex(p.rest());
  if (!bytes || bytes->size() != which->bytes) return std::string(kBadArgument);
  write(target_.core(), *which, which->bytes == 4 ? load_le32(*bytes) : bytes->front());
  return std::string(kOk);
}

std::string GdbSession::read_memory(std::string_view packet) {
  Parser p(packet);
  const auto address = p.number();
  if (!address || !p.skip(",")) return std::string(kBadArgument);
  const auto length = p.number();
  if (!length || !p.done()) return std::string(kBadArgument);
  Bytes bytes(std::min(*length, kReadMax));
  bytes.resize(target_.core().peek(*address, bytes));
  if (bytes.empty() && *length > 0) return std::string(kBadAddress);
  return to_hex(bytes);
}

std::string GdbSession::write_memory(std::string_view packet, bool binary) {
  Parser p(packet);
  const auto address = p.number();
  if (!address || !p.skip(",")) return std::string(kBadArgument);
  const auto length = p.number();
  if (!length || !p.skip(":")) return std::string(kBadArgument);
  const auto bytes = binary ? Bytes(p.rest().begin(), p.rest().end()) : from_hex(p.rest());
  if (!bytes || bytes->size() != *length) return std::string(kBadArgument);
  const bool done = target_.core().poke(*address, *bytes) == bytes->size();
  return std::string(done ? kOk : kBadAddress);
}

/// Z0, Z1: breakpoints, which are the same here; Z2 to Z4: watchpoints for write, read, access.
std::string GdbSession::change_point(std::string_view packet, bool insert) {
  constexpr std::size_t kPointsMax = 1000;
  Parser p(packet);
  const auto type = p.number();
  if (!type || *type > 4 || !p.skip(",")) return {};
  const auto address = p.number();
  if (!address || !p.skip(",")) return std::string(kBadArgument);
  const auto kind = p.number();
  if (!kind) return std::string(kBadArgument);
  cpu::Core& core = target_.core();
  if (*type <= 1) {
    std::erase(breakpoints_, *address & ~1U);
    core.remove_breakpoint(*address & ~1U);
    if (!insert) return std::string(kOk);
    if (breakpoints_.size() >= kPointsMax) return std::string(kBadArgument);
    breakpoints_.push_back(*address & ~1U);
    core.add_breakpoint(*address & ~1U);
    return std::string(kOk);
  }
  constexpr cpu::Access kAccess[] = {cpu::Access::Write, cpu::Access::Read, cpu::Access::ReadWrite};
  const cpu::Access access = kAccess[*type - 2];
  core.remove_watchpoint(*address);
  std::erase_if(watches_,
                [&](const Watch& w) { return w.begin == *address && w.access == access; });
  if (insert) {
    if (watches_.size() >= kPointsMax) return std::string(kBadArgument);
    watches_.push_back({*address, *kind, access});
  }
  // The core removes by address: others at the same place go back.
  for (const Watch& w : watches_) {
    if (w.begin == *address) core.add_watchpoint(w.begin, w.size, w.access);
  }
  return std::string(kOk);
}

/// vFlashErase:addr,length, vFlashWrite:addr:data, vFlashDone: what `load` does. Writes are kept
/// until the end, as the protocol allows.
std::string GdbSession::flash(std::string_view packet) {
  Parser p(packet);
  if (p.skip("vFlashErase:")) {
    const auto address = p.number();
    if (!address || !p.skip(",")) return std::string(kBadArgument);
    const auto length = p.number();
    const bool done = length && target_.erase_flash(AddressRange::sized(*address, *length));
    return std::string(done ? kOk : kBadAddress);
  }
  if (p.skip("vFlashWrite:")) {
    const auto address = p.number();
    if (!address || !p.skip(":")) return std::string(kBadArgument);
    if (!target_.flash().contains(AddressRange::sized(*address, p.rest().size()))) {
      return "E.memtype";
    }
    flash_writes_[*address] = Bytes(p.rest().begin(), p.rest().end());
    return std::string(kOk);
  }
  if (packet == "vFlashDone") {
    bool done = true;
    for (const auto& [address, bytes] : flash_writes_) {
      done = target_.write_flash(address, bytes) && done;
    }
    flash_writes_.clear();
    return std::string(done ? kOk : kBadAddress);
  }
  if (p.skip("vKill")) {
    state_ = State::Killed;
    reply(kOk);
    return {};
  }
  return {};
}

std::string GdbSession::resume(std::string_view packet, State how) {
  Parser p(packet);
  p.skip(";");
  if (const auto address = p.number()) target_.core().set_reg(15, *address);
  step_range_ = {};
  state_ = how;
  return {};
}

/// vCont;action[:thread]…: there is one thread, so the first action counts.
std::string GdbSession::resume_vcont(std::string_view packet) {
  if (packet == "vCont?") return "vCont;c;C;s;S;r";
  Parser p(packet);
  if (!p.skip("vCont;")) return {};
  step_range_ = {};
  if (p.skip("r")) {
    const auto begin = p.number();
    if (!begin || !p.skip(",")) return std::string(kBadArgument);
    const auto end = p.number();
    if (!end) return std::string(kBadArgument);
    step_range_ = {*begin, *end};
    state_ = State::Stepping;
  } else if (p.skip("s") || p.skip("S")) {
    state_ = State::Stepping;
  } else if (p.skip("c") || p.skip("C")) {
    state_ = State::Running;
  } else {
    return std::string(kBadArgument);
  }
  return {};
}

/// Range stepping: the step that ended inside the range was not the last.
bool GdbSession::step_again() {
  return state_ == State::Stepping && step_range_.contains(target_.core().reg(15)) &&
         std::ranges::find(breakpoints_, target_.core().reg(15)) == breakpoints_.end();
}

void GdbSession::halted(Halt why) {
  if (why == Halt::Trap && step_again()) return;
  state_ = State::Halted;
  why_ = why;
  reply(stop_reply());
}

/// The watchpoint that was hit: "watch:20000010;".
std::string GdbSession::watch_text() const {
  const std::uint32_t hit = target_.core().watch_hit();
  for (const Watch& w : watches_) {
    // An access is at most 8 bytes wide and may begin before what is watched.
    if (std::uint64_t{hit} + 8 <= w.begin || hit >= std::uint64_t{w.begin} + w.size) continue;
    return std::string(watch_kind(w.access)) + ":" + hex_number(std::max(hit, w.begin)) + ";";
  }
  return {};
}

/// T with what GDB would ask for next: stack pointer and program counter.
std::string GdbSession::stop_reply() const {
  const cpu::Core& core = target_.core();
  std::string text = "T" + std::string(signal_of(why_));
  if (why_ == Halt::Watch) text += watch_text();
  return text + "0d:" + to_hex_le(core.reg(13)) + ";0f:" + to_hex_le(core.reg(15)) + ";thread:1;";
}

}  // namespace sureflash::sim::debug
