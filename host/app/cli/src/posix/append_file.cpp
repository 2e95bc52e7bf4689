#include "append_file.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#include <sys/file.h>
#include <sys/stat.h>

namespace sureflash::cli {
namespace {

constexpr mode_t kMode = 0644;

// Locks of an open file, not of a process: two objects of one process exclude each other as well.
#ifdef F_OFD_SETLK
constexpr int kSetLock = F_OFD_SETLK;
#else
constexpr int kSetLock = F_SETLK;
#endif

bool set_lock(int file, short type, std::uint64_t number) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  // off_t has a sign.
  lock.l_start = static_cast<off_t>(number & 0x3FFF'FFFF'FFFF'FFFF);
  lock.l_len = 1;
  return ::fcntl(file, kSetLock, &lock) == 0;
}

/// The whole text, or nothing.
bool write_all(int file, std::string_view text, off_t size_before) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      const int why = errno;
      // A device or a pipe cannot be cut, and has nothing to be cut off.
      static_cast<void>(::ftruncate(file, size_before) == 0);
      errno = why;
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

Error AppendFile::error(Errc code) const {
  Error e(code, std::strerror(errno));
  e.os = errno;
  e.where.name = path_;
  return e;
}

Result<std::unique_ptr<AppendFile>> AppendFile::open(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, kMode);
  std::unique_ptr<AppendFile> result(new AppendFile(file, path));
  if (file < 0) return fail(result->error(Errc::FileUnwritable));
  return result;
}

AppendFile::~AppendFile() {
  if (file_ >= 0) ::close(file_);
}

Result<void> AppendFile::append(std::string_view line, std::string_view header) {
  while (::flock(file_, LOCK_EX) != 0) {
    if (errno != EINTR) return fail(error(Errc::FileUnwritable));
  }
  auto done = append_locked(line, header);
  ::flock(file_, LOCK_UN);
  return done;
}

Result<void> AppendFile::append_locked(std::string_view line, std::string_view header) const {
  struct stat status {};
  if (::fstat(file_, &status) != 0) return fail(error(Errc::FileUnwritable));
  std::string text;
  char last = '\n';
  if (S_ISREG(status.st_mode) && status.st_size > 0 &&
      ::pread(file_, &last, 1, status.st_size - 1) == 1 && last != '\n') {
    text += '\n';
  }
  if (status.st_size == 0 && !header.empty()) text.append(header).append("\n");
  text.append(line).append("\n");
  if (!write_all(file_, text, status.st_size)) return fail(error(Errc::FileUnwritable));
  // What cannot be synchronised (a pipe, /dev/null) says EINVAL.
  if (::fsync(file_) == 0 || errno == EINVAL || errno == EROFS) return {};
  Error why = error(Errc::FileUnwritable);
  if (::ftruncate(file_, status.st_size) != 0) why.detail += "; the file may hold a line too many";
  return fail(std::move(why));
}

Result<std::string> AppendFile::read() const {
  std::string text;
  std::array<char, 65536> piece{};
  while (true) {
    const ssize_t got = ::pread(file_, piece.data(), piece.size(), static_cast<off_t>(text.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(error(Errc::FileUnreadable));
    if (got == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
}

bool AppendFile::claim(std::uint64_t number) {
  return set_lock(file_, F_WRLCK, number);
}

void AppendFile::give_back(std::uint64_t number) {
  set_lock(file_, F_UNLCK, number);
}

std::string sha256(std::string_view bytes) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(bytes.data()),
                     bytes.size());
  std::array<char, 2 * crypto_hash_sha256_BYTES + 1> text{};
  sodium_bin2hex(text.data(), text.size(), hash.data(), hash.size());
  return text.data();
}

}  // namespace sureflash::cli
