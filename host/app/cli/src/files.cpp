#include "files.hpp"

#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>

#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#endif

namespace sureflash::cli {
namespace fs = std::filesystem;
namespace {

/// No STM32 image is larger; a device or a pipe without end is not read for ever.
constexpr std::size_t kFileSizeMax = std::size_t{256} << 20;

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

File open_file(const std::string& path, const char* mode) {
  return {std::fopen(path.c_str(), mode), std::fclose};
}

bool write_all(std::FILE* file, ByteView bytes) {
  return std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
}

Result<void> write_standard_output(ByteView bytes, std::FILE* out) {
#ifdef _WIN32
  // Otherwise every 0x0A becomes two bytes.
  std::fflush(out);
  ::_setmode(::_fileno(out), _O_BINARY);
#endif
  if (!write_all(out, bytes)) return fail(file_error(Errc::FileUnwritable, "standard output"));
  return {};
}

}  // namespace

Error file_error(Errc code, const std::string& path) {
  const int why = errno;
  Error e(code, std::generic_category().message(why));
  e.where.name = path;
  e.os = why;
  return e;
}

Result<Bytes> read_file(const std::string& path) {
  const File file = open_file(path, "rb");
  if (!file) return fail(file_error(Errc::FileUnreadable, path));
  Bytes bytes;
  std::error_code no_size;
  if (const auto size = fs::file_size(path, no_size); !no_size) {
    bytes.reserve(static_cast<std::size_t>(std::min<std::uintmax_t>(size + 1, kFileSizeMax)));
  }
  constexpr std::size_t kPiece = 64 * 1024;
  while (true) {
    const std::size_t old_size = bytes.size();
    if (old_size > kFileSizeMax) {
      return fail(Error(Errc::TooLarge, "the file has more than 256 MiB").named(path));
    }
    bytes.resize(old_size + kPiece);
    const std::size_t n = std::fread(bytes.data() + old_size, 1, kPiece, file.get());
    if (n < kPiece && std::ferror(file.get()) != 0) {
      return fail(file_error(Errc::FileUnreadable, path));
    }
    bytes.resize(old_size + n);
    if (n < kPiece) return bytes;
  }
}

Result<void> write_file(const std::string& path, ByteView bytes, std::FILE* out) {
  if (path == "-") return write_standard_output(bytes, out);
  std::error_code ignored;
  const bool special = fs::exists(path, ignored) && !fs::is_regular_file(path, ignored);
  const std::string temporary = special ? path : path + ".part";
  File file = open_file(temporary, "wb");
  if (!file) return fail(file_error(Errc::FileUnwritable, path));
  const bool written = write_all(file.get(), bytes);
  if (std::fclose(file.release()) != 0 || !written) {
    Error error = file_error(Errc::FileUnwritable, path);
    if (!special) fs::remove(temporary, ignored);
    return fail(std::move(error));
  }
  std::error_code not_renamed;
  if (!special) fs::rename(temporary, path, not_renamed);
  if (!not_renamed) return {};
  fs::remove(temporary, ignored);
  Error error(Errc::FileUnwritable, not_renamed.message());
  error.os = not_renamed.value();
  return fail(std::move(error).named(path));
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
