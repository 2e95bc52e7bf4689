#include "sureflash/sim/export/unix_socket.hpp"

#include <cerrno>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>

namespace sureflash::sim {

Result<Descriptor> listen_at(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  Error error(Errc::FileUnwritable);
  error.where.name = text;
  if (text.size() >= sizeof address.sun_path) {
    error.detail = "path is too long for a socket: take a directory with a shorter name";
    return fail(std::move(error));
  }
  std::memcpy(address.sun_path, text.data(), text.size());
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), 16) != 0) {
    error.os = errno;
    return fail(std::move(error));
  }
  return socket;
}

}  // namespace sureflash::sim
