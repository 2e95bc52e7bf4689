#include "sim_device.hpp"

#include "sureflash/sim/model/profiles.hpp"

namespace sureflash::cli {
namespace {

constexpr std::string_view kSimPrefix = "sim:";
constexpr std::string_view kBoardPrefix = "board:";

class ProfileDevice final : public SimDevice {
 public:
  explicit ProfileDevice(std::unique_ptr<sim::VirtualDevice> device) : device_(std::move(device)) {}
  sim::UsbDevice& usb() override { return device_->usb(); }
  sim::ClockChoice clock() const override { return device_->clock(); }
  Result<void> save() override { return device_->save(); }

 private:
  std::unique_ptr<sim::VirtualDevice> device_;
};

}  // namespace

bool is_sim_device(std::string_view device) {
  return device.starts_with(kSimPrefix) || device.starts_with(kBoardPrefix);
}

Result<std::unique_ptr<SimDevice>> make_sim_device(std::string_view device) {
  if (device.starts_with(kBoardPrefix)) {
    return make_board_device(device.substr(kBoardPrefix.size()));
  }
  if (device.starts_with(kSimPrefix)) device.remove_prefix(kSimPrefix.size());
  TRY_ASSIGN(auto made, sim::make_device(device));
  return std::make_unique<ProfileDevice>(std::move(made));
}

}  // namespace sureflash::cli
