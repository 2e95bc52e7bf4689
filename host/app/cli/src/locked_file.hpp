#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

/// The calls that differ between systems, for files that several processes append to. A file is the
/// number that write() and close() take; each of these calls sets errno when it fails.
namespace sureflash::cli::locked_file {

/// For reading and appending; made if there is none. -1: failed.
int open(const std::string& path);

/// @returns how many bytes there were; 0: the end; -1: failed.
std::int64_t read_at(int file, std::uint64_t at, std::span<char> buffer);
/// Nothing if it has none: a pipe, a terminal.
std::optional<std::int64_t> size(int file);
bool truncate(int file, std::int64_t size);
/// Until it is on the medium. What has no medium (a pipe, /dev/null) is there already.
bool flush(int file);

/// Locks of a byte, which need not exist; against other processes and against other numbers of the
/// same file in this one. They end with the process, however that ends.
enum class Wait : bool { No, Yes };
bool lock(int file, std::uint64_t at, Wait wait);
void unlock(int file, std::uint64_t at);

}  // namespace sureflash::cli::locked_file
