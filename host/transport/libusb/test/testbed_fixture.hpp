#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>

#include <gtest/gtest.h>

#include "sureflash/sim/export/testbed.hpp"
#include "sureflash/sim/export_test/dfu_device.hpp"

namespace sureflash::transport {

/// A testbed of its own for each test; real libusb of this program sees nothing else.
class TestbedFixture : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/sf-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    auto testbed = sim::Testbed::create(loop_, folder_ / "t");
    ASSERT_TRUE(testbed) << message(testbed.error());
    testbed_ = std::move(*testbed);
    ::setenv("UMOCKDEV_DIR", (folder_ / "t").c_str(), 1);
  }
  void TearDown() override {
    thread_.reset();
    testbed_.reset();
    std::filesystem::remove_all(folder_);
  }

  void add(sim::UsbDevice& device, sim::Pace pace = sim::Pace::Fast) {
    const std::string name = testbed_->add(device, pace);
    while (testbed_->device_number(name) == 0) loop_.run_once(1ms);
  }
  void serve() { thread_ = std::make_unique<sim::LoopThread>(loop_); }

  std::filesystem::path folder_;
  sim::Loop loop_;
  std::unique_ptr<sim::Testbed> testbed_;
  std::unique_ptr<sim::LoopThread> thread_;
};

}  // namespace sureflash::transport
