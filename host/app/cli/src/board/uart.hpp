#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "sureflash/base/bytes.hpp"
#include "sureflash/base/error.hpp"
#include "sureflash/sim/export/descriptor.hpp"

namespace sureflash::cli {

/// The other end of a USART: a file, standard output, or a pseudo terminal to connect to.
class UartPort {
 public:
  /// "1=out.txt", "1=-", "2=pty". Errors: Usage, FileUnwritable.
  static Result<UartPort> open(const std::string& spec, std::FILE* standard_output);

  unsigned usart() const { return usart_; }
  /// Where a terminal program finds it; empty if it is no pseudo terminal.
  const std::string& terminal() const { return terminal_; }
  void write(std::uint8_t byte);
  /// What somebody typed since; never waits.
  Bytes typed();

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  unsigned usart_ = 0;
  std::FILE* file_ = nullptr;
  std::unique_ptr<std::FILE, Close> owned_;
  sim::Descriptor pty_;
  sim::Descriptor other_end_;  ///< held, so that nobody's leaving is an error
  std::string terminal_;
};

}  // namespace sureflash::cli
