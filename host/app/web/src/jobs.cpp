// The jobs that JavaScript can start. Each makes a session from a task of the core and says how its
// value looks as JSON.

#include "json.hpp"
#include "session.hpp"

#include "sureflash/dfu/descriptors.hpp"
#include "sureflash/image/image.hpp"

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

std::string to_json(const image::Image& firmware) {
  Json json;
  json.object();
  json.key("size").number(firmware.size());
  json.key("segments").array();
  for (const image::Segment& segment : firmware.segments()) {
    json.object();
    json.key("address").number(segment.address);
    json.key("size").number(segment.data.size());
    json.end();
  }
  json.end();
  if (firmware.entry) json.key("entry").number(*firmware.entry);
  json.key("warnings").array();
  for (const std::string& warning : firmware.warnings) json.text(warning);
  json.end().end();
  return std::move(json).take();
}

/// Reading a file asks for no step; as a task it ends like every other job. The views must outlive
/// it.
Task<image::Image> read_image(ByteView file, std::string_view file_name) {
  co_return image::read(image::detect(file, file_name), file);
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

/// What a firmware file holds. The bytes must stay until the session is over.
[[clang::export_name("sureflash_image_info")]] Session* sureflash_image_info(
    const std::uint8_t* file, std::uint32_t file_size, const char* name, std::uint32_t name_size) {
  return start(read_image({file, file_size}, {name, name_size}),
               [](const image::Image& firmware) { return to_json(firmware); });
}

}  // extern "C"

}  // namespace sureflash::web
