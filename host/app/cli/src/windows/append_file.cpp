#include "append_file.hpp"

namespace sureflash::cli {

Result<std::unique_ptr<AppendFile>> AppendFile::open(const std::string& path) {
  return fail(Error(Errc::Unsupported, "records and unit tables are not written on Windows yet")
                  .named(path));
}

AppendFile::~AppendFile() = default;

Result<void> AppendFile::append(std::string_view, std::string_view) {
  return fail(Errc::Unsupported);
}

Result<std::string> AppendFile::read() const {
  return fail(Errc::Unsupported);
}

bool AppendFile::claim(std::uint64_t) {
  return false;
}

void AppendFile::give_back(std::uint64_t) {}

std::string sha256(std::string_view) {
  return {};
}

}  // namespace sureflash::cli
