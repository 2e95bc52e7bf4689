#pragma once

#include "sureflash/sim/export_test/dfu_device.hpp"
#include "sureflash/sim/export_test/testbed_fixture.hpp"

namespace sureflash::transport {

/// Real libusb of this program sees the testbed and nothing else (see preload.cpp).
class TestbedFixture : public sim::TestbedFixture {
 protected:
  void SetUp() override {
    sim::TestbedFixture::SetUp();
    ::setenv("UMOCKDEV_DIR", (folder_ / "t").c_str(), 1);
  }
};

}  // namespace sureflash::transport
