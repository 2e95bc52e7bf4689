#include "files.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include <sys/stat.h>

namespace sureflash::cli {
namespace {

/// No STM32 image is larger; a device or a pipe without end is not read for ever.
constexpr std::size_t kFileSizeMax = std::size_t{256} << 20;

Error os_error(Errc code, const std::string& path) {
  Error e(code, std::strerror(errno));
  e.where.name = path;
  e.os = errno;
  return e;
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }
  int close() { return ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

bool write_all(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

Result<Bytes> read_file(const std::string& path) {
  File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd() < 0) return fail(os_error(Errc::FileUnreadable, path));
  struct stat status {};
  Bytes bytes;
  if (::fstat(file.fd(), &status) == 0 && S_ISREG(status.st_mode)) {
    bytes.reserve(std::min(static_cast<std::size_t>(status.st_size) + 1, kFileSizeMax));
  }
  constexpr std::size_t kPiece = 64 * 1024;
  while (true) {
    const std::size_t old_size = bytes.size();
    if (old_size > kFileSizeMax) {
      return fail(Error(Errc::TooLarge, "the file has more than 256 MiB").named(path));
    }
    bytes.resize(old_size + kPiece);
    const ssize_t n = ::read(file.fd(), bytes.data() + old_size, kPiece);
    if (n < 0) return fail(os_error(Errc::FileUnreadable, path));
    bytes.resize(old_size + static_cast<std::size_t>(n));
    if (n == 0) return bytes;
  }
}

Result<void> write_file(const std::string& path, ByteView bytes, std::FILE* out) {
  if (path == "-") {
    if (std::fwrite(bytes.data(), 1, bytes.size(), out) != bytes.size()) {
      return fail(os_error(Errc::FileUnwritable, "standard output"));
    }
    return {};
  }
  struct stat status {};
  const bool special = ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
  const std::string temporary = special ? path : path + ".part";
  File file(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | (special ? 0 : O_TRUNC) | O_CLOEXEC, 0666));
  if (file.fd() < 0) return fail(os_error(Errc::FileUnwritable, path));
  if (write_all(file.fd(), bytes) && file.close() == 0 &&
      (special || ::rename(temporary.c_str(), path.c_str()) == 0)) {
    return {};
  }
  Error error = os_error(Errc::FileUnwritable, path);
  if (!special) ::unlink(temporary.c_str());
  return fail(std::move(error));
}

Result<LoadedImage> load_image(const Options& options) {
  TRY_ASSIGN(const Bytes bytes, read_file(options.file));
  LoadedImage loaded;
  loaded.format = image::detect(bytes, options.file);
  if (!options.format.empty()) {
    const auto format = image::format_from_name(options.format);
    if (!format) return fail(Error(Errc::FormatUnknown, options.format));
    loaded.format = *format;
  }
  image::ReadOptions read;
  if (options.base) {
    if (*options.base > 0xFFFF'FFFF) return fail(Errc::Usage, "--base is above 32 bits");
    read.base = static_cast<std::uint32_t>(*options.base);
  }
  if (options.alt_setting) read.alt_setting = static_cast<std::uint8_t>(*options.alt_setting);
  auto image = image::read(loaded.format, bytes, read);
  if (!image) return fail(std::move(image).error().named(options.file));
  loaded.image = *std::move(image);
  return loaded;
}

Result<Bytes> load_firmware(const Options& options, const update::Target& target) {
  TRY_ASSIGN(Bytes bytes, read_file(options.file));
  if (image::detect(bytes, options.file) != image::Format::Dfu) return bytes;
  // Addresses mean nothing here; 0 stands for the start of the firmware.
  TRY_ASSIGN(const image::Image image, image::read(image::Format::Dfu, bytes, {.base = 0}));
  const auto& device = target.descriptors.device;
  const auto fits = [](std::uint16_t wanted, std::uint16_t actual) {
    return wanted == 0xFFFF || wanted == actual;
  };
  if (image.ids && (!fits(image.ids->idVendor, device.idVendor) ||
                    !fits(image.ids->idProduct, device.idProduct))) {
    return fail(
        Error(Errc::NotForThisDevice, "its DFU suffix names another VID:PID").named(options.file));
  }
  return image.empty() ? Bytes{} : image.segments().front().data;
}

}  // namespace sureflash::cli
