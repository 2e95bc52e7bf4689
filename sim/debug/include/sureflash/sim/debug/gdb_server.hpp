#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "sureflash/base/error.hpp"
#include "sureflash/base/time.hpp"
#include "sureflash/sim/debug/gdb_session.hpp"
#include "sureflash/sim/export/descriptor.hpp"

namespace sureflash::sim::debug {

/// One GDB at a time over TCP, on 127.0.0.1: whoever can connect can do anything to the machine,
/// and nothing else of this computer is reachable through it.
class GdbServer {
 public:
  /// @param[in] tcp_port  0: any that is free.
  /// Errors: DeviceBusy (the port is taken).
  static Result<std::unique_ptr<GdbServer>> create(GdbTarget& target, std::uint16_t tcp_port);

  std::uint16_t tcp_port() const { return tcp_port_; }
  bool connected() const { return session_.has_value(); }
  /// What GDB wants of the machine. Without a GDB: Running when one was there and left, else
  /// Halted.
  GdbSession::State state() const;
  /// The core stopped while Running or Stepping.
  void halted(Halt why);

  /// Exchanges bytes with GDB, and lets one in; waits at most `limit` for something to do.
  void poll(Duration limit);

 private:
  GdbServer(GdbTarget& target, Descriptor listener, std::uint16_t tcp_port);
  void accept();
  void receive();
  void send();
  void drop();

  GdbTarget& target_;
  Descriptor listener_;
  std::uint16_t tcp_port_;
  Descriptor client_;
  std::optional<GdbSession> session_;
  GdbSession::State without_ = GdbSession::State::Halted;
};

}  // namespace sureflash::sim::debug
