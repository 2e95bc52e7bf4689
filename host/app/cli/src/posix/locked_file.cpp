#include "locked_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace sureflash::cli::locked_file {
namespace {

constexpr mode_t kMode = 0644;

// Locks of an open file, not of a process: two objects of one process exclude each other as well.
#ifdef F_OFD_SETLK
constexpr int kTry = F_OFD_SETLK;
constexpr int kWait = F_OFD_SETLKW;
#else
constexpr int kTry = F_SETLK;
constexpr int kWait = F_SETLKW;
#endif

bool set_lock(int file, int command, short type, std::uint64_t at) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(at);
  lock.l_len = 1;
  while (::fcntl(file, command, &lock) != 0) {
    if (errno != EINTR) return false;
  }
  return true;
}

}  // namespace

int open(const std::string& path) {
  return ::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, kMode);
}

std::int64_t read_at(int file, std::uint64_t at, std::span<char> buffer) {
  while (true) {
    const ssize_t got = ::pread(file, buffer.data(), buffer.size(), static_cast<off_t>(at));
    if (got >= 0 || errno != EINTR) return got;
  }
}

std::optional<std::int64_t> size(int file) {
  const off_t end = ::lseek(file, 0, SEEK_END);
  if (end < 0) return std::nullopt;
  return end;
}

bool truncate(int file, std::int64_t size) {
  return ::ftruncate(file, static_cast<off_t>(size)) == 0;
}

bool flush(int file) {
  return ::fsync(file) == 0 || errno == EINVAL || errno == EROFS;
}

bool lock(int file, std::uint64_t at, Wait wait) {
  return set_lock(file, wait == Wait::Yes ? kWait : kTry, F_WRLCK, at);
}

void unlock(int file, std::uint64_t at) {
  set_lock(file, kTry, F_UNLCK, at);
}

}  // namespace sureflash::cli::locked_file
