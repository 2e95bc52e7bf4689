#include "sureflash/sim/chip/state_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include <sys/file.h>
#include <sys/stat.h>

#include "sureflash/base/text.hpp"

namespace sureflash::sim {
namespace {

constexpr std::array<std::uint8_t, 8> kMagic{'S', 'F', 'C', 'H', 'I', 'P', '\r', '\n'};
constexpr std::uint16_t kVersion = 1;
/// No STM32 has more flash; a longer file is no chip.
constexpr std::size_t kFileSizeMax = 64U << 20;

/// CRC-32 as in zlib: reflected 0xEDB88320, start and end inverted.
std::uint32_t crc32(ByteView bytes) {
  std::uint32_t crc = ~0U;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ (crc & 1U ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

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
  Error error(code, std::strerror(errno));
  error.os = errno;
  return std::move(error).named(path);
}

struct Descriptor {
  int fd = -1;
  explicit Descriptor(int f) : fd(f) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

Result<Bytes> read_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) return fail(os_error(Errc::FileUnreadable, path));
  Bytes bytes;
  std::array<std::uint8_t, 65536> chunk{};
  for (;;) {
    const ssize_t count = ::read(file.fd, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(os_error(Errc::FileUnreadable, path));
    if (count == 0) return bytes;
    append(bytes, ByteView(chunk).first(static_cast<std::size_t>(count)));
    if (bytes.size() > kFileSizeMax) {
      return fail(Error(Errc::FormatInvalid, "longer than any chip").named(path));
    }
  }
}

bool write_all(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return ::fsync(fd) == 0;
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
  const int fd = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return fail(os_error(Errc::FileUnwritable, lock_path));
  StateFile file(std::move(path), fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail(os_error(Errc::FileUnwritable, lock_path));
    return fail(Error(Errc::DeviceBusy, "another process uses this chip file").named(file.path_));
  }
  return file;
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
  {
    const Descriptor file(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (file.fd < 0) return fail(os_error(Errc::FileUnwritable, temporary));
    if (!write_all(file.fd, encode_state(chip))) {
      return fail(os_error(Errc::FileUnwritable, temporary));
    }
  }
  if (std::rename(temporary.c_str(), path_.c_str()) != 0) {
    return fail(os_error(Errc::FileUnwritable, path_));
  }
  return {};
}

}  // namespace sureflash::sim
