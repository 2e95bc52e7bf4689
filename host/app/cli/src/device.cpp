#include "device.hpp"

#include <charconv>

#include "files.hpp"
#include "interrupt.hpp"

#include "sureflash/transport/libusb/transport.hpp"
#include "sureflash/transport/trace/recorder.hpp"
#include "sureflash/transport/virtual.hpp"

namespace sureflash::cli {
namespace {

constexpr std::string_view kSimPrefix = "sim:";
/// An F105 with an 8 MHz crystal needs 13.7 s to find its clock (AN2606 table 229).
constexpr Duration kAttachTimeout = 20s;

std::optional<std::uint16_t> hex16(std::string_view s) {
  std::uint16_t value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value, 16);
  if (s.empty() || s.size() > 4 || error != std::errc{} || end != s.data() + s.size()) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

Result<transport::Selector> parse_selector(std::string_view text) {
  transport::Selector selector;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
    const std::size_t colon = part.find(':');
    if (part.starts_with("serial=")) {
      selector.serial = part.substr(7);
    } else if (colon != std::string_view::npos) {
      selector.vendor_id = hex16(part.substr(0, colon));
      selector.product_id = hex16(part.substr(colon + 1));
      if (!selector.vendor_id || !selector.product_id) {
        return fail(
            Error(Errc::DeviceSpec, "\"" + std::string(part) + "\" is no VID:PID (as in 0483:df11)")
                .in(Stage::Open));
      }
    } else if (part.find_first_not_of("0123456789-.") == std::string_view::npos &&
               part.find('-') != std::string_view::npos) {
      selector.port_path = part;
    } else {
      return fail(Error(Errc::DeviceSpec,
                        "\"" + std::string(part) +
                            "\" is no port path (1-2.4), VID:PID (0483:df11), serial=TEXT or "
                            "sim:PROFILE")
                      .in(Stage::Open));
    }
  }
  return selector;
}

Device::~Device() = default;

Result<std::unique_ptr<Device>> Device::open(const Options& options) {
  std::unique_ptr<Device> device(new Device);
  TRY(options.device.starts_with(kSimPrefix) ? device->open_virtual(options)
                                             : device->open_usb(options));
  TRY(device->record(options));
  return device;
}

Result<void> Device::open_virtual(const Options& options) {
  label_ = options.device.substr(0, options.device.find(','));
  TRY_ASSIGN(virtual_device_,
             sim::make_device(std::string_view(options.device).substr(kSimPrefix.size())));
  auto transport = std::make_unique<transport::VirtualTransport>(
      virtual_device_->usb(), virtual_device_->clock() == sim::ClockChoice::Real
                                  ? transport::Clock::Real
                                  : transport::Clock::Virtual);
  TRY(transport->open(kAttachTimeout));
  transport_ = std::move(transport);
  return {};
}

Result<void> Device::open_usb(const Options& options) {
  TRY_ASSIGN(const transport::Selector selector, parse_selector(options.device));
  auto transport = transport::LibusbTransport::open(selector);
  if (!transport) return fail(std::move(transport).error().in(Stage::Open));
  label_ = "usb " + (*transport)->info().port_path;
  transport_ = *std::move(transport);
  return {};
}

Result<void> Device::record(const Options& options) {
  if (options.trace_file.empty() && options.bundle.empty()) return {};
  if (!options.trace_file.empty()) {
    trace_file_ = {std::fopen(options.trace_file.c_str(), "w"), std::fclose};
    if (!trace_file_) return fail(Error(Errc::FileUnwritable).named(options.trace_file));
  }
  recorder_ = std::make_unique<transport::trace::Recorder>(
      *transport_,
      // Whole lines at once: what was said before a crash is what one wants to see.
      [this, file = trace_file_.get(), keep = !options.bundle.empty()](std::string_view line) {
        if (keep) recorded_ += line;
        if (file == nullptr) return;
        std::fwrite(line.data(), 1, line.size(), file);
        std::fflush(file);
      },
      options.trace_firmware ? transport::trace::Firmware::Included
                             : transport::trace::Firmware::LeftOut,
      label_);
  return {};
}

transport::Observer Device::observer(Output& output) {
  return {.on_progress =
              [&output, this](const Progress& progress) {
                output.progress(progress, transport_->now());
                return interrupt_count() >= 1;
              },
          .stop_at_once = [] { return interrupt_count() >= 2; }};
}

Result<void> Device::save() {
  if (virtual_device_) return virtual_device_->save();
  return {};
}

}  // namespace sureflash::cli
