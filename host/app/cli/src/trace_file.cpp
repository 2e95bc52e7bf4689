#include "trace_file.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <unistd.h>

#include "files.hpp"
#include <fmt/format.h>

namespace sureflash::cli {
namespace {

#ifdef _WIN32
constexpr int kBinary = O_BINARY | O_NOINHERIT;
#else
constexpr int kBinary = O_CLOEXEC;
#endif
constexpr unsigned kMode = 0644;

/// `how`: what becomes of a file that is there. Null: errno says why.
std::shared_ptr<TraceFile> open_file(const std::string& path, int how) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | how | kBinary, kMode);
  if (file < 0) return nullptr;
  return std::make_shared<TraceFile>(path, ::fdopen(file, "wb"));
}

}  // namespace

void TraceFile::write(std::string_view line) {
  if (failed_) return;
  errno = 0;
  failed_ = std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size() ||
            std::fflush(file_.get()) != 0;
  if (!failed_) return;
  error_ = file_error(Errc::FileUnwritable, path_);
  error_->detail += "; the trace ends there";
}

transport::trace::Firmware trace_firmware(const Options& options) {
  return options.trace_firmware ? transport::trace::Firmware::Included
                                : transport::trace::Firmware::LeftOut;
}

Result<std::shared_ptr<TraceFile>> create_trace(const std::string& path) {
  auto file = open_file(path, O_TRUNC);
  if (!file) return fail(file_error(Errc::FileUnwritable, path));
  return file;
}

Result<std::shared_ptr<TraceFile>> create_unit_trace(const std::string& path,
                                                     const std::string& port) {
  const std::filesystem::path whole(path);
  std::filesystem::path name = whole;
  for (unsigned n = 1;; ++n) {
    const std::string count = n == 1 ? "" : fmt::format("_{}", n);
    name.replace_filename(
        fmt::format("{}-{}{}{}", whole.stem().string(), port, count, whole.extension().string()));
    auto file = open_file(name.string(), O_EXCL);
    if (file) return file;
    if (errno != EEXIST) return fail(file_error(Errc::FileUnwritable, name.string()));
  }
}

}  // namespace sureflash::cli
