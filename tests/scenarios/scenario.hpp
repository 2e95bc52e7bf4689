#pragma once

#include <memory>

#include <gtest/gtest.h>

#include "sureflash/image/image.hpp"
#include "sureflash/sim/model/profiles.hpp"
#include "sureflash/transport/virtual.hpp"
#include "sureflash/update/diagnose.hpp"
#include "sureflash/update/program.hpp"

/// The host library against a virtual device, in one process and in virtual time.
namespace sureflash::scenarios {

/// A device on a port, opened again and again as a user would run the command again and again.
class Bench {
 public:
  /// `chip`: what the user says it is.
  explicit Bench(const std::string& spec, const stm32::Chip* chip = nullptr) {
    identify.chip = chip;
    auto device = sim::make_device(spec);
    if (!device) {
      ADD_FAILURE() << spec << ": " << message(device.error());
      std::abort();
    }
    device_ = *std::move(device);
  }

  sim::VirtualDevice& device() { return *device_; }
  sim::Chip& chip() { return device_->chip(); }

  /// One run of a command: open, do `job(target)`.
  template <class T, class Job>
  Result<T> run(const Job& job) {
    transport::VirtualTransport transport(device_->usb(), transport::Clock::Virtual);
    TRY(transport.open(20s));
    TRY_ASSIGN(const update::Target target, transport::run(transport, update::identify(identify)));
    auto task = job(target);
    if (!task) return fail(std::move(task).error());
    auto result = transport::run(transport, *std::move(task), observer);
    if (!result) {
      auto found = transport::run(transport, update::diagnose(target, result.error(), seen));
      findings = found ? *found : std::vector<update::Finding>{};
    }
    took = transport.now();
    return result;
  }

  Result<update::Outcome> program(const image::Image& image, update::PlanOptions options = {}) {
    seen = {};
    plan = {};
    return run<update::Outcome>([&](const update::Target& target) -> Result<Task<update::Outcome>> {
      TRY_ASSIGN(plan, update::make_plan(target, image, options));
      return update::program(target, plan, seen);
    });
  }

  /// As the command does it: compares first, then programs what differs.
  Result<update::Outcome> update(const image::Image& image, update::PlanOptions options = {}) {
    TRY_ASSIGN(
        options.survey,
        run<update::Survey>([&](const update::Target& target) -> Result<Task<update::Survey>> {
          return update::survey(target, image, options);
        }));
    const Duration compared = took;
    auto outcome = program(image, options);
    took += compared;
    return outcome;
  }

  /// What the device was identified as.
  Result<update::Target> identified() {
    transport::VirtualTransport transport(device_->usb(), transport::Clock::Virtual);
    TRY(transport.open(20s));
    return transport::run(transport, update::identify(identify));
  }

  /// What is in flash now, by the chip and not by the wire.
  bool holds(const image::Image& image) {
    for (const image::Segment& s : image.segments()) {
      Bytes actual(s.data.size());
      if (!chip().read(s.address, actual) || actual != s.data) return false;
    }
    return true;
  }
  Bytes flash(AddressRange range) {
    Bytes bytes(range.size());
    EXPECT_TRUE(chip().read(static_cast<std::uint32_t>(range.begin), bytes));
    return bytes;
  }

  update::IdentifyOptions identify;
  transport::Observer observer;
  update::Observations seen;
  update::Plan plan;
  std::vector<update::Finding> findings;
  Duration took{};

 private:
  std::unique_ptr<sim::VirtualDevice> device_;
};

/// Other noise than that of fill=noise, whatever the seeds.
inline Bytes noise(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  sim::fill_noise(bytes, sim::mix64(~seed));
  return bytes;
}

/// A program of `size` bytes at `base` that looks like one: vectors, then noise without blank
/// blocks.
inline image::Image make_program(std::uint32_t base, std::size_t size, std::uint64_t seed = 1) {
  Bytes bytes = noise(size, seed);
  store_le32(bytes, 0, 0x20010000);
  store_le32(bytes, 4, base + 9);
  image::Image image;
  EXPECT_TRUE(image.insert(base, bytes));
  return image;
}

}  // namespace sureflash::scenarios
