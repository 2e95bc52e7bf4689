#pragma once

#include <csignal>
#include <spawn.h>
#include <utility>

#include "conformance_fixture.hpp"
#include <sys/wait.h>

extern char** environ;

namespace sureflash::sim {

/// A device with somebody at the wire: sees each control transfer before the device does, and may
/// change what it answers.
class WatchedDevice final : public UsbDevice {
 public:
  using Before = std::function<void(unsigned n)>;
  using After = std::function<void(const proto::Setup& setup, ByteSpan in, Completion& done)>;

  /// `device` must outlive this.
  explicit WatchedDevice(UsbDevice& device) : device_(&device) {}

  /// `before` gets the number of the transfer, from 0 at this call on.
  void before_each(Before before) {
    count_ = 0;
    before_ = std::move(before);
  }
  void stop_watching() { before_ = {}; }
  void after_each(After after) { after_ = std::move(after); }
  /// Transfers since `before_each`.
  unsigned count() const { return count_; }

  Duration now() const override { return device_->now(); }
  void advance_to(Duration time) override { device_->advance_to(time); }
  bool attached() const override { return device_->attached(); }
  std::uint32_t attach_count() const override { return device_->attach_count(); }
  Speed speed() const override { return device_->speed(); }
  Completion control(const proto::Setup& setup, ByteView out, ByteSpan in,
                     Duration timeout) override {
    const unsigned n = count_++;
    if (before_) before_(n);
    Completion done = device_->control(setup, out, in, timeout);
    if (after_) after_(setup, in, done);
    return done;
  }
  Completion endpoint_out(std::uint8_t endpoint, ByteView data, Duration timeout) override {
    return device_->endpoint_out(endpoint, data, timeout);
  }
  Completion endpoint_in(std::uint8_t endpoint, ByteSpan data, Duration timeout) override {
    return device_->endpoint_in(endpoint, data, timeout);
  }
  void bus_reset() override { device_->bus_reset(); }
  void set_vbus(bool on) override { device_->set_vbus(on); }

 private:
  UsbDevice* device_;
  Before before_;
  After after_;
  unsigned count_ = 0;
};

/// The `sureflash` of this build, as a process of its own, in a testbed.
class CommandFixture : public ConformanceFixture {
 protected:
  static constexpr std::uint32_t kBase = 0x08000000;
  /// Exit codes: docs and `sureflash --help`.
  static constexpr int kNoDevice = 3, kSeveralDevices = 4, kPermission = 5, kBadImage = 6,
                       kProtected = 7, kDeviceFailure = 8, kMismatch = 9, kInterrupted = 130;

  void TearDown() override {
    ConformanceFixture::TearDown();
    more_.clear();
  }

  /// Plugs in what `spec` describes, watched, and starts to serve it.
  void plug(const std::string& spec, WatchedDevice::After after = {}, Pace pace = Pace::Fast) {
    auto device = make_device(spec);
    ASSERT_TRUE(device) << message(device.error());
    device_ = std::move(*device);
    watched_ = std::make_unique<WatchedDevice>(device_->usb());
    watched_->after_each(std::move(after));
    add(*watched_, pace);
    serve();
  }
  /// Several devices, in ports 1-1, 1-2, …
  void plug_all(const std::vector<std::string>& specs) {
    for (const std::string& spec : specs) {
      auto device = make_device(spec);
      ASSERT_TRUE(device) << message(device.error());
      add((*device)->usb());
      more_.push_back(std::move(*device));
    }
    serve();
  }
  bool plug_in_again() {
    {
      const std::scoped_lock lock(loop_.mutex());
      testbed_->port("1-1").set_vbus(true);
      loop_.wake();
    }
    return eventually([&] { return testbed_->device_number("1-1") != 0; });
  }

  static std::string binary() { return SUREFLASH_BINARY_DIR "/sureflash"; }
  Outcome sureflash(const std::string& arguments) { return run(binary() + " " + arguments); }
  /// in.bin, programmed with proof.
  Outcome program(const std::string& more = {}) {
    return sureflash("program in.bin --base 0x08000000 " + more);
  }

  /// Starts the command and does not wait. `watch` is set before its first transfer and may use
  /// `child_`.
  void start(const std::string& arguments, WatchedDevice::Before watch = {}) {
    std::string line = "cd " + folder_.string() + "; exec " + in_testbed() + binary() + " " +
                       arguments + " >log 2>&1 </dev/null";
    std::string shell = "sh", option = "-c";
    char* words[] = {shell.data(), option.data(), line.data(), nullptr};
    const std::scoped_lock lock(loop_.mutex());
    if (watched_) watched_->before_each(std::move(watch));
    ASSERT_EQ(::posix_spawn(&child_, "/bin/sh", nullptr, nullptr, words, environ), 0);
  }
  Outcome wait_for_end() {
    int status = 0;
    ::waitpid(child_, &status, 0);
    const std::scoped_lock lock(loop_.mutex());
    if (watched_) watched_->stop_watching();
    std::ifstream log(folder_ / "log");
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            {std::istreambuf_iterator<char>(log), {}}};
  }

  std::unique_ptr<WatchedDevice> watched_;
  std::vector<std::unique_ptr<VirtualDevice>> more_;
  pid_t child_ = -1;
};

}  // namespace sureflash::sim
