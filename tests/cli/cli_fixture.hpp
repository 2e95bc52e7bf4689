#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <unistd.h>

#include "exit_code.hpp"
#include "screen.hpp"
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sureflash/base/bytes.hpp"

namespace sureflash::cli {

namespace fs = std::filesystem;

inline void write(const std::string& name, const Bytes& bytes) {
  std::ofstream(name, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

/// A program for `base`: vectors, then noise of a fixed seed.
inline Bytes program(std::size_t size, std::uint32_t stack, std::uint32_t reset) {
  Bytes bytes(size);
  std::mt19937 random(1);
  for (std::uint8_t& b : bytes) b = static_cast<std::uint8_t>(random());
  store_le32(bytes, 0, stack);
  store_le32(bytes, 4, reset);
  return bytes;
}

class Cli : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() /
              fmt::format("sureflash-cli-{}-{}", ::getpid(),
                          testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
    old_ = fs::current_path();
    fs::current_path(folder_);
    write("app.bin", program(5000, 0x20010000, 0x08000101));
    write("app-0800C000.bin", program(5000, 0x20010000, 0x0800C101));
    write("app-08008000.bin", program(5000, 0x20010000, 0x08008101));
    write("no-stack.bin", program(5000, 0x08001000, 0x08000101));
    write("no-thumb.bin", program(5000, 0x20010000, 0x08000100));
    write("too-large.bin", program(256 * 1024 + 4, 0x20010000, 0x08000101));
    write("empty.hex", {':', '0', '0', '0', '0', '0', '0', '0', '1', 'F', 'F', '\n'});
    std::ofstream("truncated.hex") << ":0400000001020304F2\n";
    std::ofstream("overlap.hex") << ":0400000001020304F2\n:0400020001020304F0\n:00000001FF\n";
  }
  void TearDown() override {
    fs::current_path(old_);
    fs::remove_all(folder_);
  }

  static std::string on(std::string_view profile) { return fmt::format("sim:{}", profile); }

 private:
  fs::path folder_;
  fs::path old_;
};

inline std::string file_tail(const std::string& name, std::size_t size) {
  std::ifstream file(name, std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(file), {}};
  return all.substr(all.size() - std::min(size, all.size()));
}

inline const std::string kBase = "0x08000000";

}  // namespace sureflash::cli
