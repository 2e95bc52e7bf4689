#include "log.hpp"

#include <fmt/format.h>

#include "sureflash/base/text.hpp"

namespace sureflash::cli {
namespace {

constexpr std::size_t kLineMax = 160;

double seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}

std::string_view word(sim::UsbChange change) {
  switch (change) {
    case sim::UsbChange::Attached:
      return "attached";
    case sim::UsbChange::Detached:
      return "detached";
    case sim::UsbChange::BusReset:
      return "bus reset";
    case sim::UsbChange::Suspended:
      return "suspended";
    case sim::UsbChange::Resumed:
      return "resumed";
  }
  return "";
}

std::string_view word(sim::Handshake handshake) {
  switch (handshake) {
    case sim::Handshake::Ack:
      return "ok";
    case sim::Handshake::Stall:
      return "STALL";
    case sim::Handshake::Timeout:
      return "no answer (NAK until the time was over)";
    case sim::Handshake::Gone:
      return "gone";
  }
  return "";
}

std::string descriptor(std::uint16_t value) {
  using proto::DescriptorType;
  switch (static_cast<DescriptorType>(value >> 8)) {
    case DescriptorType::Device:
      return "device";
    case DescriptorType::Configuration:
      return fmt::format("configuration {}", value & 0xFF);
    case DescriptorType::String:
      return fmt::format("string {}", value & 0xFF);
    default:
      return fmt::format("{:#06x}", value);
  }
}

/// Standard requests by name. Source: USB 2.0, table 9-4.
std::string request(const proto::Setup& s) {
  using proto::StandardRequest;
  if ((s.bmRequestType & 0x60) == 0) {
    switch (static_cast<StandardRequest>(s.bRequest)) {
      case StandardRequest::GetDescriptor:
        return "GET_DESCRIPTOR " + descriptor(s.wValue);
      case StandardRequest::SetAddress:
        return fmt::format("SET_ADDRESS {}", s.wValue);
      case StandardRequest::SetConfiguration:
        return fmt::format("SET_CONFIGURATION {}", s.wValue);
      case StandardRequest::SetInterface:
        return fmt::format("SET_INTERFACE {} alt {}", s.wIndex, s.wValue);
      case StandardRequest::GetStatus:
        return "GET_STATUS";
      default:
        break;
    }
  }
  return fmt::format("request {:#04x} {:#04x} value {:#06x} index {:#06x}", s.bmRequestType,
                     s.bRequest, s.wValue, s.wIndex);
}

/// Printable, with escapes for the rest.
std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte >= 0x20 && byte != 0x7F) {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", byte);
    }
  }
  return out + "\"";
}

/// Turns an event into kind, text and details for JSON.
struct Told {
  std::string_view kind;
  std::string text;
  Json details;
  bool with_place = true;
};

Told tell(const sim::PinChanged& e) {
  return {"gpio",
          fmt::format("P{}{} = {}", e.port, e.pin, e.high ? 1 : 0),
          {{"pin", fmt::format("P{}{}", e.port, e.pin)}, {"level", e.high ? 1 : 0}}};
}
Told tell(const sim::UsbChanged& e) {
  return {"usb", std::string(word(e.what)), {{"state", word(e.what)}}, false};
}
Told tell(const sim::UsbControlled& e) {
  return {"usb",
          fmt::format("{}, {} bytes: {}", request(e.setup), e.completion.actual,
                      word(e.completion.handshake)),
          {{"request", request(e.setup)},
           {"bytes", e.completion.actual},
           {"ok", e.completion.handshake == sim::Handshake::Ack}},
          false};
}
Told tell(const sim::ChipReset& e) {
  return {"reset", std::string(name(e.cause)), {{"cause", name(e.cause)}}, false};
}
Told tell(const sim::UnknownRegister& e) {
  const std::string what = e.is_write ? fmt::format("{} = {}", e.name, hex(e.value)) : e.name;
  return {"warning",
          fmt::format("{} {}", what,
                      e.faults ? "is not there: a bus fault"
                               : "is not modelled: it only remembers what is written"),
          {{"register", e.name}, {"address", e.address}, {"faults", e.faults}}};
}
Told tell(const sim::Misuse& e) {
  return {"misuse", e.text, {{"text", e.text}}};
}
Told tell(const sim::RomEntered& e) {
  return {"rom",
          e.by_boot_pins ? "the ROM boot loader runs: BOOT0 was high" : "the ROM boot loader runs",
          {{"by_boot_pins", e.by_boot_pins}},
          !e.by_boot_pins};
}
Told tell(const sim::RomFailed& e) {
  Told told{"rom", "the jump into the ROM does not work: " + e.consequence, {}, false};
  told.details = {{"consequence", e.consequence}, {"conditions", Json::array()}};
  for (const sim::RomCondition& c : e.conditions) {
    told.text += fmt::format("\n{:26}{}\n{:26}  {}", "", c.what, "", c.remedy);
    told.details["conditions"].push_back({{"what", c.what}, {"remedy", c.remedy}});
  }
  return told;
}
Told tell(const sim::RomTrial& e) {
  return {"rom",
          fmt::format("trial {}: takes the crystal for {} MHz: {}", e.number, e.assumed_hz / 1e6,
                      e.fits ? "right" : "wrong"),
          {{"trial", e.number}, {"assumed_hz", e.assumed_hz}, {"fits", e.fits}},
          false};
}
Told tell(const sim::RomLeft& e) {
  return {
      "rom", "started the program at " + hex(e.vector_table), {{"started", e.vector_table}}, false};
}
Told tell(const sim::PowerLost&) {
  return {"power", "lost", {}, false};
}
Told tell(const sim::UartSent&) {
  return {"uart", "", {}, false};
}
Told tell(const sim::FaultTaken&) {
  return {"fault", "", {}, false};
}

}  // namespace

std::string_view name(sim::ResetCause cause) {
  switch (cause) {
    case sim::ResetCause::PowerOn:
      return "power on";
    case sim::ResetCause::Pin:
      return "NRST pin";
    case sim::ResetCause::Software:
      return "by software (SYSRESETREQ)";
    case sim::ResetCause::IndependentWatchdog:
      return "by the independent watchdog (IWDG)";
    case sim::ResetCause::WindowWatchdog:
      return "by the window watchdog (WWDG)";
    case sim::ResetCause::LowPower:
      return "by low-power management";
    case sim::ResetCause::Rom:
      return "by the ROM boot loader";
  }
  return "";
}

void BoardLog::event(const sim::BoardEvent& event) {
  if (const auto* byte = std::get_if<sim::UartSent>(&event.what)) return sent(event.time, *byte);
  if (std::holds_alternative<sim::FaultTaken>(event.what)) return;
  const Told told = std::visit([](const auto& what) { return tell(what); }, event.what);
  const auto* rom = std::get_if<sim::RomEntered>(&event.what);
  const std::uint32_t pc = rom != nullptr ? rom->jumped_from : event.pc;
  if (told.with_place) return entry(event.time, told.kind, told.text, pc, told.details);
  entry(event.time, told.kind, told.text, told.details);
}

void BoardLog::usb(Duration time, std::string_view text, Json details) {
  entry(time, "usb", text, std::move(details));
}

void BoardLog::action(Duration time, std::string_view text) {
  entry(time, "do", text, {{"action", text}});
}

void BoardLog::sent(Duration time, const sim::UartSent& sent) {
  if (sent.usart >= uart_.size()) return;
  Line& line = uart_[sent.usart];
  line.last = time;
  if (sent.byte != '\n' && sent.byte != '\r') line.text += static_cast<char>(sent.byte);
  if (sent.byte == '\n' || line.text.size() >= kLineMax) flush_uart(sent.usart);
}

void BoardLog::flush_uart(unsigned usart) {
  const Line line = std::exchange(uart_[usart], {});
  if (line.text.empty()) return;
  entry(line.last, fmt::format("uart{}", usart), in_quotes(line.text),
        {{"usart", usart}, {"text", line.text}});
}

void BoardLog::finish() {
  for (unsigned usart = 0; usart < uart_.size(); ++usart) flush_uart(usart);
}

void BoardLog::entry(Duration time, std::string_view kind, std::string_view text, std::uint32_t pc,
                     Json details) {
  const std::string place = sim::firmware::text(pc, elf_.place(pc));
  details["pc"] = pc;
  details["place"] = place;
  entry(time, kind, fmt::format("{:<24}  {}", text, place), std::move(details));
}

void BoardLog::entry(Duration time, std::string_view kind, std::string_view text, Json details) {
  output_.line(fmt::format("{:>12.6f}  {:<8}  {}", seconds(time), kind, text));
  if (!output_.json()) return;
  Json object = {{"time_s", seconds(time)}};
  object.update(details);
  output_.event(kind, std::move(object));
}

void BoardLog::report(Duration time, std::string_view type, const sim::debug::FaultReport& report) {
  finish();
  const auto text = lines(report);
  output_.line(fmt::format("{:>12.6f}  {:<8}  {}", seconds(time), type, text.front()));
  for (std::size_t i = 1; i < text.size(); ++i) {
    output_.line(fmt::format("{:22}  {}", "", text[i]));
  }
  if (!output_.json()) return;
  Json object = {{"time_s", seconds(time)},
                 {"kind", report.kind},
                 {"hint", report.hint},
                 {"pc", report.at.address},
                 {"symbol", report.at.place.symbol},
                 {"file", report.at.place.file},
                 {"line", report.at.place.line},
                 {"instruction", report.instruction},
                 {"cfsr", report.cfsr},
                 {"hfsr", report.hfsr}};
  if (report.address) object["address"] = *report.address;
  if (report.caller) object["called_from"] = sim::debug::text(*report.caller);
  for (const auto& [register_name, value] : report.registers) {
    object["registers"][register_name] = value;
  }
  object["branches"] = Json::array();
  for (const auto& [from, to] : report.branches) {
    object["branches"].push_back({{"from", sim::debug::text(from)}, {"to", sim::debug::text(to)}});
  }
  output_.event(type, std::move(object));
}

}  // namespace sureflash::cli
