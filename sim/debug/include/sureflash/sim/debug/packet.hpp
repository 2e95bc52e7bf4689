#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "sureflash/base/bytes.hpp"

/// Framing of GDB's remote serial protocol. Source: Debugging with GDB, "Remote Serial Protocol",
/// "Overview": $data#checksum, + and -, binary data escaped with }, and 0x03 outside of packets.
namespace sureflash::sim::debug {

/// Largest payload either way, in bytes as sent (qSupported PacketSize).
inline constexpr std::size_t kPacketSizeMax = 0x4000;

struct Packet {
  std::string data;  ///< escapes undone
};
struct BadPacket {};  ///< wrong checksum, or larger than we said we take
struct Ack {};
struct Nak {};
struct Interrupt {};  ///< Ctrl-C
using Received = std::variant<Packet, BadPacket, Ack, Nak, Interrupt>;

/// Bytes in, packets out. Keeps at most one unfinished packet.
class PacketReader {
 public:
  std::vector<Received> feed(ByteView bytes);

 private:
  enum class State : std::uint8_t { Outside, Data, Checksum1, Checksum2 };
  void take(std::uint8_t byte, std::vector<Received>& out);
  void finish(std::vector<Received>& out);

  State state_ = State::Outside;
  std::string raw_;
  std::string checksum_;
  bool too_large_ = false;
};

/// "$data#xx".
std::string frame(std::string_view data);
/// Data in which `#`, `$`, `}` and `*` mean themselves.
std::string escape(std::string_view binary);

/// Lower-case hexadecimal, two digits a byte, in the order of memory.
std::string to_hex(ByteView bytes);
std::string to_hex(std::string_view text);
/// A register or word as the target's memory has it: least significant byte first.
std::string to_hex_le(std::uint32_t value, std::size_t bytes = 4);
/// Empty if a digit is wrong or one is missing.
std::optional<Bytes> from_hex(std::string_view digits);

/// Takes things off the front of a packet. Every number is bounded to 32 bits.
class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}
  bool skip(std::string_view prefix);
  /// A hexadecimal number of at least one digit.
  std::optional<std::uint32_t> number();
  std::string_view rest() const { return rest_; }
  bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

}  // namespace sureflash::sim::debug
