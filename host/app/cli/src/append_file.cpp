#include "append_file.hpp"

#include <array>
#include <cerrno>
#include <unistd.h>

#include "files.hpp"
#include "locked_file.hpp"

namespace sureflash::cli {
namespace {

/// Where claims begin; as far behind the end as kLock.
constexpr std::uint64_t kClaimLocks = 1ULL << 61;

/// The whole text; else errno says why not.
bool write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(file, text.data(), static_cast<unsigned>(text.size()));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool ends_unfinished(int file, std::int64_t size) {
  char last = '\n';
  const auto at = static_cast<std::uint64_t>(size - 1);
  return size > 0 && locked_file::read_at(file, at, {&last, 1}) == 1 && last != '\n';
}

}  // namespace

Error AppendFile::error(Errc code) const {
  return file_error(code, path_);
}

Result<std::unique_ptr<AppendFile>> AppendFile::open(const std::string& path) {
  std::unique_ptr<AppendFile> result(new AppendFile(locked_file::open(path), path));
  if (result->file_ < 0) return fail(result->error(Errc::FileUnwritable));
  return result;
}

AppendFile::~AppendFile() {
  if (file_ >= 0) ::close(file_);
}

Result<void> AppendFile::append(std::string_view line, std::string_view header) {
  if (!locked_file::lock(file_, kLock, locked_file::Wait::Yes)) {
    return fail(error(Errc::FileUnwritable));
  }
  auto done = append_locked(line, header);
  locked_file::unlock(file_, kLock);
  return done;
}

Result<void> AppendFile::append_locked(std::string_view line, std::string_view header) const {
  const std::optional<std::int64_t> size = locked_file::size(file_);
  std::string text;
  if (size && ends_unfinished(file_, *size)) text += '\n';
  if (size == 0 && !header.empty()) text.append(header).append("\n");
  text.append(line).append("\n");
  if (write_all(file_, text) && locked_file::flush(file_)) return {};
  Error why = error(Errc::FileUnwritable);
  // A device cannot be cut, and has nothing to be cut off.
  if (size && !locked_file::truncate(file_, *size) && locked_file::size(file_) != size) {
    why.detail += "; the file may hold a part of a line too many";
  }
  return fail(std::move(why));
}

Result<std::string> AppendFile::read() const {
  std::string text;
  std::array<char, 65536> piece{};
  while (true) {
    const std::int64_t got = locked_file::read_at(file_, text.size(), piece);
    if (got < 0) return fail(error(Errc::FileUnreadable));
    if (got == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
}

bool AppendFile::claim(std::uint64_t number) {
  return locked_file::lock(file_, kClaimLocks + number, locked_file::Wait::No);
}

void AppendFile::give_back(std::uint64_t number) {
  locked_file::unlock(file_, kClaimLocks + number);
}

}  // namespace sureflash::cli
