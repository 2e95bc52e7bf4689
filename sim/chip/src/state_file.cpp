#include "sureflash/sim/chip/state_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#ifdef _WIN32
#include <io.h>
#include <share.h>

#include <sys/stat.h>
#else
#include <unistd.h>

#include <sys/file.h>
#endif

#include "sureflash/base/crc32.hpp"
#include "sureflash/base/text.hpp"

namespace sureflash::sim {
namespace {

constexpr std::array<std::uint8_t, 8> kMagic{'S', 'F', 'C', 'H', 'I', 'P', '\r', '\n'};
constexpr std::uint16_t kVersion = 1;
/// No STM32 has more flash; a longer file is no chip.
constexpr std::size_t kFileSizeMax = 64U << 20;

/// Takes fields off the front; once something is missing everything after it is, too.
class Reader {
 public:
  explicit Reader(ByteView bytes) : rest_(bytes) {}

  ByteView take(std::size_t count) {
    if (count > rest_.size()) {
      complete_ = false;
      rest_ = {};
      return {};
    }
    const ByteView field = rest_.first(count);
    rest_ = rest_.subspan(count);
    return field;
  }
  std::uint16_t u16() {
    const ByteView field = take(2);
    return complete_ ? load_le16(field) : std::uint16_t{0};
  }
  std::uint32_t u32() {
    const ByteView field = take(4);
    return complete_ ? load_le32(field) : 0;
  }
  bool complete() const { return complete_; }
  bool at_end() const { return rest_.empty(); }

 private:
  ByteView rest_;
  bool complete_ = true;
};

void append(Bytes& out, ByteView bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

Error os_error(Errc code, const std::string& path) {
  const int why = errno;
  Error error(code, std::generic_category().message(why));
  error.os = why;
  return std::move(error).named(path);
}

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

File open_file(const std::string& path, const char* mode) {
  return {std::fopen(path.c_str(), mode), std::fclose};
}

Result<Bytes> read_file(const std::string& path) {
  const File file = open_file(path, "rb");
  if (!file) return fail(os_error(Errc::FileUnreadable, path));
  Bytes bytes;
  std::array<std::uint8_t, 65536> chunk{};
  for (;;) {
    const std::size_t count = std::fread(chunk.data(), 1, chunk.size(), file.get());
    append(bytes, ByteView(chunk).first(count));
    if (std::ferror(file.get()) != 0) return fail(os_error(Errc::FileUnreadable, path));
    if (std::feof(file.get()) != 0) return bytes;
    if (bytes.size() > kFileSizeMax) {
      return fail(Error(Errc::FormatInvalid, "longer than any chip").named(path));
    }
  }
}

/// Whether the bytes have reached the disk. Otherwise errno says why not.
bool write_through(std::FILE* file, ByteView bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size() || std::fflush(file) != 0) {
    return false;
  }
#ifdef _WIN32
  return ::_commit(::_fileno(file)) == 0;
#else
  return ::fsync(::fileno(file)) == 0;
#endif
}

/// A file that no other process has open in this way. -1: errno says why not, EWOULDBLOCK if one
/// has.
int open_alone(const std::string& path) {
#ifdef _WIN32
  const int fd =
      ::_sopen(path.c_str(), _O_RDWR | _O_CREAT | _O_NOINHERIT, _SH_DENYRW, _S_IREAD | _S_IWRITE);
  if (fd < 0 && errno == EACCES) errno = EWOULDBLOCK;
  return fd;
#else
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0 || ::flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  const int reason = errno;
  ::close(fd);
  errno = reason;
  return -1;
#endif
}

}  // namespace

Bytes encode_state(const Chip& chip) {
  Bytes out(kMagic.begin(), kMagic.end());
  append_le16(out, kVersion);
  const std::string& name = chip.description().name;
  append_le16(out, static_cast<std::uint16_t>(name.size()));
  out.insert(out.end(), name.begin(), name.end());
  append_le32(out, static_cast<std::uint32_t>(chip.flash().bytes().size()));
  append(out, chip.flash().bytes());
  append_le32(out, static_cast<std::uint32_t>(chip.flash().wear().size()));
  for (const std::uint32_t erases : chip.flash().wear()) append_le32(out, erases);
  append(out, chip.option_bytes());
  append(out, chip.unique_id());
  append_le32(out, crc32(out));
  return out;
}

Result<void> decode_state(ByteView file, Chip& chip) {
  if (file.size() < kMagic.size() || !std::ranges::equal(file.first(kMagic.size()), kMagic)) {
    return fail(Errc::FormatInvalid, "not a chip file");
  }
  Reader reader(file);
  reader.take(kMagic.size());
  const std::uint16_t version = reader.u16();
  if (reader.complete() && version != kVersion) {
    return fail(Errc::FormatInvalid, "chip file of version " + decimal(version) + ", not 1");
  }
  const ByteView name = reader.take(reader.u16());
  const ByteView flash = reader.take(reader.u32());
  const std::size_t sectors = reader.u32();
  const ByteView wear = reader.take(sectors * 4);
  const ByteView options = reader.take(chip.option_bytes().size());
  const ByteView id = reader.take(std::tuple_size_v<UniqueId>);
  const std::uint32_t crc = reader.u32();
  if (!reader.complete()) return fail(Errc::Truncated, "chip file ends early");
  if (!reader.at_end()) return fail(Errc::FormatInvalid, "bytes after the end of the chip file");
  if (crc != crc32(file.first(file.size() - 4))) return fail(Errc::ChecksumMismatch, "chip file");
  const std::string& expected = chip.description().name;
  if (!std::ranges::equal(name, expected) || flash.size() != chip.flash().bytes().size() ||
      sectors != chip.flash().wear().size()) {
    return fail(
        Errc::NotForThisDevice,
        "the file holds a " + std::string(name.begin(), name.end()) + ", not a " + expected);
  }
  chip.flash().load(chip.flash().geometry().base, flash);
  std::vector<std::uint32_t> erases;
  erases.reserve(sectors);
  for (std::size_t i = 0; i < sectors; ++i) erases.push_back(load_le32(wear, 4 * i));
  chip.flash().load_wear(std::move(erases));
  UniqueId unique_id{};
  std::ranges::copy(id, unique_id.begin());
  chip.set_unique_id(unique_id);
  chip.load_option_bytes(options);
  chip.power_cycle();
  return {};
}

Result<StateFile> StateFile::open(std::string path) {
  const std::string lock_path = path + ".lock";
  const int lock = open_alone(lock_path);
  if (lock >= 0) return StateFile(std::move(path), lock);
  if (errno != EWOULDBLOCK) return fail(os_error(Errc::FileUnwritable, lock_path));
  return fail(Error(Errc::DeviceBusy, "another process uses this chip file").named(path));
}

StateFile::StateFile(StateFile&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

StateFile::~StateFile() {
  if (lock_ >= 0) ::close(lock_);
}

Result<bool> StateFile::load(Chip& chip) const {
  auto bytes = read_file(path_);
  if (!bytes && bytes.error().os == ENOENT) return false;
  if (!bytes) return fail(std::move(bytes).error());
  if (auto decoded = decode_state(*bytes, chip); !decoded) {
    return fail(std::move(decoded.error()).named(path_));
  }
  return true;
}

Result<void> StateFile::save(const Chip& chip) const {
  const std::string temporary = path_ + ".new";
  File file = open_file(temporary, "wb");
  if (!file) return fail(os_error(Errc::FileUnwritable, temporary));
  if (!write_through(file.get(), encode_state(chip))) {
    return fail(os_error(Errc::FileUnwritable, temporary));
  }
  file.reset();
  std::error_code error;
  std::filesystem::rename(temporary, path_, error);
  if (!error) return {};
  Error unwritable(Errc::FileUnwritable, error.message());
  unwritable.os = error.value();
  return fail(std::move(unwritable).named(path_));
}

}  // namespace sureflash::sim
