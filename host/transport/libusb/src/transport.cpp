#include "sureflash/transport/libusb/transport.hpp"

#include <algorithm>
#include <thread>

#include "usb_connection.hpp"

namespace sureflash::transport {
namespace {

Duration monotonic() {
  return std::chrono::steady_clock::now().time_since_epoch();
}

}  // namespace

Result<std::unique_ptr<LibusbTransport>> LibusbTransport::open(const Selector& selector) {
  TRY_ASSIGN(const UsbContext context, start_libusb());
  TRY_ASSIGN(DeviceInfo info, choose(describe_all(context), selector));
  TRY_ASSIGN(auto connection, UsbConnection::open(context, info.port_path));
  return std::unique_ptr<LibusbTransport>(
      new LibusbTransport(std::move(info), std::move(connection)));
}

LibusbTransport::LibusbTransport(DeviceInfo info, std::unique_ptr<UsbConnection> connection)
    : info_(std::move(info)), connection_(std::move(connection)), began_(monotonic()) {}

LibusbTransport::~LibusbTransport() = default;

Duration LibusbTransport::now() const {
  return monotonic() - began_;
}

Answer LibusbTransport::answer(Io io, std::size_t actual, std::optional<int> os) const {
  return {.io = io, .actual = actual, .time = now(), .os = os};
}

Answer LibusbTransport::control(const ControlTransfer& transfer) {
  if (connection_->handle() == nullptr) return answer(Io::Disconnected);
  const proto::Setup& setup = transfer.setup;
  // libusb writes into the buffer of IN transfers only.
  auto* data = setup.is_in() ? transfer.in.data() : const_cast<std::uint8_t*>(transfer.out.data());
  const int code = ::libusb_control_transfer(connection_->handle(), setup.bmRequestType,
                                             setup.bRequest, setup.wValue, setup.wIndex, data,
                                             setup.wLength, timeout_ms(transfer.timeout));
  if (code >= 0) return answer(Io::Ok, static_cast<std::size_t>(code));
  const Io io = io_of_error(code);
  return answer(io == Io::Failed && leaves() ? Io::Disconnected : io, 0, code);
}

bool LibusbTransport::leaves() const {
  const Duration limit = now() + kDoubt;
  while (connection_->on_bus()) {
    if (now() >= limit) return false;
    std::this_thread::sleep_for(kPollInterval);
  }
  return true;
}

Answer LibusbTransport::await_return(Duration timeout) {
  const Duration limit = now() + timeout;
  Io outcome = Io::Timeout;
  while (true) {
    switch (connection_->try_return()) {
      case UsbConnection::Return::Back:
        return answer(Io::Ok);
      case UsbConnection::Return::NotYet:
        outcome = Io::Timeout;
        break;
      case UsbConnection::Return::Denied:
        outcome = Io::Denied;
        break;
      case UsbConnection::Return::Busy:
        outcome = Io::Busy;
        break;
    }
    if (now() >= limit) return answer(outcome);
    std::this_thread::sleep_for(std::min(kPollInterval, limit - now()));
  }
}

Answer LibusbTransport::perform(const Step& step) {
  if (const auto* transfer = std::get_if<ControlTransfer>(&step)) return control(*transfer);
  if (const auto* wait = std::get_if<Wait>(&step)) {
    std::this_thread::sleep_for(wait->duration);
    return answer(Io::Ok);
  }
  if (const auto* await = std::get_if<AwaitReturn>(&step)) return await_return(await->timeout);
  int code = 0;
  if (const auto* selection = std::get_if<SelectAltSetting>(&step)) {
    code = connection_->select(*selection);
  } else if (std::holds_alternative<BusReset>(step)) {
    code = connection_->reset();
  }
  return answer(io_of_error(code), 0, code < 0 ? std::optional<int>(code) : std::nullopt);
}

Result<std::unique_ptr<Transport>> open(const Selector& selector) {
  TRY_ASSIGN(auto transport, LibusbTransport::open(selector));
  return std::unique_ptr<Transport>(std::move(transport));
}

}  // namespace sureflash::transport
