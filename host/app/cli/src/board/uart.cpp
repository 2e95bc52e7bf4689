#include "uart.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <termios.h>

#include <fmt/format.h>

namespace sureflash::cli {
namespace {

std::unexpected<Error> unwritable(const std::string& name) {
  Error error(Errc::FileUnwritable);
  error.os = errno;
  return fail(std::move(error).named(name));
}

}  // namespace

Result<UartPort> UartPort::open(const std::string& spec, std::FILE* standard_output) {
  if (spec.size() < 3 || spec[0] < '1' || spec[0] > '5' || spec[1] != '=') {
    return fail(Errc::Usage,
                fmt::format("--uart does not know \"{}\"; write 1=FILE, 1=- or 1=pty", spec));
  }
  UartPort port;
  port.usart_ = static_cast<unsigned>(spec[0] - '0');
  const std::string where = spec.substr(2);
  if (where == "-") {
    port.file_ = standard_output;
  } else if (where == "pty") {
    port.pty_ = sim::Descriptor(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    std::array<char, 128> name{};
    if (!port.pty_ || ::grantpt(port.pty_.get()) != 0 || ::unlockpt(port.pty_.get()) != 0 ||
        ::ptsname_r(port.pty_.get(), name.data(), name.size()) != 0) {
      return unwritable("pty");
    }
    port.terminal_ = name.data();
    port.other_end_ = sim::Descriptor(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    termios raw{};
    ::tcgetattr(port.other_end_.get(), &raw);
    ::cfmakeraw(&raw);
    ::tcsetattr(port.other_end_.get(), TCSANOW, &raw);
  } else {
    port.owned_.reset(std::fopen(where.c_str(), "wb"));
    if (!port.owned_) return unwritable(where);
    port.file_ = port.owned_.get();
  }
  return port;
}

void UartPort::write(std::uint8_t byte) {
  if (file_ != nullptr) {
    std::fputc(byte, file_);
    if (byte == '\n') std::fflush(file_);
  } else if (::write(pty_.get(), &byte, 1) < 0) {
    // Nobody reads: the byte is lost, as on an open wire.
    return;
  }
}

Bytes UartPort::typed() {
  if (!pty_) return {};
  Bytes bytes(256);
  const ssize_t got = ::read(pty_.get(), bytes.data(), bytes.size());
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return bytes;
}

}  // namespace sureflash::cli
