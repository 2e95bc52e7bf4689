#include "sureflash/transport/trace/trace.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "sureflash/base/crc32.hpp"
#include "sureflash/base/text.hpp"
#include "sureflash/proto/dfu.hpp"

namespace sureflash::transport::trace {
namespace {

constexpr std::string_view kIoNames[] = {"ok",   "stall",       "timeout", "disconnected", "denied",
                                         "busy", "unsupported", "stopped", "failed"};
static_assert(std::size(kIoNames) == static_cast<std::size_t>(Io::Failed) + 1);
constexpr std::string_view kArrow = "->";
constexpr std::string_view kCrcMark = "crc32:";
/// wLength has 16 bits.
constexpr std::size_t kPayloadMax = 0xFFFF;

bool is_firmware(const proto::Setup& setup, std::size_t size) {
  const bool class_request = (setup.bmRequestType & 0x60U) == 0x20;
  const auto request = static_cast<proto::DfuRequest>(setup.bRequest);
  if (!class_request) return false;
  if (request == proto::DfuRequest::Dnload) return setup.wValue != 0 || size > 5;
  if (request == proto::DfuRequest::Upload) return setup.wValue != 0 || size > 16;
  return false;
}

Payload make_payload(ByteView bytes, bool left_out) {
  Payload payload{.left_out = left_out, .crc32 = crc32(bytes)};
  if (!left_out) payload.bytes.assign(bytes.begin(), bytes.end());
  return payload;
}

std::string hexadecimal(std::uint64_t value, int digits) {
  std::array<char, 16> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value, 16);
  const std::string number(text.data(), end);
  const auto width = static_cast<std::size_t>(digits);
  return std::string(width > number.size() ? width - number.size() : 0, '0') + number;
}

std::string format(const Payload& payload) {
  if (payload.left_out) return std::string(kCrcMark) + hexadecimal(payload.crc32, 8);
  std::string text;
  text.reserve(payload.bytes.size() * 2);
  for (const std::uint8_t byte : payload.bytes) text += hexadecimal(byte, 2);
  return text;
}

std::string format_time(Duration time) {
  const auto ns = static_cast<std::uint64_t>(std::max(time, Duration::zero()).count());
  std::string fraction = decimal(ns % 1'000'000'000);
  fraction.insert(0, 9 - fraction.size(), '0');
  return decimal(ns / 1'000'000'000) + "." + fraction;
}

std::string format_limit(Duration limit) {
  return decimal(static_cast<std::uint64_t>(limit / 1ms)) + "ms";
}

std::string format_step(const Entry& entry) {
  switch (entry.kind) {
    case Kind::Wait:
      return "wait " + decimal(static_cast<std::uint64_t>(entry.limit.count())) + "ns";
    case Kind::Select:
      return "select " + decimal(entry.selection.interface_number) + " " +
             decimal(entry.selection.alt_setting);
    case Kind::Reset:
      return "reset";
    case Kind::Await:
      return "await " + format_limit(entry.limit);
    case Kind::Control:
      break;
  }
  const proto::Setup& s = entry.setup;
  std::string text = "control " + hexadecimal(s.bmRequestType, 2) + " " +
                     hexadecimal(s.bRequest, 2) + " " + hexadecimal(s.wValue, 4) + " " +
                     hexadecimal(s.wIndex, 4) + " " + decimal(s.wLength) + " " +
                     format_limit(entry.limit);
  if (!s.is_in() && s.wLength != 0) text += " out=" + format(entry.out);
  return text;
}

/// The words of a line, one after the other.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) {}

  bool at_end() const { return rest_.empty(); }
  std::string_view next() {
    const std::size_t space = rest_.find(' ');
    const std::string_view word = rest_.substr(0, space);
    rest_ = space == std::string_view::npos ? std::string_view() : rest_.substr(space + 1);
    return word;
  }
  bool take(std::string_view word) {
    Words copy = *this;
    if (copy.next() != word) return false;
    *this = copy;
    return true;
  }
  /// The rest of a word that begins so.
  std::optional<std::string_view> take_prefixed(std::string_view prefix) {
    Words copy = *this;
    const std::string_view word = copy.next();
    if (!word.starts_with(prefix)) return std::nullopt;
    *this = copy;
    return word.substr(prefix.size());
  }

 private:
  std::string_view rest_;
};

template <class T>
bool read_number(std::string_view text, T& value, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

/// A number with its unit behind it, in nanoseconds.
bool read_duration(std::string_view text, std::string_view unit, Duration one, Duration& value) {
  if (!text.ends_with(unit)) return false;
  std::uint64_t count = 0;
  if (!read_number(text.substr(0, text.size() - unit.size()), count)) return false;
  // A year is more than any step takes.
  if (count > static_cast<std::uint64_t>(Duration(24h * 366) / one)) return false;
  value = one * static_cast<Duration::rep>(count);
  return true;
}

bool read_time(std::string_view text, Duration& value) {
  const std::size_t dot = text.find('.');
  std::uint64_t seconds = 0, fraction = 0;
  if (dot == std::string_view::npos || !read_number(text.substr(0, dot), seconds)) return false;
  std::string digits(text.substr(dot + 1));
  if (digits.size() > 9 || seconds > 366ULL * 24 * 3600) return false;
  digits.append(9 - digits.size(), '0');
  if (!read_number(std::string_view(digits), fraction)) return false;
  value = std::chrono::seconds(seconds) + Duration(static_cast<Duration::rep>(fraction));
  return true;
}

bool read_payload(std::string_view text, Payload& payload) {
  if (text.starts_with(kCrcMark)) {
    payload.left_out = true;
    return text.size() == kCrcMark.size() + 8 &&
           read_number(text.substr(kCrcMark.size()), payload.crc32, 16);
  }
  if (text.size() % 2 != 0 || text.size() / 2 > kPayloadMax) return false;
  payload.bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    std::uint8_t byte = 0;
    if (!read_number(text.substr(i, 2), byte, 16)) return false;
    payload.bytes.push_back(byte);
  }
  payload.crc32 = crc32(payload.bytes);
  return true;
}

bool read_control(Words& words, Entry& entry) {
  proto::Setup& s = entry.setup;
  const bool numbers =
      read_number(words.next(), s.bmRequestType, 16) && read_number(words.next(), s.bRequest, 16) &&
      read_number(words.next(), s.wValue, 16) && read_number(words.next(), s.wIndex, 16) &&
      read_number(words.next(), s.wLength) && read_duration(words.next(), "ms", 1ms, entry.limit);
  if (!numbers) return false;
  if (s.is_in() || s.wLength == 0) return true;
  const auto out = words.take_prefixed("out=");
  return out && read_payload(*out, entry.out) &&
         (entry.out.left_out || entry.out.bytes.size() == s.wLength);
}

bool read_step(Words& words, Entry& entry) {
  const std::string_view kind = words.next();
  if (kind == "control") {
    entry.kind = Kind::Control;
    return read_control(words, entry);
  }
  if (kind == "wait") {
    entry.kind = Kind::Wait;
    return read_duration(words.next(), "ns", 1ns, entry.limit);
  }
  if (kind == "select") {
    entry.kind = Kind::Select;
    return read_number(words.next(), entry.selection.interface_number) &&
           read_number(words.next(), entry.selection.alt_setting);
  }
  if (kind == "await") {
    entry.kind = Kind::Await;
    return read_duration(words.next(), "ms", 1ms, entry.limit);
  }
  entry.kind = Kind::Reset;
  return kind == "reset";
}

bool read_answer(Words& words, Entry& entry) {
  const auto name = std::find(std::begin(kIoNames), std::end(kIoNames), words.next());
  if (name == std::end(kIoNames)) return false;
  entry.answer.io = static_cast<Io>(name - std::begin(kIoNames));
  if (entry.kind == Kind::Control) {
    if (!read_number(words.next(), entry.answer.actual)) return false;
    if (entry.answer.actual > entry.setup.wLength) return false;
    if (entry.setup.is_in() && entry.answer.actual != 0) {
      const auto in = words.take_prefixed("in=");
      if (!in || !read_payload(*in, entry.in)) return false;
      if (!entry.in.left_out && entry.in.bytes.size() != entry.answer.actual) return false;
    }
  }
  if (const auto os = words.take_prefixed("os=")) {
    int code = 0;
    if (!read_number(*os, code)) return false;
    entry.answer.os = code;
  }
  return words.at_end();
}

bool read_entry(std::string_view line, Entry& entry) {
  Words words(line);
  return read_time(words.next(), entry.answer.time) && read_step(words, entry) &&
         words.take(kArrow) && read_answer(words, entry);
}

}  // namespace

bool operator==(const Entry& a, const Entry& b) {
  return a.kind == b.kind && a.setup == b.setup && a.limit == b.limit &&
         a.selection.interface_number == b.selection.interface_number &&
         a.selection.alt_setting == b.selection.alt_setting && a.out == b.out && a.in == b.in &&
         a.answer.io == b.answer.io && a.answer.actual == b.answer.actual &&
         a.answer.time == b.answer.time && a.answer.os == b.answer.os;
}

Entry make_entry(const Step& step, const Answer& answer, Firmware firmware) {
  Entry entry;
  entry.answer = answer;
  if (const auto* transfer = std::get_if<ControlTransfer>(&step)) {
    entry.setup = transfer->setup;
    entry.limit = transfer->timeout;
    const std::size_t size = std::max(transfer->out.size(), transfer->in.size());
    const bool left_out = firmware == Firmware::LeftOut && is_firmware(transfer->setup, size);
    entry.answer.actual = std::min<std::size_t>(answer.actual, transfer->setup.wLength);
    if (transfer->setup.is_in()) {
      entry.in =
          make_payload(transfer->in.first(std::min(answer.actual, transfer->in.size())), left_out);
    } else {
      entry.out = make_payload(transfer->out, left_out && !transfer->out.empty());
    }
  } else if (const auto* wait = std::get_if<Wait>(&step)) {
    entry.kind = Kind::Wait;
    entry.limit = wait->duration;
  } else if (const auto* selection = std::get_if<SelectAltSetting>(&step)) {
    entry.kind = Kind::Select;
    entry.selection = *selection;
  } else if (const auto* await = std::get_if<AwaitReturn>(&step)) {
    entry.kind = Kind::Await;
    entry.limit = await->timeout;
  } else {
    entry.kind = Kind::Reset;
  }
  return entry;
}

std::string format(const Entry& entry) {
  std::string line = format_time(entry.answer.time) + " " + format_step(entry) + " " +
                     std::string(kArrow) + " " +
                     std::string(kIoNames[static_cast<std::size_t>(entry.answer.io)]);
  if (entry.kind == Kind::Control) {
    line += " " + decimal(entry.answer.actual);
    if (entry.setup.is_in() && entry.answer.actual != 0) line += " in=" + format(entry.in);
  }
  if (entry.answer.os) line += " os=" + std::to_string(*entry.answer.os);
  return line + "\n";
}

Result<Trace> parse(std::string_view text) {
  if (!text.starts_with(kHeader)) return fail(Errc::FormatUnknown, "not a trace of sureflash");
  text.remove_prefix(kHeader.size());
  Trace trace;
  for (std::size_t number = 2; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    if (line.starts_with('#')) {
      trace.comments.emplace_back(line.substr(line.starts_with("# ") ? 2 : 1));
      continue;
    }
    Entry entry;
    entry.line = number;
    if (!read_entry(line, entry)) {
      return fail(
          Error(Errc::FormatInvalid, "not a step of a trace").named("line " + decimal(number)));
    }
    trace.entries.push_back(std::move(entry));
  }
  return trace;
}

}  // namespace sureflash::transport::trace
