#include "range.hpp"
#include "usb.hpp"

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

}  // namespace sureflash::cli
