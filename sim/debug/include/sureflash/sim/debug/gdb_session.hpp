#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sureflash/base/address_range.hpp"
#include "sureflash/sim/cpu/core.hpp"
#include "sureflash/sim/debug/packet.hpp"

/// GDB's remote serial protocol as a machine without input and output: bytes in, bytes out.
/// Source: Debugging with GDB (13), appendix E.
namespace sureflash::sim::debug {

/// What a debugger may do to a machine, beyond its core.
class GdbTarget {
 public:
  virtual ~GdbTarget() = default;
  virtual cpu::Core& core() = 0;
  /// Resets the chip; its first instruction has not run yet afterwards.
  virtual void reset() = 0;
  /// Flash and the size of what it erases at once, for `load`.
  virtual AddressRange flash() const = 0;
  virtual std::uint32_t sector_size() const = 0;
  virtual AddressRange ram() const = 0;
  /// Flash as a programmer changes it: at once, without keys. false: not possible.
  virtual bool erase_flash(AddressRange range) = 0;
  virtual bool write_flash(std::uint32_t address, ByteView bytes) = 0;
  /// For `monitor info`: a few lines about where the machine is.
  virtual std::string info() = 0;
};

/// Why the machine stands still, in GDB's terms.
enum class Halt : std::uint8_t {
  Trap,       ///< breakpoint or step
  Watch,      ///< a watchpoint: Core::watch_hit says where
  Interrupt,  ///< Ctrl-C
  Fault,      ///< the core took a fault
  Lockup,
};

class GdbSession {
 public:
  enum class State : std::uint8_t {
    Halted,
    Running,
    Stepping,  ///< one instruction is due
    Detached,  ///< GDB is gone, the program goes on
    Killed,    ///< GDB wants the program ended
  };

  /// The machine stands still. `target` must outlive this.
  explicit GdbSession(GdbTarget& target) : target_(target) {}
  /// Breakpoints of a GDB that is gone would be found by nobody.
  ~GdbSession();
  GdbSession(const GdbSession&) = delete;
  GdbSession& operator=(const GdbSession&) = delete;

  /// What GDB sent. Never blocks, never throws; whatever comes, answers stay bounded.
  void feed(ByteView bytes);
  /// What is to be sent to GDB; the caller takes away what it has sent.
  std::string& output() { return output_; }

  State state() const { return state_; }
  /// The core stopped while Running or Stepping.
  void halted(Halt why);

 private:
  struct Watch {
    std::uint32_t begin, size;
    cpu::Access access;
  };

  void receive(const Packet& packet);
  void reply(std::string_view data);
  std::string handle(std::string_view packet);
  std::string query(std::string_view packet);
  std::string transfer(std::string_view packet);
  std::string monitor(std::string_view command);
  std::string read_registers();
  std::string write_registers(std::string_view hex);
  std::string read_register(std::string_view packet);
  std::string write_register(std::string_view packet);
  std::string read_memory(std::string_view packet);
  std::string write_memory(std::string_view packet, bool binary);
  std::string change_point(std::string_view packet, bool insert);
  std::string flash(std::string_view packet);
  std::string resume(std::string_view packet, State how);
  std::string resume_vcont(std::string_view packet);
  std::string stop_reply() const;
  std::string watch_text() const;
  bool step_again();

  GdbTarget& target_;
  PacketReader reader_;
  std::string output_;
  std::string last_reply_;  ///< for a Nak
  State state_ = State::Halted;
  Halt why_ = Halt::Trap;
  bool acknowledges_ = true;
  AddressRange step_range_;  ///< vCont;r: steps on while the program counter is inside
  std::vector<Watch> watches_;
  std::vector<std::uint32_t> breakpoints_;
  std::map<std::uint32_t, Bytes> flash_writes_;
};

}  // namespace sureflash::sim::debug
