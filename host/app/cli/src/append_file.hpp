#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sureflash/base/error.hpp"

namespace sureflash::cli {

/// A text file that only grows, a line at a time, shared by several processes. A line is there as a
/// whole and on the medium, or not at all: a full disk leaves the file as it was.
class AppendFile {
 public:
  /// The byte that is locked while a line is written (see locked_file.hpp). Far behind the end of
  /// any file: Windows lets nobody read a byte that another one has locked.
  static constexpr std::uint64_t kLock = 1ULL << 62;

  /// Makes the file if there is none. Errors: FileUnwritable (with errno).
  static Result<std::unique_ptr<AppendFile>> open(const std::string& path);
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;
  ~AppendFile();

  /// Writes `line` and a line feed, after `header` if the file is empty. A line that somebody else
  /// left unfinished is ended first. Errors: FileUnwritable.
  Result<void> append(std::string_view line, std::string_view header = {});
  /// What is in it. Errors: FileUnreadable.
  Result<std::string> read() const;

  /// Claims the number, of at most 60 bits, for this object, against other processes and objects; a
  /// claim ends with its process, however that ends. @returns whether it is ours.
  bool claim(std::uint64_t number);
  void give_back(std::uint64_t number);

 private:
  AppendFile(int file, std::string path) : file_(file), path_(std::move(path)) {}
  Result<void> append_locked(std::string_view line, std::string_view header) const;
  Error error(Errc code) const;

  int file_;
  std::string path_;
};

}  // namespace sureflash::cli
