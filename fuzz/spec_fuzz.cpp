// A device specification as somebody types it, "sim:PROFILE,key=value" or
// "board:FIRMWARE,key=value": a device within its bounds, or words about what there is.

#include <string_view>

#include "fuzz.hpp"

#include "sureflash/sim/board/board_spec.hpp"
#include "sureflash/sim/model/profiles.hpp"

namespace {

using namespace sureflash;

void refused(const Error& error) {
  fuzz::require(error.code == Errc::DeviceSpec, "what is wrong is the specification");
  fuzz::require(!error.detail.empty(), "and it is said what");
}

void board(std::string_view text) {
  const auto spec = sim::parse_board(text);
  if (!spec) return refused(spec.error());
  const sim::BoardOptions& o = spec->options;
  fuzz::require(o.hse_hz <= 50'000'000, "no crystal is faster");
  fuzz::require(o.flash_kib == 64 || o.flash_kib == 128 || o.flash_kib == 256, "there are three");
  fuzz::require(spec->firmware == text.substr(0, text.find(',')), "the firmware comes first");
  fuzz::require(spec->state_file.find(',') == std::string::npos, "a value ends at the comma");
}

void model(std::string_view text) {
  // Files are not for a fuzzer to make.
  if (text.find("state=") != std::string_view::npos) return;
  const auto device = sim::make_device(text);
  if (!device) return refused(device.error());
  const sim::FlashGeometry& flash = (*device)->chip().flash().geometry();
  fuzz::require(flash.sector_count() > 0, "there is flash");
  (*device)->usb().advance_to(1s);
  fuzz::require((*device)->usb().now() == 1s, "and time passes");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  if (text.starts_with("board:")) board(text.substr(6));
  if (text.starts_with("sim:")) model(text.substr(4));
  return 0;
}
