#include "sureflash/sim/debug/packet.hpp"

#include <charconv>
#include <numeric>

namespace sureflash::sim::debug {
namespace {

constexpr char kEscape = '}';
constexpr char kEscapeXor = 0x20;
constexpr char kDigits[] = "0123456789abcdef";

std::uint8_t sum(std::string_view data) {
  return std::accumulate(data.begin(), data.end(), std::uint8_t{0}, [](std::uint8_t a, char c) {
    return static_cast<std::uint8_t>(a + static_cast<std::uint8_t>(c));
  });
}

std::optional<std::uint32_t> parse_hex(std::string_view digits) {
  std::uint32_t value = 0;
  const auto end = digits.data() + digits.size();
  const auto [at, error] = std::from_chars(digits.data(), end, value, 16);
  if (error != std::errc{} || at != end) return std::nullopt;
  return value;
}

std::string unescape(std::string_view raw) {
  std::string data;
  data.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const bool escaped = raw[i] == kEscape && i + 1 < raw.size();
    data += escaped ? static_cast<char>(raw[++i] ^ kEscapeXor) : raw[i];
  }
  return data;
}

}  // namespace

std::vector<Received> PacketReader::feed(ByteView bytes) {
  std::vector<Received> out;
  for (const std::uint8_t byte : bytes) take(byte, out);
  return out;
}

void PacketReader::take(std::uint8_t byte, std::vector<Received>& out) {
  const char c = static_cast<char>(byte);
  // A $ never occurs inside a packet: the one before was cut off.
  if (c == '$' && state_ != State::Outside) {
    out.emplace_back(BadPacket{});
    state_ = State::Outside;
  }
  switch (state_) {
    case State::Outside:
      if (c == '$') {
        state_ = State::Data;
        raw_.clear();
        checksum_.clear();
        too_large_ = false;
      } else if (c == '+') {
        out.emplace_back(Ack{});
      } else if (c == '-') {
        out.emplace_back(Nak{});
      } else if (byte == 3) {
        out.emplace_back(Interrupt{});
      }
      return;
    case State::Data:
      if (c == '#') {
        state_ = State::Checksum1;
      } else if (raw_.size() < kPacketSizeMax) {
        raw_ += c;
      } else {
        too_large_ = true;
      }
      return;
    case State::Checksum1:
      checksum_ += c;
      state_ = State::Checksum2;
      return;
    case State::Checksum2:
      checksum_ += c;
      state_ = State::Outside;
      return finish(out);
  }
}

void PacketReader::finish(std::vector<Received>& out) {
  if (too_large_ || parse_hex(checksum_) != sum(raw_)) {
    out.emplace_back(BadPacket{});
  } else {
    out.emplace_back(Packet{unescape(raw_)});
  }
}

std::string frame(std::string_view data) {
  const std::uint8_t check = sum(data);
  return "$" + std::string(data) + "#" + kDigits[check >> 4] + kDigits[check & 15];
}

std::string escape(std::string_view binary) {
  std::string out;
  for (const char c : binary) {
    if (c == '#' || c == '$' || c == kEscape || c == '*') {
      out += kEscape;
      out += static_cast<char>(c ^ kEscapeXor);
    } else {
      out += c;
    }
  }
  return out;
}

std::string to_hex(ByteView bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string to_hex(std::string_view text) {
  return to_hex(ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

std::string to_hex_le(std::uint32_t value, std::size_t bytes) {
  std::uint8_t raw[4];
  store_le32(raw, 0, value);
  return to_hex(ByteView(raw).first(bytes));
}

std::optional<Bytes> from_hex(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  Bytes bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const auto byte = parse_hex(digits.substr(i, 2));
    if (!byte) return std::nullopt;
    bytes.push_back(static_cast<std::uint8_t>(*byte));
  }
  return bytes;
}

bool Parser::skip(std::string_view prefix) {
  if (!rest_.starts_with(prefix)) return false;
  rest_.remove_prefix(prefix.size());
  return true;
}

std::optional<std::uint32_t> Parser::number() {
  const std::size_t length =
      std::min(rest_.find_first_not_of("0123456789abcdefABCDEF"), rest_.size());
  const auto value = parse_hex(rest_.substr(0, length));
  if (value) rest_.remove_prefix(length);
  return value;
}

}  // namespace sureflash::sim::debug
