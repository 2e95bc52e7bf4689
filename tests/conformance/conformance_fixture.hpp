#pragma once

#include <algorithm>

#include <gmock/gmock.h>

#include "sureflash/sim/export_test/testbed_fixture.hpp"
#include "sureflash/sim/model/profiles.hpp"

namespace sureflash::sim {

/// A testbed with one device of `sim/model` in it.
class ConformanceFixture : public TestbedFixture {
 protected:
  void TearDown() override {
    TestbedFixture::TearDown();
    device_.reset();
  }

  /// Plugs in what `spec` describes and starts to serve it. Poll times are slept through by real
  /// programs, so most tests set poll=0.
  void plug(const std::string& spec, Pace pace = Pace::Fast) {
    auto device = make_device(spec);
    ASSERT_TRUE(device) << message(device.error());
    device_ = std::move(*device);
    add(device_->usb(), pace);
    serve();
  }

  Bytes flash(std::size_t offset, std::size_t size) {
    const std::scoped_lock lock(loop_.mutex());
    const ByteView bytes = device_->chip().flash().bytes().subspan(offset, size);
    return {bytes.begin(), bytes.end()};
  }

  bool flash_is_blank() {
    const Bytes bytes = flash(0, device_->chip().flash().bytes().size());
    return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0xFF; });
  }

  /// An image with a vector table that an STM32F105 could start, as a file.
  Bytes write_firmware(const std::string& name, std::size_t size) {
    Bytes image = write_image(name, size);
    store_le32(image, 0, 0x20010000);  // end of 64 KiB of RAM
    store_le32(image, 4, 0x08000151);
    std::ofstream(folder_ / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(image.data()), static_cast<std::streamsize>(size));
    return image;
  }

  std::unique_ptr<VirtualDevice> device_;
};

}  // namespace sureflash::sim
