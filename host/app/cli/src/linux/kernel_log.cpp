#include "kernel_log.hpp"

#include <array>
#include <fcntl.h>
#include <string_view>
#include <unistd.h>

namespace sureflash::cli {
namespace {

constexpr std::size_t kRecordsMax = 20'000;

}  // namespace

/// One record is "priority,sequence,time,flags;text\n", then continuation lines.
/// Source: Linux, Documentation/ABI/testing/dev-kmsg.
std::vector<std::string> kernel_log() {
  std::vector<std::string> lines;
  const int file = ::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return lines;
  std::array<char, 8192> record{};
  for (std::size_t n = 0; n < kRecordsMax; ++n) {
    const ssize_t size = ::read(file, record.data(), record.size());
    if (size <= 0) break;
    std::string_view text(record.data(), static_cast<std::size_t>(size));
    text.remove_prefix(std::min(text.find(';') + 1, text.size()));
    lines.emplace_back(text.substr(0, text.find('\n')));
  }
  ::close(file);
  return lines;
}

}  // namespace sureflash::cli
