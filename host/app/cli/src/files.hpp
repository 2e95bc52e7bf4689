#pragma once

#include <string>

#include "options.hpp"

#include "sureflash/image/image.hpp"

namespace sureflash::cli {

/// Errors: FileUnreadable (with errno), TooLarge (above 256 MiB).
Result<Bytes> read_file(const std::string& path);
/// Writes beside the file and renames, so that a full disk leaves the old file. "-" is `out`.
/// Errors: FileUnwritable (with errno).
Result<void> write_file(const std::string& path, ByteView bytes, std::FILE* out);

struct LoadedImage {
  image::Format format = image::Format::Binary;
  image::Image image;
};

/// Reads FILE as --format says, or as it looks; --base and --alt apply.
Result<LoadedImage> load_image(const Options& options);

}  // namespace sureflash::cli
