// The jobs that JavaScript can start. Each makes a session from a task of the core and says how its
// value looks as JSON.

#include "json.hpp"
#include "session.hpp"

#include "sureflash/dfu/descriptors.hpp"

namespace sureflash::web {
namespace {

std::string to_json(const dfu::Descriptors& d) {
  Json json;
  json.object();
  json.key("vendor_id").number(d.device.idVendor);
  json.key("product_id").number(d.device.idProduct);
  json.key("device_version").number(d.device.bcdDevice);
  json.key("manufacturer").text(d.manufacturer);
  json.key("product").text(d.product);
  json.key("serial").text(d.serial);
  json.key("dfu_mode").boolean(d.dfu.mode == dfu::Mode::Dfu);
  json.key("dfuse").boolean(d.dfu.dfuse);
  json.key("interface_number").number(d.dfu.interface_number);
  json.key("transfer_size").number(d.dfu.transfer_size);
  json.key("alt_settings").array();
  for (const dfu::AltSetting& alt : d.dfu.alt_settings) {
    json.object();
    json.key("alt_setting").number(alt.alt_setting);
    json.key("text").text(alt.text);
    json.end();
  }
  json.end();
  json.key("warnings").array();
  for (const std::string& warning : d.warnings) json.text(warning);
  json.end().end();
  return std::move(json).take();
}

template <class T, class Render>
Session* start(Task<T> task, Render render) {
  return new JobSession<T, Render>(std::move(task), std::move(render));
}

}  // namespace

extern "C" {

/// What the device says of itself: all its descriptors.
[[clang::export_name("sureflash_identify")]] Session* sureflash_identify() {
  return start(dfu::read_descriptors(),
               [](const dfu::Descriptors& descriptors) { return to_json(descriptors); });
}

}  // extern "C"

}  // namespace sureflash::web
