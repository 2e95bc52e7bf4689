#pragma once

#include <cstdint>
#include <optional>

#include "sureflash/sim/export/descriptor.hpp"
#include "sureflash/sim/export/usbfs.hpp"

/// The protocol between libumockdev-preload.so.0 and a server of ioctls. Not a public interface of
/// umockdev, but the same since 0.16 (2021). Source: umockdev, src/ioctl_tree.h and
/// src/libumockdev-preload.c.
namespace sureflash::sim::umockdev {

/// Values on the wire; every frame is three native `unsigned long`.
enum class Command : unsigned long {
  Ioctl = 1,     ///< from the program: request, address of the argument
  Done = 3,      ///< to the program: result, errno
  ReadMem = 5,   ///< to the program: address, length; it answers with the bytes
  WriteMem = 6,  ///< to the program: address, length, then the bytes
  Read = 7,      ///< from the program
  Write = 8,     ///< from the program
};

struct Request {
  Command command;
  unsigned long first;
  unsigned long second;
};

/// One connection. Between a request and its `done` the program waits and serves its memory.
class Channel final : public ClientMemory {
 public:
  /// `socket` blocks; a program that has been stopped is given up after some seconds.
  explicit Channel(Descriptor socket);

  int descriptor() const { return socket_.get(); }
  /// nullopt: the program has closed, or does not keep to the protocol.
  std::optional<Request> receive();
  bool done(long result, int error);

  bool read(std::uint64_t address, ByteSpan to) override;
  bool write(std::uint64_t address, ByteView from) override;

 private:
  void put(Command command, unsigned long first, unsigned long second);
  bool flush();
  bool send_all(const void* data, std::size_t size);
  bool receive_all(void* data, std::size_t size);

  Descriptor socket_;
  /// What the program need not answer goes out together with what it waits for: it is woken once.
  Bytes pending_;
};

/// Exit status of a process that runs `ask_for_capabilities`; 0: understood.
inline constexpr int kNoLibrary = 2;
inline constexpr int kWrongProtocol = 3;

/// Loads the preload library into this process and lets it open `node` and ask for usbfs
/// capabilities. For a child process only: the library may end it.
int ask_for_capabilities(const char* library, const char* root, const char* node);

}  // namespace sureflash::sim::umockdev
