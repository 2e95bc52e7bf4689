#include <charconv>

#include "usb.hpp"

#include "sureflash/transport/libusb/transport.hpp"

namespace sureflash::cli {
namespace {

std::optional<std::uint16_t> hex16(std::string_view s) {
  std::uint16_t value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value, 16);
  if (s.empty() || s.size() > 4 || error != std::errc{} || end != s.data() + s.size()) {
    return std::nullopt;
  }
  return value;
}

/// Errors: DeviceSpec.
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

}  // namespace

Result<OpenedUsb> open_usb(std::string_view device) {
  TRY_ASSIGN(const transport::Selector selector, parse_selector(device));
  TRY_ASSIGN(auto transport, transport::LibusbTransport::open(selector));
  std::string label = "usb " + transport->info().port_path;
  return OpenedUsb{std::move(label), std::move(transport)};
}

}  // namespace sureflash::cli
