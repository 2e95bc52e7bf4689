#include "locked_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <io.h>
#include <windows.h>

#include <sys/stat.h>

namespace sureflash::cli::locked_file {
namespace {

HANDLE handle_of(int file) {
  return reinterpret_cast<HANDLE>(::_get_osfhandle(file));
}

/// Only files on a disk have a size and locks; NUL, pipes and consoles need none.
bool on_disk(int file) {
  return ::GetFileType(handle_of(file)) == FILE_TYPE_DISK;
}

OVERLAPPED place(std::uint64_t at) {
  OVERLAPPED where{};
  where.Offset = static_cast<DWORD>(at);
  where.OffsetHigh = static_cast<DWORD>(at >> 32);
  return where;
}

}  // namespace

int open(const std::string& path) {
  return ::_open(path.c_str(), _O_RDWR | _O_APPEND | _O_CREAT | _O_BINARY | _O_NOINHERIT,
                 _S_IREAD | _S_IWRITE);
}

std::int64_t read_at(int file, std::uint64_t at, std::span<char> buffer) {
  if (!on_disk(file)) return 0;
  if (::_lseeki64(file, static_cast<std::int64_t>(at), SEEK_SET) < 0) return -1;
  return ::_read(file, buffer.data(), static_cast<unsigned>(buffer.size()));
}

std::optional<std::int64_t> size(int file) {
  const std::int64_t end = on_disk(file) ? ::_lseeki64(file, 0, SEEK_END) : -1;
  if (end < 0) return std::nullopt;
  return end;
}

bool truncate(int file, std::int64_t size) {
  const errno_t failed = ::_chsize_s(file, size);
  if (failed != 0) errno = failed;
  return failed == 0;
}

bool flush(int file) {
  if (!on_disk(file) || ::FlushFileBuffers(handle_of(file)) != 0) return true;
  errno = ::GetLastError() == ERROR_DISK_FULL ? ENOSPC : EIO;
  return false;
}

bool lock(int file, std::uint64_t at, Wait wait) {
  if (!on_disk(file)) return true;
  OVERLAPPED where = place(at);
  const DWORD how = LOCKFILE_EXCLUSIVE_LOCK | (wait == Wait::No ? LOCKFILE_FAIL_IMMEDIATELY : 0);
  if (::LockFileEx(handle_of(file), how, 0, 1, 0, &where) != 0) return true;
  errno = EACCES;
  return false;
}

void unlock(int file, std::uint64_t at) {
  if (!on_disk(file)) return;
  OVERLAPPED where = place(at);
  ::UnlockFileEx(handle_of(file), 0, 1, 0, &where);
}

}  // namespace sureflash::cli::locked_file
