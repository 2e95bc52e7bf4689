#pragma once

// What the command shows, word for word, and the files it is compared with.

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "run.hpp"
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sureflash::cli {

struct Screen {
  int exit = 0;
  std::string out;
  std::string err;
};

/// A stream that ends as a string.
class Capture {
 public:
  Capture() : file_(::open_memstream(&text_, &size_)) {}
  ~Capture() {
    std::fclose(file_);
    std::free(text_);
  }
  std::FILE* file() { return file_; }
  std::string text() {
    std::fflush(file_);
    return {text_, size_};
  }

 private:
  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* file_;
};

inline Screen command(const std::vector<std::string>& arguments) {
  Capture out;
  Capture err;
  Screen screen;
  screen.exit = run(arguments, {.out = out.file(), .err = err.file()});
  screen.out = out.text();
  screen.err = err.text();
  return screen;
}

/// Runs the command and compares the screen with the golden file.
inline Screen golden(const std::string& name, const std::vector<std::string>& arguments) {
  const Screen screen = command(arguments);
  const std::string text =
      fmt::format("$ sureflash {}\n--- stdout\n{}--- stderr\n{}--- exit {}\n",
                  fmt::join(arguments, " "), screen.out, screen.err, screen.exit);
  const std::filesystem::path file =
      std::filesystem::path(SUREFLASH_SOURCE_DIR) / "tests/golden/cli" / (name + ".txt");
  if (const char* update = std::getenv("UPDATE_GOLDEN"); update != nullptr && *update == '1') {
    std::ofstream(file) << text;
  }
  std::ifstream stream(file);
  const std::string expected((std::istreambuf_iterator<char>(stream)), {});
  EXPECT_EQ(text, expected) << "if this is better, run again with UPDATE_GOLDEN=1";
  return screen;
}

}  // namespace sureflash::cli
