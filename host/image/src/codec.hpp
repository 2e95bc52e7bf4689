#pragma once

#include <string>
#include <string_view>

#include "sureflash/image/image.hpp"

/// One reader and one writer per format; `read` and `write` of image.hpp choose among them.
namespace sureflash::image {

Result<Image> read_binary(ByteView file, const ReadOptions& options);
Result<Image> read_intel_hex(ByteView file, const ReadOptions& options);
Result<Image> read_s_record(ByteView file, const ReadOptions& options);
Result<Image> read_elf(ByteView file, const ReadOptions& options);
Result<Image> read_dfu(ByteView file, const ReadOptions& options);
Result<Image> read_dfuse(ByteView file, const ReadOptions& options);
Result<Image> read_uf2(ByteView file, const ReadOptions& options);

// Precondition of all writers: the image is not empty.
Result<Bytes> write_binary(const Image& image, const WriteOptions& options);
Result<Bytes> write_intel_hex(const Image& image, const WriteOptions& options);
Result<Bytes> write_s_record(const Image& image, const WriteOptions& options);
Result<Bytes> write_dfu(const Image& image, const WriteOptions& options);
Result<Bytes> write_dfuse(const Image& image, const WriteOptions& options);
Result<Bytes> write_uf2(const Image& image, const WriteOptions& options);

// What the first bytes say, for `detect`.
bool looks_like_intel_hex(ByteView file);
bool looks_like_s_record(ByteView file);
bool looks_like_elf(ByteView file);
bool looks_like_dfuse(ByteView file);
bool looks_like_uf2(ByteView file);

/// Foreign text made fit for a terminal and for JSON: up to the first NUL, everything but printable
/// ASCII replaced by '?'.
std::string printable(ByteView text);

}  // namespace sureflash::image
