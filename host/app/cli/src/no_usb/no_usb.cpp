#include "commands.hpp"
#include "failure.hpp"
#include "sim_device.hpp"
#include "surroundings.hpp"
#include "usb.hpp"

namespace sureflash::cli {
namespace {

Error no_usb() {
  return Error(Errc::Unsupported,
               "this sureflash was built without USB; files and sim:PROFILE work");
}

}  // namespace

Result<OpenedUsb> open_usb(std::string_view) {
  return fail(no_usb());
}

Result<std::unique_ptr<SimDevice>> make_board_device(std::string_view) {
  return fail(no_usb());
}

Json usb_devices() {
  return Json::array();
}

update::Surroundings surroundings(const Error&) {
  return {};
}

int list_usb(Output& output) {
  return report(output, no_usb());
}

int setup(const Options&, Output& output) {
  return report(output, no_usb());
}

int sim_serve(const Options&, Output& output) {
  return report(output, no_usb());
}

int sim_run(const Options&, Output& output) {
  return report(output, Error(Errc::Unsupported, "this sureflash was built without the board"));
}

}  // namespace sureflash::cli
