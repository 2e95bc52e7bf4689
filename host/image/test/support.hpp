#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "sureflash/image/image.hpp"

namespace sureflash::image::test {

inline Bytes bytes(std::string_view text) {
  return Bytes(text.begin(), text.end());
}

inline Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

/// Numbers from `first` on, mod 256.
inline Bytes counting(std::size_t size, unsigned first = 0) {
  Bytes data(size);
  for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<std::uint8_t>(first + i);
  return data;
}

inline std::vector<Segment> segments(const Image& image) {
  return {image.segments().begin(), image.segments().end()};
}

/// Whether a result is the error `code`, with `text` somewhere in its one-line message.
template <class T>
testing::AssertionResult fails(const Result<T>& result, Errc code, std::string_view text = "") {
  if (result) return testing::AssertionFailure() << "no error";
  const std::string said = message(result.error());
  if (result.error().code != code)
    return testing::AssertionFailure() << name(result.error().code) << ": " << said;
  if (said.find(text) == said.npos) return testing::AssertionFailure() << said;
  return testing::AssertionSuccess();
}

/// The image, or a failed test and an empty image.
template <class T>
T value(Result<T> result) {
  if (result) return *std::move(result);
  ADD_FAILURE() << message(result.error());
  return {};
}

/// Whether one of the warnings has `text` in it.
inline bool warns(const Image& image, std::string_view text) {
  return std::ranges::any_of(image.warnings,
                             [&](const std::string& w) { return w.find(text) != w.npos; });
}

/// Appears with the test and goes with it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sureflash-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  std::string operator/(std::string_view file) const { return (path_ / file).string(); }

 private:
  std::filesystem::path path_;
};

inline void write_file(const std::string& path, const Bytes& data) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size()));
}

inline Bytes read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

/// A sparse image with a vector of odd sizes and addresses, like flash, option bytes and more.
inline Image random_image(std::mt19937& random) {
  const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  Image image;
  const std::uint32_t count = 1 + below(6);
  // One base for all, so that formats without addresses can bridge the gaps as well.
  const std::uint32_t base = below(2) == 0 ? 0x0800'0000 + below(0x10'0000) : below(0x1'0000);
  for (std::uint32_t i = 0; i < count; ++i) {
    Bytes data(1 + below(below(2) == 0 ? 40 : 3000));
    for (std::uint8_t& byte : data) byte = static_cast<std::uint8_t>(random());
    // Overlaps are refused by insert; fewer segments then.
    (void)image.insert(base + below(0x3'0000), data);
  }
  return image;
}

}  // namespace sureflash::image::test
