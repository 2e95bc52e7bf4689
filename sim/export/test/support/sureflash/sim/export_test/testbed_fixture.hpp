#pragma once

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "sureflash/sim/export/testbed.hpp"

namespace sureflash::sim {

/// A testbed of its own for each test.
class TestbedFixture : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/sf-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    auto testbed = Testbed::create(loop_, folder_ / "t");
    ASSERT_TRUE(testbed) << message(testbed.error());
    testbed_ = std::move(*testbed);
  }
  void TearDown() override {
    thread_.reset();
    testbed_.reset();
    std::filesystem::remove_all(folder_);
  }

  void add(UsbDevice& device, Pace pace = Pace::Fast) {
    const std::string name = testbed_->add(device, pace);
    while (testbed_->device_number(name) == 0) loop_.run_once(1ms);
  }
  void serve() { thread_ = std::make_unique<LoopThread>(loop_); }

  /// Whether `condition` becomes true while the loop's thread runs; the limit is only for a broken
  /// one.
  bool eventually(const std::function<bool()>& condition) {
    const Duration limit = monotonic_clock() + 20s;
    while (monotonic_clock() < limit) {
      {
        const std::scoped_lock lock(loop_.mutex());
        if (condition()) return true;
      }
      std::this_thread::yield();
    }
    return false;
  }

  struct Outcome {
    int status;
    std::string output;
  };
  /// For a shell: makes what follows see the testbed and nothing else.
  std::string in_testbed() const {
    // A program with AddressSanitizer would insist on being the first library.
    std::string line = "env ASAN_OPTIONS=verify_asan_link_order=0";
    for (const std::string& variable : testbed_->environment()) line += " " + variable;
    return line + " ";
  }
  Outcome run(const std::string& command) {
    const std::string line = "cd " + folder_.string() + "; " + in_testbed() + "timeout 60 " +
                             command + " 2>&1 </dev/null";
    FILE* pipe = ::popen(line.c_str(), "r");
    std::string output;
    std::array<char, 4096> buffer{};
    while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
      output.append(buffer.data(), got);
    }
    return {WEXITSTATUS(::pclose(pipe)), output};
  }

  Bytes write_image(const std::string& name, std::size_t size) {
    Bytes image(size);
    std::uint32_t x = 1;
    for (auto& byte : image) byte = static_cast<std::uint8_t>((x = x * 1664525 + 1013904223) >> 24);
    std::ofstream(folder_ / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(image.data()),
               static_cast<std::streamsize>(image.size()));
    return image;
  }

  std::filesystem::path folder_;
  Loop loop_;
  std::unique_ptr<Testbed> testbed_;
  std::unique_ptr<LoopThread> thread_;
};

}  // namespace sureflash::sim
