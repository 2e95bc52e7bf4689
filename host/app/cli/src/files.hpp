#pragma once

#include <string>

#include "options.hpp"

#include "sureflash/image/image.hpp"
#include "sureflash/update/target.hpp"

namespace sureflash::cli {

/// What errno says of a file.
Error file_error(Errc code, const std::string& path);

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

/// Reads FILE for a device without DfuSe: its bytes without a DFU suffix, whose ids must fit the
/// device. Errors: NotForThisDevice, and those of reading.
Result<Bytes> load_firmware(const Options& options, const update::Target& target);

}  // namespace sureflash::cli
