#include <algorithm>
#include <charconv>

#include "range.hpp"
#include "usb.hpp"

#include "sureflash/transport/libusb/async.hpp"
#include "sureflash/transport/libusb/transport.hpp"

namespace sureflash::cli {
namespace {

/// Errors: DeviceSpec.
Result<transport::Selector> parse_selector(std::string_view text) {
  transport::Selector selector;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
    if (part.starts_with("serial=")) {
      selector.serial = part.substr(7);
    } else if (part.find(':') != std::string_view::npos) {
      const auto id = parse_usb_id(part);
      if (!id) {
        return fail(
            Error(Errc::DeviceSpec, "\"" + std::string(part) + "\" is no VID:PID (as in 0483:df11)")
                .in(Stage::Open));
      }
      selector.vendor_id = id->vendor;
      selector.product_id = id->product;
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

}  // namespace

Result<OpenedUsb> open_usb(std::string_view device) {
  TRY_ASSIGN(const transport::Selector selector, parse_selector(device));
  TRY_ASSIGN(auto transport, transport::LibusbTransport::open(selector));
  std::string label = "usb " + transport->info().port_path;
  return OpenedUsb{std::move(label), std::move(transport)};
}

Result<std::unique_ptr<transport::Driver>> open_usb_driver() {
  TRY_ASSIGN(auto driver, transport::AsyncDriver::create());
  return driver;
}

Result<std::vector<std::string>> usb_ports(const std::vector<std::string>& devices) {
  std::vector<std::string> ports;
  TRY_ASSIGN(const auto there, transport::list());
  for (const std::string& device : devices) {
    TRY_ASSIGN(const transport::Selector selector, parse_selector(device));
    auto chosen = transport::choose(there, selector);
    if (!chosen) return fail(std::move(chosen).error().named(device).in(Stage::Open));
    if (std::ranges::find(ports, chosen->port_path) != ports.end()) {
      return fail(Error(Errc::Usage, "two --device mean the one at port " + chosen->port_path));
    }
    ports.push_back(chosen->port_path);
  }
  return ports;
}

Result<PortFilter> usb_port_filter(const std::vector<std::string>& devices) {
  std::vector<transport::Selector> selectors;
  for (const std::string& device : devices) {
    TRY_ASSIGN(transport::Selector selector, parse_selector(device));
    if (selector.serial) {
      return fail(Errc::Usage, "a serial number means one device: no --all, no --watch");
    }
    selectors.push_back(std::move(selector));
  }
  return [selectors](const transport::OccupiedPort& port) {
    const auto fits = [&](const transport::Selector& s) {
      return (!s.port_path || *s.port_path == port.name) &&
             (!s.vendor_id || *s.vendor_id == port.vendor_id) &&
             (!s.product_id || *s.product_id == port.product_id);
    };
    return selectors.empty() || std::ranges::any_of(selectors, fits);
  };
}

}  // namespace sureflash::cli
